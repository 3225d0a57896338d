"""Each setting of the form is an option of the terminal, with its help and its checks."""

import argparse
import subprocess
import sys
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from gpt_core.cli import create_parser, main
from gpt_core.cli.options import BY_HAND, GROUPS, chosen_settings
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.export import EXPORTS
from gpt_core.store import RunStore
from tests.support.paths import ROOT
from tests.support.stored_runs import add_run

CONFIGS = (GPTConfig, TrainingConfig)


def parse(*arguments: str) -> argparse.Namespace:
    return create_parser("gpt-lab")[0].parse_args(["train", *arguments])


def train_help(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        parse("--help")
    return " ".join(capsys.readouterr().out.split())


def test_every_field_of_both_configurations_is_an_option_with_its_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = train_help(capsys)
    for config in CONFIGS:
        for field in fields(config):
            if field.name not in BY_HAND:
                assert f"--{field.name.replace('_', '-')}" in shown
                text = field.metadata["help"].replace("; empty:", "; none:")  # as one types it
                assert " ".join(text.split()) in shown
    assert all(f"{title}:" in shown for title in GROUPS.values())
    assert {f.metadata["group"] for config in CONFIGS for f in fields(config)} == set(GROUPS)


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (("--n-layers", "4", "--learning-rate", "1e-3"), {"n_layers": 4, "learning_rate": 1e-3}),
        (("--epochs", "3"), {"num_epochs": 3}),
        (("--num-epochs", "3"), {"num_epochs": 3}),
        (("--stride", "none", "--max-grad-norm", "None"), {"stride": None, "max_grad_norm": None}),
        (("--stride", "8", "--max-grad-norm", "0.5"), {"stride": 8, "max_grad_norm": 0.5}),
        (("--qkv-bias", "--no-end-of-text"), {"qkv_bias": True, "end_of_text": False}),
        (("--schedule", "cosine", "--device", "auto"), {"schedule": "cosine", "device": "auto"}),
        (("--start-context", "Once upon"), {"start_context": "Once upon"}),
        ((), {}),
    ],
)
def test_what_is_given_is_chosen_and_nothing_else(
    arguments: tuple[str, ...], settings: dict[str, Any]
) -> None:
    options = parse(*arguments)
    chosen = {**chosen_settings(options, GPTConfig), **chosen_settings(options, TrainingConfig)}
    assert chosen == settings


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--n-layers", "0"), "n_layers=0 is too small"),
        (("--learning-rate", "2"), "learning_rate=2.0 is out of range"),
        (("--emb-dim", "130", "--n-heads", "4"), "not divisible by n_heads=4"),
        (("--warmup-steps", "-1"), "warmup_steps=-1 is too small"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(
    arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["train", "--text", "counting", "--runs-dir", str(tmp_path / "runs"), *arguments])
    assert code == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--n-layers", "four"), "argument --n-layers: invalid int value: 'four'"),
        (("--stride", "far"), "argument --stride: invalid int or none value: 'far'"),
        (("--schedule", "linear"), "argument --schedule: invalid choice: 'linear'"),
        (("--n-layer", "4"), "unrecognized arguments: --n-layer 4"),
    ],
)
def test_what_is_no_value_of_an_option_is_refused_by_its_name(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(*arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.slow
def test_the_settings_reach_the_run(tmp_path: Path) -> None:
    sizes = ("--n-layers", "1", "--n-heads", "2", "--emb-dim", "16", "--context-length", "16")
    training = ("--epochs", "1", "--learning-rate", "1e-3", "--accumulation-steps", "2")
    arguments = ("--text", "counting", "--runs-dir", str(tmp_path), "--run-id", "mine")
    assert main(["train", *arguments, *sizes, *training, "--qkv-bias"]) == 0
    with closing(RunStore(tmp_path)) as store:
        run = store.run("mine")
        assert run is not None
        model, config = run.model_config, run.training_config
        assert (model.n_layers, model.emb_dim, model.context_length) == (1, 16, 16)
        assert model.qkv_bias
        assert (config.learning_rate, config.accumulation_steps) == (1e-3, 2)
        assert config.eval_freq == 10  # the preset's


def test_a_vocabulary_of_ones_own_is_trained_from_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = ["--n-layers", "1", "--emb-dim", "16", "--n-heads", "2", "--context-length", "32"]
    command = ["train", "--text", "counting", "--runs-dir", str(tmp_path), "--epochs", "1", *shape]
    own = ["--vocabulary", "bpe", "--vocab-size", "300", "--run-id", "own"]
    assert main([*command, *own]) == 0
    with closing(RunStore(tmp_path)) as store:
        run = store.run("own")
        assert run is not None
        assert (run.training_config.vocabulary, run.model_config.vocab_size) == ("bpe", 300)
        weights = tmp_path / store.checkpoints("own")[-1].folder
    unknown = ["--vocabulary", "characters", "--start-context", "中", "--run-id", "letters"]
    assert main([*command, *unknown]) == 0
    assert "The prompt has 1 character that the vocabulary lacks, “中”" in capsys.readouterr().out
    assert main([*command, "--weights", str(weights), "--run-id", "goes-on"]) == 0  # the same
    with closing(RunStore(tmp_path)) as store:
        first, second = store.run("own"), store.run("goes-on")
        assert first is not None
        assert second is not None
        assert first.vocabulary_sha256 == second.vocabulary_sha256 != ""
    other = [*command, "--weights", str(weights), "--vocabulary", "bytes"]
    assert main(other) == 2
    assert "vocabulary=bytes does not fit the initial weights" in capsys.readouterr().err


def test_a_preset_with_byte_pairs_takes_characters_as_well(tmp_path: Path) -> None:
    shape = ["--n-layers", "1", "--emb-dim", "16", "--n-heads", "2", "--context-length", "32"]
    command = ["train", "--preset", "minute", "--text", "counting", "--runs-dir", str(tmp_path)]
    own = ["--vocabulary", "characters", "--epochs", "1", "--run-id", "letters"]
    assert main([*command, *shape, *own]) == 0
    with closing(RunStore(tmp_path)) as store:
        run = store.run("letters")
        assert run is not None
        assert run.model_config.vocab_size < 100


def test_an_export_that_there_is_not_lists_those_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "a-run", "--format", "xml", "--runs-dir", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert all(form in err for form in EXPORTS)


@pytest.mark.slow
def test_a_reader_that_has_read_enough_ends_the_listing_without_a_traceback(
    tmp_path: Path,
) -> None:
    with closing(RunStore(tmp_path)) as store:
        for number in range(1500):  # more than a pipe holds
            add_run(store, f"run-{number}")
    command = [sys.executable, "-m", "gpt_core", "runs", "--runs-dir", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        assert listing.stdout.readline().startswith(b"RUN")
        listing.stdout.close()
        assert listing.stderr.read() == b""
        assert listing.wait(timeout=60) == 0


@pytest.mark.slow
def test_a_run_whose_output_nothing_reads_any_more_is_saved(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "gpt_core", "train", "--runs-dir", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--run-id", "mine"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as training:
        assert training.stdout is not None
        assert training.stderr is not None
        for line in training.stdout:
            if line.startswith(b"Ep 1"):
                break
        training.stdout.close()
        errors = training.stderr.read().decode()
        assert training.wait(timeout=60) == 130
    assert "python -m gpt_core resume mine" in errors
    assert "Traceback" not in errors
    with closing(RunStore(tmp_path)) as store:
        run = store.run("mine")
        assert run is not None
        assert run.state == "interrupted"
        assert store.checkpoints("mine")


def test_help_comes_at_once_since_nothing_heavy_is_imported_for_it() -> None:
    program = (
        "import sys; from gpt_core.cli import create_parser; create_parser('gpt-lab');"
        "sys.exit(any(name in sys.modules for name in ('torch', 'pyarrow', 'streamlit')))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0
