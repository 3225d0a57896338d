"""The gradients of one update, each rank's from its share of the batches, averaged by DDP."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from gpt_core.config import TrainingConfig
from gpt_core.distributed.collectives import losses_of_ranks, sum_over_ranks
from gpt_core.distributed.control import begin_update
from gpt_core.distributed.group import Group
from gpt_core.model import CalcLoss, ChosenLoss, GPTModel, autocast, calc_loss_batch, choose_loss
from gpt_core.text import Batch


class BatchLoss(nn.Module):
    """A batch's loss as a module, which DistributedDataParallel can wrap.

    The model itself stays as it is, for samples, probes and checkpoints.
    """

    def __init__(self, model: GPTModel, device: str) -> None:
        super().__init__()
        self.model = model
        self.device = device
        self.calc_loss: CalcLoss = calc_loss_batch  # or compiled from it

    def forward(self, input_batch: Tensor, target_batch: Tensor) -> Tensor:
        """Return the mean loss of a batch (B, T), a scalar."""
        return self.calc_loss(input_batch, target_batch, self.model, self.device)


def replicate(model: GPTModel, config: TrainingConfig, group: Group) -> DistributedDataParallel:
    """Return a model's loss, whose gradients are averaged over all ranks; all ranks ask together.

    The model of each rank gets the weights of rank 0.
    """
    return DistributedDataParallel(
        BatchLoss(model, config.device),
        process_group=group.gradients,
        gradient_as_bucket_view=True,
    )


def choose_shared_loss(
    model: GPTModel, config: TrainingConfig, batch: Batch, num_batches: int, group: Group
) -> ChosenLoss:
    """Do on all ranks what :func:`gpt_core.model.choose_loss` does in one process.

    The loss is compiled as DistributedDataParallel calls it: the graph is cut where a bucket of
    gradients is complete, so that it is sent while the others are computed. Each rank tries and
    chooses for itself: the sentence is about this one.

    Raises:
        RankLostError: another process has ended, or does not answer.
    """
    with losses_of_ranks(group):
        replica = replicate(model, config, group)

    def called(calc_loss: CalcLoss) -> CalcLoss:
        def loss(inputs: Tensor, targets: Tensor, _: GPTModel, device: object) -> Tensor:
            replica.module.calc_loss = calc_loss
            with replica.no_sync():  # each rank tries for itself
                return replica(inputs, targets)

        return loss

    with losses_of_ranks(group):
        return choose_loss(model, config, batch, num_batches, called)


class DistributedGradients:
    """Compute the gradients of an update's mean loss on all ranks together.

    Rank r takes every world_size-th batch, from the r-th on. N ranks give the gradients of one
    process that accumulates all batches, up to the order in which they are added.
    """

    def __init__(
        self,
        model: GPTModel,
        optimizer: Optimizer,
        config: TrainingConfig,
        group: Group,
        calc_loss: CalcLoss = calc_loss_batch,
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._config = config
        self._group = group
        with losses_of_ranks(group):
            self._replica = replicate(model, config, group)
            self._settle_buckets()
            self._replica.module.calc_loss = calc_loss

    def __call__(self, batches: list[Batch], global_step: int) -> Tensor:
        """Fill the gradients of the batches' mean loss; return that loss, a scalar.

        All ranks begin when rank 0 does.

        Raises:
            GroupEnded: rank 0 has ended the run.
            RankLostError: another process has ended, or does not answer.
        """
        group, config = self._group, self._config
        begin_update(self._optimizer, group)
        own = batches[group.rank :: group.world_size]
        # DDP averages over the ranks. A rank without a batch takes part with weight 0.
        weight = group.world_size / len(batches) if own else 0.0
        own = own or batches[:1]
        loss_sum = 0.0
        with losses_of_ranks(group), rank_draws(self._model, config, global_step, group.rank):
            for number, batch in enumerate(own, start=1):
                is_last = number == len(own)
                with nullcontext() if is_last else self._replica.no_sync(), autocast(config):
                    loss = self._replica(*batch)
                    weighted = loss * weight
                with nullcontext() if is_last else self._replica.no_sync():
                    weighted.backward()
                loss_sum += loss.item() * weight / group.world_size
            wants_end = float(group.wants_end.is_set())
            mean_loss, wanting = sum_over_ranks((loss_sum, wants_end), group)
        if wanting and group.is_main:
            os.kill(os.getpid(), signal.SIGTERM)  # as if it had been sent to this rank
        return torch.tensor(mean_loss, dtype=torch.float64)

    def _settle_buckets(self) -> None:
        """Let DDP order its buckets now, by a backward pass whose gradients are dropped.

        It does so after the first one. Without this, a resumed run's first gradients would be
        added in another order than those of the run that was never stopped.
        """
        training = self._model.training
        self._model.eval()  # nothing random is drawn
        ids = torch.zeros((1, 2), dtype=torch.int64)
        for _ in range(2):
            self._replica(ids[:, :1], ids[:, 1:]).backward()
        self._model.zero_grad()
        self._model.train(training)


@contextmanager
def rank_draws(
    model: GPTModel, config: TrainingConfig, global_step: int, rank: int
) -> Iterator[None]:
    """Let dropout draw other numbers on each rank, the same whenever a step is computed.

    Afterwards the generator is in the state before: the order of batches does not depend on
    dropout, and is the same on all ranks.
    """
    sequence = np.random.SeedSequence([config.seed, global_step, rank])
    seed = int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
    generator = model.generator or torch.default_generator
    state = generator.get_state()
    generator.manual_seed(seed)
    if config.device == "cuda":
        torch.cuda.manual_seed(seed)  # a kernel draws from the device's own
    try:
        yield
    finally:
        generator.set_state(state)
