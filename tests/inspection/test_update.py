"""A single step, looked at closely: what it measures, and that it changes nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from gpt_core.config import TrainingConfig
from gpt_core.inspection import UpdateInspector
from gpt_core.inspection.update import norms_by_part
from gpt_core.model import build_model, calc_loss_batch
from gpt_core.records import StepRecord
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import load_text
from gpt_core.training import accumulate_gradients, create_optimizer
from tests.conftest import TINY
from tests.support.runs import LONG, wait_for_steps

CONFIG = TrainingConfig(learning_rate=0.01)


def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 50257, (2, 9), generator=generator)
    return [(ids[:, :-1], ids[:, 1:])]


def test_what_is_measured_is_what_the_update_did() -> None:
    model = build_model(TINY, seed=1).train()
    optimizer = create_optimizer(model, CONFIG)
    accumulate_gradients(batches(), model, CONFIG)
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}
    norm = torch.nn.utils.get_total_norm(p.grad for p in model.parameters()).item()
    with torch.no_grad():
        before = calc_loss_batch(*batches()[0], model.eval(), "cpu").item()
    model.train()

    closeup = UpdateInspector(model, optimizer, CONFIG)
    with closeup.around(batches()):
        optimizer.step()
    update = closeup.record(StepRecord(4, 1, 80, before, norm, 0.01))

    with torch.no_grad():
        after = calc_loss_batch(*batches()[0], model.eval(), "cpu").item()
    assert (update.global_step, update.epoch, update.tokens_seen) == (4, 1, 80)
    assert (update.loss_before, update.loss_after) == (before, after)
    assert update.loss_after < update.loss_before
    assert update.learning_rate == 0.01
    parts = dict(update.grad_norms)
    assert list(parts) == [
        *("tok_emb", "pos_emb", "trf_blocks.0", "trf_blocks.1", "final_norm", "out_head")
    ]
    assert sum(norm**2 for norm in parts.values()) ** 0.5 == pytest.approx(norm, rel=1e-5)
    moved = {name: (p.detach() - weights[name]).abs() for name, p in model.named_parameters()}
    largest = max(moved, key=lambda name: moved[name].max().item())
    assert update.largest_change_in == largest
    assert update.largest_change == moved[largest].max().item()
    head = moved["out_head.weight"].norm() / weights["out_head.weight"].norm()
    assert dict(update.changes)["out_head"] == pytest.approx(head.item(), rel=1e-5)


def test_looking_draws_nothing_random_and_leaves_the_model_in_training() -> None:
    model = build_model(TINY, seed=1).train()
    optimizer = create_optimizer(model, CONFIG)
    accumulate_gradients(batches(), model, CONFIG)
    random_state = torch.get_rng_state()
    with UpdateInspector(model, optimizer, CONFIG).around(batches()):
        optimizer.step()
    assert torch.equal(torch.get_rng_state(), random_state)
    assert model.training


def test_parts_are_blocks_and_what_stands_outside_them() -> None:
    one = torch.ones(4)
    tensors = {"trf_blocks.0.norm1.scale": one, "trf_blocks.0.att.W_query.weight": one}
    assert norms_by_part(tensors) == {"trf_blocks.0": pytest.approx(8**0.5)}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    store = RunStore(tmp_path)
    yield store
    store.close()


@pytest.mark.slow
def test_steps_one_by_one_to_the_end_finish_the_run_with_the_same_losses(store: RunStore) -> None:
    short = type(LONG)("short", "", LONG.model, TrainingConfig(num_epochs=1, sample_tokens=5))
    runner = TrainingRunner(store)
    whole = runner.start(short, load_text("counting"), actor="local")
    runner.wait(whole, 60)
    expected = [row.loss for row in store.steps(whole)]

    blocker = runner.start(
        LONG, load_text("counting"), actor="local"
    )  # so that the other can be paused in time
    stepped = runner.start(short, load_text("counting"), actor="local")
    runner.pause(stepped, actor="local").result(timeout=30)
    for _ in expected:
        runner.step(stepped, actor="local").result(timeout=60)
    assert [row.loss for row in store.steps(stepped)] == expected
    updates = store.updates(stepped)
    assert [row.global_step for row in updates] == list(range(len(expected)))
    run = store.run(stepped)
    assert run is not None
    assert run.state == "finished"
    assert store.samples(stepped) != []
    assert len(store.evaluations(stepped)) == len(store.evaluations(whole))
    runner.stop(blocker, actor="local").result(timeout=30)
    runner.close()


def test_only_a_paused_run_takes_single_steps(store: RunStore) -> None:
    runner = TrainingRunner(store)
    run_id = runner.start(LONG, load_text("counting"), actor="local")
    wait_for_steps(store, run_id, 1)
    with pytest.raises(ValueError, match="pause it first"):
        runner.step(run_id, actor="local").result(timeout=30)
    assert "pause it first" in runner.last_error(run_id)
    run = store.run(run_id)
    assert run is not None
    assert run.state == "running"
    runner.close()
