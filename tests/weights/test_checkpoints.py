import json
from dataclasses import replace
from pathlib import Path

import pytest
import tiktoken
import torch

from gpt_core.model import GPTModel, build_model, count_parameters
from gpt_core.records import StepRecord
from gpt_core.text import load_text
from gpt_core.training import TrainingState, create_optimizer, prepare_data, train
from gpt_core.weights import (
    load_checkpoint,
    load_weights,
    max_checkpoint_bytes,
    remove,
    save_checkpoint,
    save_weights,
)
from tests.conftest import TINY, TINY_TRAINING

CONFIG = replace(TINY_TRAINING, num_epochs=3)


@pytest.mark.parametrize(
    "steps",
    [
        17,
        *(pytest.param(steps, marks=pytest.mark.slow) for steps in (18, 36)),
        *(
            pytest.param(steps, marks=[pytest.mark.slow, pytest.mark.whole_run])
            for steps in (1, 4, 19)
        ),
    ],
)
def test_a_checkpoint_between_any_two_steps_goes_on_bit_by_bit(
    steps: int, tmp_path: Path, tokenizer: tiktoken.Encoding
) -> None:
    """Before and after evaluations (every 5 steps) and ends of epochs (every 18 steps)."""
    data = prepare_data(load_text("counting").text, tokenizer, TINY, CONFIG)
    assert len(data.train_loader) == 18
    loaders = (data.train_loader, data.val_loader)
    torch.manual_seed(CONFIG.seed)
    model = GPTModel(TINY)
    optimizer, state = create_optimizer(model, CONFIG), TrainingState()
    whole, saved_at = [], None
    for record in train(model, *loaders, optimizer, tokenizer, CONFIG, state):
        whole.append(record)
        if saved_at is None and state.global_step >= steps - 1 and state.between_steps:
            save_checkpoint(tmp_path / "c", model, optimizer, state)
            saved_at = len(whole)

    torch.manual_seed(999)
    other = GPTModel(TINY)
    other_optimizer = create_optimizer(other, CONFIG)
    loaded = load_checkpoint(tmp_path / "c", other, other_optimizer)
    rest = list(train(other, *loaders, other_optimizer, tokenizer, CONFIG, loaded))
    assert rest == whole[saved_at:]
    assert any(isinstance(record, StepRecord) for record in rest)


def test_weights_come_back_bit_by_bit_and_draw_nothing(tmp_path: Path) -> None:
    model = build_model(TINY, seed=3)
    written = save_weights(tmp_path / "w", model)
    assert written >= 4 * count_parameters(model)
    state = torch.get_rng_state()
    loaded = load_weights(tmp_path / "w")
    assert torch.equal(torch.get_rng_state(), state)
    assert not loaded.training
    assert loaded.config == TINY
    for (name, ours), theirs in zip(loaded.named_parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs), name


def test_a_checkpoint_is_whole_or_absent_when_writing_fails(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("in the way")
    with pytest.raises(OSError, match=r".+"):
        save_weights(tmp_path / "c" / "inside", build_model(TINY, seed=1))
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_what_a_killed_process_left_half_written_is_replaced(tmp_path: Path) -> None:
    half = tmp_path / ".c.part"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    save_weights(tmp_path / "c", build_model(TINY, seed=1))
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
    remove(tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def damage(folder: Path, how: str) -> None:
    weights = folder / "model.safetensors"
    if how == "no weights":
        weights.unlink()
    elif how == "cut off":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif how == "a header that claims 10 GB":
        weights.write_bytes((10 * 2**30).to_bytes(8, "little") + weights.read_bytes()[8:])
    elif how == "no JSON":
        (folder / "state.json").write_text("{")
    elif how == "another shape":
        facts = json.loads((folder / "state.json").read_text())
        facts["model"]["emb_dim"] = 64
        (folder / "state.json").write_text(json.dumps(facts))
    elif how == "a shape that is none":
        (folder / "state.json").write_text('{"model": {"emb_dim": -1}}')


@pytest.mark.parametrize(
    "how",
    [
        "no weights",
        "cut off",
        "a header that claims 10 GB",
        "no JSON",
        "another shape",
        "a shape that is none",
    ],
)
def test_a_damaged_checkpoint_is_one_clear_error(how: str, tmp_path: Path) -> None:
    save_weights(tmp_path / "c", build_model(TINY, seed=1))
    damage(tmp_path / "c", how)
    with pytest.raises(ValueError, match=r"checkpoint .* cannot be read"):
        load_weights(tmp_path / "c")


def test_the_disk_space_of_a_run_is_known_before_it_starts() -> None:
    parameters = count_parameters(build_model(TINY, seed=1))
    assert max_checkpoint_bytes(TINY, keep_epochs=0) == parameters * (24 + 8)
    assert (
        max_checkpoint_bytes(TINY, keep_epochs=3) - max_checkpoint_bytes(TINY, keep_epochs=2)
        == 4 * parameters
    )
