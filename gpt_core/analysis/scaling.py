"""How well training in parallel pays, on paper: from a step's time and the network's speed."""

BACKWARD = 2 / 3  # of a step's time: two products for each one of the forward pass
BUCKET_BYTES = 25 * 2**20  # of gradients that DistributedDataParallel sends at once: its default


def all_reduce_seconds(devices: int, gradient_bytes: float, bytes_per_second: float) -> float:
    """Return the seconds in which a ring of devices adds up its gradients.

    The gradients are cut into N parts. Each device sends 2 (N − 1) of them, one after the other, to
    its neighbour: first sums in the making, then finished sums. The slowest link decides. Latency
    is left out.

    Source: Patarasuk & Yuan (2009), "Bandwidth optimal all-reduce algorithms for clusters of
    workstations".
    """
    return 2 * (devices - 1) / devices * gradient_bytes / bytes_per_second


def parallel_efficiency(
    devices: int,
    step_seconds: float,
    gradient_bytes: float,
    bytes_per_second: float,
    last_bytes: float = BUCKET_BYTES,
    accumulation_steps: int = 1,
) -> float:
    """Return how much of its speed alone each device keeps when several train one model: 0 to 1.

    As in PyTorch's DistributedDataParallel, gradients travel in buckets while the backward pass of
    the update's last batch makes the others. What does not fit into that time is waited for, and in
    any case the last bucket, which is complete only at the end:

        waiting = max(all-reduce(last bucket), all-reduce(all gradients) − backward)
        efficiency = step / (step + waiting)

    Left out are latency, other traffic, devices of unequal speed and what sending takes from
    computing: measured efficiency is lower.

    Args:
        devices: how many train one model, each on batches of its own.
        step_seconds: of one update on one device, all its batches together.
        gradient_bytes: 4 for each parameter.
        bytes_per_second: of the slowest link; 10 Gbit/s are 1.25e9.
        last_bytes: the size of the last bucket: that of the token embedding, whose gradient comes
            last, if it is more than a bucket's default.
        accumulation_steps: batches of an update; only the last one's gradients travel.

    Source: Li et al. (2020), "PyTorch Distributed: Experiences on Accelerating Data Parallel
    Training", section 3.2.
    """
    last = all_reduce_seconds(devices, min(last_bytes, gradient_bytes), bytes_per_second)
    whole = all_reduce_seconds(devices, gradient_bytes, bytes_per_second)
    backward = BACKWARD * step_seconds / accumulation_steps
    waiting = max(last, whole - backward)
    return step_seconds / (step_seconds + waiting)
