import re
import subprocess
import sys

import pytest
import torch
from torch.utils.data import RandomSampler

from gpt_core.text import TokenWindows, check_splits, create_dataloader, rows_to_batch
from gpt_core.text.dataset import SeededSampler
from tests.support.paths import ROOT


def test_a_window_is_a_view_and_its_targets_come_one_token_later() -> None:
    ids = torch.arange(100, dtype=torch.int32)
    inputs, targets = TokenWindows(ids, context_length=4, stride=4)[2]
    assert inputs.tolist() == [8, 9, 10, 11]
    assert targets.tolist() == [9, 10, 11, 12]
    assert inputs.untyped_storage().data_ptr() == ids.untyped_storage().data_ptr()
    assert targets.untyped_storage().data_ptr() == ids.untyped_storage().data_ptr()


@pytest.mark.parametrize(("tokens", "windows"), [(4, 0), (5, 1), (8, 1), (9, 2), (12, 2), (13, 3)])
def test_every_window_has_a_target_for_its_last_token(tokens: int, windows: int) -> None:
    assert len(TokenWindows(torch.arange(tokens), context_length=4, stride=4)) == windows


def test_overlapping_windows_start_every_stride() -> None:
    assert list(TokenWindows(torch.arange(12), context_length=4, stride=2).starts) == [0, 2, 4, 6]


def test_batches_are_two_int64_tensors() -> None:
    loader = create_dataloader(torch.arange(41, dtype=torch.int32), 2, 8, shuffle=False)
    inputs, targets = next(iter(loader))
    assert inputs.dtype == targets.dtype == torch.int64
    assert inputs.tolist() == [list(range(8)), list(range(8, 16))]
    assert torch.equal(targets, inputs + 1)


def test_drop_last_leaves_out_the_batch_that_is_not_full() -> None:
    ids = torch.arange(25)
    assert [len(x) for x, _ in create_dataloader(ids, 2, 8, drop_last=True)] == [2]
    assert [len(x) for x, _ in create_dataloader(ids, 2, 8, drop_last=False)] == [2, 1]


def test_a_text_shorter_than_one_window_is_refused() -> None:
    with pytest.raises(ValueError, match=r"context_length \+ 1 = 9 tokens, and the text has 8\."):
        create_dataloader(torch.arange(8), 2, 8)


def test_a_loader_with_a_generator_leaves_the_global_one_alone() -> None:
    state = torch.get_rng_state()
    generator = torch.Generator().manual_seed(3)
    list(create_dataloader(torch.arange(100), 2, 8, generator=generator))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_order_of_the_windows_is_that_of_pytorchs_random_sampler() -> None:
    windows = TokenWindows(torch.arange(10_001), 1, 1)
    ours = SeededSampler(windows, torch.Generator().manual_seed(3))
    seed = torch.empty((), dtype=torch.int64).random_(generator=torch.Generator().manual_seed(3))
    order = torch.Generator().manual_seed(int(seed))
    assert [*ours] == [*RandomSampler(windows, generator=order)]


def test_a_text_too_short_says_how_long_it_is_and_must_be_and_what_would_fit() -> None:
    with pytest.raises(ValueError, match="too short") as refusal:
        check_splits(1171, 127, context_length=256, batch_size=2, train_ratio=0.9)
    message = str(refusal.value)
    assert "it has 1,298 tokens (1,171 for training, 127 for validation)" in message
    assert "needs about 2,571 (513 for a training batch of 2, 257 for a validation" in message
    assert "Choose context_length=126 or less (preset pocket), or a longer text." in message


@pytest.mark.parametrize("stride", [None, 1, 5, 40])
@pytest.mark.parametrize(("train_tokens", "val_tokens"), [(90, 11), (20, 60), (200, 5), (7, 3)])
@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_the_context_length_it_names_fits_and_the_next_does_not(
    train_tokens: int, val_tokens: int, batch_size: int, stride: int | None
) -> None:
    """Against the loaders themselves: what is refused would have given an empty one."""

    def fits(context_length: int) -> bool:
        sizes = (batch_size, context_length, stride)
        try:
            train = create_dataloader(torch.arange(train_tokens), *sizes)
            val = create_dataloader(torch.arange(val_tokens), *sizes, drop_last=False)
        except ValueError:
            return False
        return len(train) > 0 and len(val) > 0

    try:
        check_splits(train_tokens, val_tokens, 300, batch_size, 0.9, stride)
    except ValueError as error:
        named = re.search(r"context_length=(\d+) or less", str(error))
        largest = int(named.group(1)) if named else 0
        assert largest == 0 or fits(largest)
        assert not fits(largest + 1)
        if largest:
            check_splits(train_tokens, val_tokens, largest, batch_size, 0.9, stride)
    else:
        pytest.fail("300 tokens of context cannot fit")


MEMORY_PROGRAM = """
import random, sys
from pathlib import Path
from gpt_core import PRESETS, get_tokenizer, load_text, prepare_data

def memory(name):  # bytes; VmRSS is what the process holds now, VmHWM the most it ever held
    line = next(l for l in Path("/proc/self/status").read_text().splitlines() if name in l)
    return int(line.split()[1]) * 1024

tokenizer = get_tokenizer()
words = load_text("the-lamp-room").text.split()
paragraphs = [" ".join(random.Random(i).choices(words, k=400)) for i in range(1000)]
text = "\\n".join(random.Random(1).choices(paragraphs, k=27_000))[:50_000_000]
assert len(text) == 50_000_000
Path("/proc/self/clear_refs").write_text("5")  # the most it ever held is counted from here on
before = memory("VmRSS")
data = prepare_data(text, tokenizer, PRESETS["pocket"].model, PRESETS["pocket"].training)
print((memory("VmHWM") - before) / (data.train_tokens + data.val_tokens))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_50_mb_text_needs_at_most_10_bytes_per_token_beside_the_text() -> None:
    result = subprocess.run(
        [sys.executable, "-c", MEMORY_PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 4 <= float(result.stdout) <= 10


def test_rows_become_a_batch_of_inputs_and_targets() -> None:
    every, really = torch.tensor([16833, 3626, 6100, 345]), torch.tensor([40, 1107, 588, 11311])
    inputs, targets = rows_to_batch([every, really])
    assert inputs.tolist() == [[16833, 3626, 6100], [40, 1107, 588]]
    assert targets.tolist() == [[3626, 6100, 345], [1107, 588, 11311]]
    assert inputs.dtype == targets.dtype == torch.int64


def test_a_row_with_nothing_to_predict_is_refused_by_its_number() -> None:
    with pytest.raises(ValueError, match="Row 2 has 1 token: give it at least 2"):
        rows_to_batch([torch.tensor([1, 2]), torch.tensor([3])])
