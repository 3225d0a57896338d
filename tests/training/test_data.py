from collections.abc import Iterator

import pytest
import torch

from gpt_core.text import Batch, create_dataloader
from gpt_core.training import first_batch
from gpt_core.training.data import copied_ahead

IDS = torch.arange(100)


def test_the_first_windows_have_a_batchs_shape_and_nothing_is_drawn() -> None:
    generator = torch.Generator().manual_seed(1)
    loader = create_dataloader(IDS, batch_size=3, context_length=8, generator=generator)
    state = generator.get_state()
    inputs, targets = first_batch(loader)
    assert inputs.tolist() == [list(range(start, start + 8)) for start in (0, 8, 16)]
    assert torch.equal(targets, inputs + 1)
    assert torch.equal(generator.get_state(), state)
    some, _ = next(iter(loader))
    assert (some.shape, some.dtype) == (inputs.shape, inputs.dtype)


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_batches_are_as_they_are_and_none_is_read_ahead_where_there_is_no_cuda(
    device: str,
) -> None:
    read = []

    def batches() -> Iterator[Batch]:
        for i in range(3):
            read.append(i)
            yield IDS[i : i + 1], IDS[i : i + 1]

    for i, (inputs, _) in enumerate(copied_ahead(batches(), device)):
        assert read == list(range(i + 1))
        assert inputs.data_ptr() == IDS[i : i + 1].data_ptr()
    assert read == [0, 1, 2]


def test_on_cuda_the_next_batch_is_on_its_way_before_one_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pinning and copying need a GPU: here both are written down, and every batch comes once."""
    happened = []

    def pin(tensor: torch.Tensor) -> torch.Tensor:
        happened.append(f"pinned {tensor.item()}")
        return tensor

    def copy(tensor: torch.Tensor, device: str, non_blocking: bool) -> torch.Tensor:
        assert (device, non_blocking) == ("cuda", True)
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    monkeypatch.setattr(torch.Tensor, "to", copy)
    for inputs, _ in copied_ahead(
        [(IDS[i : i + 1], IDS[i + 9 : i + 10]) for i in range(3)], "cuda"
    ):
        happened.append(f"used {inputs.item()}")
    assert happened == [
        *("pinned 0", "pinned 9", "pinned 1", "pinned 10", "used 0"),
        *("pinned 2", "pinned 11", "used 1", "used 2"),
    ]
