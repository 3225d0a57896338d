"""Runs that begin with weights instead of random ones."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gpt_core.analysis import differing_settings, is_comparable
from gpt_core.cli import main
from gpt_core.export import export_runs, import_recording, weights_zip
from gpt_core.model import build_model, transpose_weights
from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import CheckpointKind, Run, RunStore
from gpt_core.text import load_text
from gpt_core.weights import (
    INITIAL_STEP,
    InitialWeights,
    export_gpt2,
    load_weights,
    save_weights,
    weights_sha256,
)
from gpt_core.weights import initial_weights as initial_module
from tests.conftest import TINY, TINY_TRAINING
from tests.support.notebooks import run_notebook

PRESET = Preset("tiny", "Two layers.", TINY, TINY_TRAINING)
ONE_EPOCH = replace(TINY_TRAINING, num_epochs=1)
TEXT = load_text("counting")


def losses(store: RunStore, run_id: str) -> list[float]:
    return [row.loss for row in store.steps(run_id)]


def finish(runner: TrainingRunner, run_id: str, **options: object) -> str:
    run_id = runner.start(PRESET, TEXT, ONE_EPOCH, run_id=run_id, **options, actor="local")
    assert runner.wait(run_id, 60)
    return run_id


@pytest.mark.slow
def test_a_run_from_its_own_seeds_weights_gives_the_losses_of_a_run_from_that_seed(
    store: RunStore, runner: TrainingRunner
) -> None:
    # Shuffling and dropout draw what they drew, though the weights come from elsewhere.
    seeds = InitialWeights("the seed's", build_model(TINY, TINY_TRAINING.seed))
    others = InitialWeights("another seed's", build_model(TINY, TINY_TRAINING.seed + 1))
    expected = losses(store, finish(runner, "plain"))
    assert losses(store, finish(runner, "same", initial=seeds)) == expected
    assert losses(store, finish(runner, "other", initial=others)) != expected


def test_a_run_says_what_it_began_with_and_keeps_it(
    store: RunStore, runner: TrainingRunner
) -> None:
    model = build_model(TINY, seed=7)
    before = weights_sha256(model)
    run = store.run(finish(runner, "run", initial=InitialWeights("Seven", model)))
    assert run is not None
    assert (run.initial_name, run.initial_sha256) == ("Seven", before)
    assert weights_sha256(model) == before  # it was copied
    [kept] = [row for row in store.checkpoints("run") if row.kind is CheckpointKind.INITIAL]
    assert kept.global_step == INITIAL_STEP
    assert weights_sha256(load_weights(store.runs_dir / kept.folder)) == before
    assert not is_comparable(run)  # the book's log is of random weights
    plain = store.run(finish(runner, "plain"))
    assert plain is not None
    assert (plain.initial_name, plain.initial_sha256) == ("", "")


@pytest.mark.slow
def test_a_queued_run_that_was_interrupted_begins_with_its_weights_when_resumed(
    store: RunStore,
) -> None:
    initial = InitialWeights("Seven", build_model(TINY, seed=7))
    first = TrainingRunner(store, threads=1)
    expected = losses(store, finish(first, "whole", initial=initial))
    first.start(PRESET, TEXT, replace(ONE_EPOCH, num_epochs=40), run_id="ahead", actor="local")
    first.start(PRESET, TEXT, ONE_EPOCH, run_id="waiting", initial=initial, actor="local")
    first.close()
    second = TrainingRunner(store, threads=1)
    second.resume("waiting", actor="local")
    assert second.wait("waiting", 60)
    second.close()
    assert losses(store, "waiting") == expected


def test_a_double_click_starts_one_run_and_other_weights_another(runner: TrainingRunner) -> None:
    long = replace(TINY_TRAINING, num_epochs=500)

    def start(seed: int) -> str:
        initial = InitialWeights("A name", build_model(TINY, seed))
        return runner.start(PRESET, TEXT, long, initial=initial, actor="local")

    first = start(1)
    assert start(1) == first
    assert start(2) != first


@pytest.mark.slow
def test_turned_weights_are_the_same_weights(store: RunStore, runner: TrainingRunner) -> None:
    plain, turned = build_model(TINY, seed=7), build_model(TINY, seed=7)
    transpose_weights(turned)
    assert weights_sha256(turned) == weights_sha256(plain)
    finish(runner, "plain", initial=InitialWeights("Plain", plain))
    finish(runner, "turned", initial=InitialWeights("Turned", turned))
    assert losses(store, "plain") == losses(store, "turned")


def test_a_shorter_context_has_the_first_positions() -> None:
    model = build_model(TINY, seed=7)
    short = replace(TINY, context_length=8, drop_rate=0.0)
    fitted = InitialWeights("Seven", model).fitted(short)
    assert fitted.config == short
    ids = torch.arange(8)[None]
    assert torch.equal(fitted(ids), model(ids))
    assert InitialWeights("Seven", model).config(short) == short
    assert InitialWeights("Seven", fitted).config(TINY).context_length == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"emb_dim": 64}, "emb_dim=64 does not fit the weights of Seven, which have 16"),
        ({"n_layers": 3}, "n_layers=3 does not fit"),
        ({"qkv_bias": True}, "qkv_bias=True does not fit"),
        ({"context_length": 999}, "context_length=999 is more than the 32 of Seven"),
    ],
)
def test_weights_of_another_model_are_refused(
    runner: TrainingRunner, store: RunStore, change: dict, message: str
) -> None:
    preset = replace(PRESET, model=replace(TINY, **change))
    with pytest.raises(ValueError, match=message):
        runner.start(
            preset, TEXT, initial=InitialWeights("Seven", build_model(TINY, seed=7)), actor="local"
        )
    assert store.runs() == []


def test_a_full_disk_leaves_a_failed_run_and_says_so(
    runner: TrainingRunner, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(initial_module, "save_weights", refuse)
    with pytest.raises(ValueError, match="The run was not started"):
        runner.start(
            PRESET, TEXT, initial=InitialWeights("Seven", build_model(TINY, seed=7)), actor="local"
        )
    [run] = store.runs()
    assert run.state == "failed"
    with pytest.raises(ValueError, match="The run's initial weights were deleted"):
        raise_what_resuming_says(runner, store, run.id)


def raise_what_resuming_says(runner: TrainingRunner, store: RunStore, run_id: str) -> None:
    runner.resume(run_id, actor="local")
    assert runner.wait(run_id, 60)
    run = store.run(run_id)
    assert run is not None
    raise ValueError(run.message)


# Taken away, and begun again


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunStore]:
    """A store with a run that began with weights, named so that they could harm."""
    store = RunStore(tmp_path_factory.mktemp("begun"))
    runner = TrainingRunner(store, threads=1)
    initial = InitialWeights('Seven"\n$x$ </script>', build_model(TINY, seed=7))
    config = replace(ONE_EPOCH, probes=())
    runner.start(PRESET, TEXT, config, run_id="begun", initial=initial, actor="local")
    assert runner.wait("begun", 60)
    runner.close()
    yield store
    store.close()


def only_run(store: RunStore) -> Run:
    [run] = store.runs()
    return run


def test_the_settings_name_the_weights_and_the_terminal_wants_just_those(
    begun: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = only_run(begun)
    settings = tmp_path / "settings.json"
    settings.write_bytes(export_runs(begun, [run], "settings", actor="local")[1])
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    save_weights(right, build_model(TINY, seed=7))
    export_gpt2(build_model(replace(TINY, qkv_bias=True), seed=7), wrong)
    command = ["train", "--settings", str(settings), "--runs-dir", str(tmp_path / "runs")]
    for weights, message in (
        ([], "These settings need initial weights: give their file with --weights"),
        (["--weights", str(wrong)], "qkv_bias=False does not fit the weights of wrong"),
        (["--weights", str(tmp_path / "no")], "there is no such file or folder"),
    ):
        assert main([*command, *weights]) == 2
        assert message in capsys.readouterr().err
    save_weights(wrong, build_model(TINY, seed=8))
    assert main([*command, "--weights", str(wrong)]) == 2
    assert "The weights of wrong are not those of these settings" in capsys.readouterr().err
    assert main([*command, "--weights", str(right), "--n-layers", "3"]) == 2
    assert "n_layers=3 does not fit the weights of right" in capsys.readouterr().err
    assert main([*command, "--weights", str(right)]) == 0
    with closing(RunStore(tmp_path / "runs")) as store:
        again = only_run(store)
        assert (again.initial_name, again.initial_sha256) == ("right", run.initial_sha256)
        # By another number of threads: sums are rounded differently.
        assert losses(store, again.id) == pytest.approx(losses(begun, run.id), rel=1e-4)


@pytest.mark.slow
def test_options_may_shorten_the_context_and_say_how_many_heads_a_books_file_has(
    begun: RunStore, tmp_path: Path
) -> None:
    settings, right, book = tmp_path / "settings.json", tmp_path / "right", tmp_path / "book.pth"
    data = export_runs(begun, [only_run(begun)], "settings", actor="local")[1]
    settings.write_bytes(data)
    save_weights(right, build_model(TINY, seed=7))
    torch.save(build_model(replace(TINY, n_heads=4), seed=7).state_dict(), book)
    for number, arguments in enumerate(
        (
            ("--settings", str(settings), "--weights", str(right), "--context-length", "16"),
            ("--text", "counting", "--weights", str(book), "--n-heads", "4", "--epochs", "1"),
        )
    ):
        runs_dir = tmp_path / f"runs-{number}"
        assert main(["train", *arguments, "--runs-dir", str(runs_dir)]) == 0
        with closing(RunStore(runs_dir)) as store:
            model = only_run(store).model_config
            assert (model.context_length, model.n_heads) == ((16, 2), (32, 4))[number]


def test_a_recording_tells_what_the_run_began_with(begun: RunStore, tmp_path: Path) -> None:
    run = only_run(begun)
    with closing(RunStore(tmp_path)) as other:
        import_recording(other, export_runs(begun, [run], "record", actor="local")[1].decode())
        assert only_run(other).initial_sha256 == run.initial_sha256


@pytest.mark.whole_run
@pytest.mark.slow
def test_the_notebook_asks_for_the_weights_and_repeats_the_run_with_them(
    begun: RunStore, tmp_path: Path
) -> None:
    data = export_runs(begun, [only_run(begun)], "notebook", actor="local")[1]
    assert b"download the checkpoint from the Weights page" in data  # if it is missing
    [row] = [row for row in begun.checkpoints("begun") if row.kind is CheckpointKind.INITIAL]
    (tmp_path / "begun-initial-ours.zip").write_bytes(
        weights_zip(begun, row, "ours", actor="local")
    )
    printed = "".join(run_notebook(data, tmp_path).values())
    assert "Largest difference from the recorded run: 0\n" in printed


def test_the_same_weights_by_two_names_are_no_difference_between_runs(begun: RunStore) -> None:
    run = only_run(begun)
    renamed = replace(run, initial_name="as it began")
    other = replace(run, initial_sha256="0" * 64)
    assert "begins with" not in differing_settings([run, renamed])
    assert differing_settings([run, other])["initial_sha256"]
    plain = replace(run, initial_name="", initial_sha256="")
    assert differing_settings([renamed, plain])["begins with"] == ["as it began", "random weights"]
