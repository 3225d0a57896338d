"""Each form in which a run leaves, opened in what it is for."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nbclient
import nbformat
import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.hparams import plugin_data_pb2

from gpt_core.cli import main
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.export import EXPORTS, export_runs, import_recording, read_settings
from gpt_core.export import notebook as notebook_module
from gpt_core.library import TextLibrary, label_run
from gpt_core.presets import PRESETS, Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import Run, RunStore
from gpt_core.text import Corpus, load_text
from tests.conftest import TINY, TINY_TRAINING
from tests.support.notebooks import run_notebook

HOSTILE = "a \"name\" & </script> \\ ''' # $x$"
OWN_TEXT = Corpus(HOSTILE, "Line one, with “quotes”.\r\nThen \\n and \u2028 and '''.\n" * 60)
PRESET = Preset("pocket", "Two layers.", TINY, TINY_TRAINING)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunStore]:
    """Two finished runs, and one of which nothing is on record yet."""
    store = RunStore(tmp_path_factory.mktemp("runs"))
    runner = TrainingRunner(store, threads=1)
    for run_id, config in (
        ("first", TINY_TRAINING),
        ("second", replace(TINY_TRAINING, learning_rate=1e-3, max_grad_norm=1.0)),
    ):
        runner.start(PRESET, OWN_TEXT, config, run_id=run_id, actor="local")
        assert runner.wait(run_id, 60)
    runner.close()
    train = replace(TINY_TRAINING, num_epochs=3)
    store.add_run(
        "empty", "ada", "pocket", TINY, train, HOSTILE, OWN_TEXT.sha256, 9, 9, 30, {"torch": "x"}
    )
    label_run(store, "first", HOSTILE, "a note", actor="local")
    yield store
    store.close()


def find(store: RunStore, run_id: str) -> Run:
    run = store.run(run_id)
    assert run is not None
    return run


def export(store: RunStore, form: str, *run_ids: str) -> tuple[str, bytes]:
    return export_runs(store, [find(store, run_id) for run_id in run_ids], form, actor="local")


def in_zip(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_pandas_reads_from_the_csv_what_was_measured_to_the_last_digit(store: RunStore) -> None:
    name, data = export(store, "csv", "first")
    assert name == "first.csv"
    frame = pd.read_csv(io.BytesIO(data))
    steps, evaluations = store.steps("first"), store.evaluations("first")
    for column in ("global_step", "epoch", "tokens_seen", "seconds", "loss", "grad_norm",
                   "learning_rate", "memory"):  # fmt: skip
        assert frame[column].tolist() == [getattr(row, column) for row in steps]
    evaluated = frame.dropna(subset=["val_loss"])
    assert evaluated["global_step"].tolist() == [row.global_step for row in evaluations]
    for column in ("train_loss", "val_loss", "train_bits_per_byte", "val_bits_per_byte",
                   "train_accuracy", "val_accuracy"):  # fmt: skip
        assert evaluated[column].tolist() == [getattr(row, column) for row in evaluations]
    assert evaluated["evaluation_seconds"].tolist() == [row.seconds for row in evaluations]


def test_the_parquet_is_the_same_table_with_types(store: RunStore) -> None:
    frame = pd.read_parquet(io.BytesIO(export(store, "parquet", "first")[1]))
    csv = pd.read_csv(io.BytesIO(export(store, "csv", "first")[1]))
    pd.testing.assert_frame_equal(frame, csv)
    assert {"int64", "float64"} == {str(kind) for kind in frame.dtypes}


@pytest.mark.parametrize("form", EXPORTS)
def test_a_run_without_a_step_leaves_in_every_form(form: str, store: RunStore) -> None:
    name, data = export(store, form, "empty")
    assert name
    assert data
    if form in ("csv", "parquet"):
        read = pd.read_csv if form == "csv" else pd.read_parquet
        assert list(read(io.BytesIO(data)).columns)[:2] == ["global_step", "epoch"]


def test_the_settings_are_read_back_as_they_were(store: RunStore) -> None:
    name, data = export(store, "settings", "second")
    assert name == "second.settings.json"
    run, (read, sha256, initial) = find(store, "second"), read_settings(data)
    assert (read.model, read.training) == (run.model_config, run.training_config)
    assert (sha256, initial) == (OWN_TEXT.sha256, "")
    assert json.loads(export(store, "settings", "first")[1])["name"] == " ".join(HOSTILE.split())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "These are not the settings of a run: the file is not JSON"),
        (b"\xff\xfe\x00", "These are not the settings of a run: the file is not JSON"),
        (b"[1, 2]", "they need model, training and text"),
        (b'{"model": {}, "text": {}}', "they need model, training and text"),
        (b'{"model": {"n_layers": 0}, "training": {}, "text": {}}', "n_layers=0 is too small"),
        (b'{"model": {"colour": 1}, "training": {}, "text": {}}', "model has no setting 'colour'"),
        (b'{"model": {"qkv_bias": "no"}, "training": {}, "text": {}}', "neither true nor false"),
        (b'{"model": {}, "training": {"probes": "abc"}, "text": {}}', "probes='abc' is not a list"),
    ],
)
def test_settings_that_are_none_are_refused_in_words(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_settings(data)


def test_the_record_is_a_run_in_another_store(store: RunStore, tmp_path: Path) -> None:
    other = RunStore(tmp_path)
    import_recording(other, export(store, "record", "first")[1].decode())
    assert other.run("first") == find(store, "first")  # with its name and note
    other.close()


def test_the_text_leaves_byte_for_byte_under_a_harmless_name(store: RunStore) -> None:
    name, data = export(store, "text", "first")
    assert name == "a-name-script-x.txt"
    assert data == OWN_TEXT.text.encode()


def test_several_runs_leave_in_one_zip(store: RunStore) -> None:
    name, data = export(store, "csv", "first", "second")
    assert name == "runs.csv.zip"
    files = in_zip(data)
    assert list(files) == ["first.csv", "second.csv"]
    assert files["second.csv"] == export(store, "csv", "second")[1]
    texts = in_zip(export(store, "text", "first", "second")[1])
    assert list(texts) == ["first/a-name-script-x.txt", "second/a-name-script-x.txt"]


# TensorBoard


def test_tensorboard_reads_every_number_at_its_step_and_time(
    store: RunStore, tmp_path: Path
) -> None:
    for name, content in in_zip(export(store, "tensorboard", "first")[1]).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    reader = EventAccumulator(str(tmp_path / "first"), {"scalars": 0, "tensors": 0})
    reader.Reload()
    created = find(store, "first").created_at
    for tag, rows, column in (
        ("loss/training", store.evaluations("first"), "train_loss"),
        ("loss/validation", store.evaluations("first"), "val_loss"),
        ("loss/each_batch", store.steps("first"), "loss"),
        ("optimizer/grad_norm", store.steps("first"), "grad_norm"),
        ("optimizer/learning_rate", store.steps("first"), "learning_rate"),
        ("progress/tokens_seen", store.steps("first"), "tokens_seen"),
    ):
        scalars = reader.Scalars(tag)
        assert [scalar.step for scalar in scalars] == [row.global_step for row in rows]
        assert [np.float32(s.value) for s in scalars] == [
            np.float32(getattr(row, column)) for row in rows
        ]
        times = [scalar.wall_time - created for scalar in scalars]
        assert times == pytest.approx([row.seconds for row in rows], abs=1e-5)
    samples = reader.Tensors("sample/text_summary")
    shown = [sample.tensor_proto.string_val[0].decode() for sample in samples]
    for text, row in zip(shown, store.samples("first"), strict=True):
        assert text.startswith("    ")  # as code, so that it is no markup
        assert text.replace("    ", "") == "\n".join(row.text.splitlines()).replace("    ", "")


def test_tensorboard_lays_runs_side_by_side_with_their_settings(
    store: RunStore, tmp_path: Path
) -> None:
    name, data = export(store, "tensorboard", "first", "second")
    assert name == "runs.tensorboard.zip"
    for path, content in in_zip(data).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    reader = EventMultiplexer()
    reader.AddRunsFromDirectory(str(tmp_path))
    reader.Reload()
    assert sorted(reader.Runs()) == ["first", "second"]
    rates = {}
    for run_id in reader.Runs():
        metadata = reader.SummaryMetadata(run_id, "_hparams_/session_start_info")
        content = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
        rates[run_id] = content.session_start_info.hparams["learning_rate"].number_value
    assert rates == {"first": 4e-4, "second": 1e-3}


@pytest.mark.parametrize("run_id", ["first", "empty"])
def test_the_notebook_is_valid_and_no_user_text_is_markup_in_it(
    run_id: str, store: RunStore
) -> None:
    notebook = nbformat.reads(export(store, "notebook", run_id)[1].decode(), as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert "</script>" not in cell.source
        else:
            compile(cell.source, "cell", "exec")


def test_the_notebooks_settings_and_text_are_the_runs(store: RunStore) -> None:
    notebook = nbformat.reads(export(store, "notebook", "second")[1].decode(), as_version=4)
    names = {"GPTConfig": GPTConfig, "TrainingConfig": TrainingConfig, "Corpus": Corpus}
    for cell in notebook.cells:
        if cell.source.startswith(("model_config", "training_config", "TEXT")):
            exec(cell.source, names)
    run = find(store, "second")
    assert names["model_config"] == run.model_config
    assert names["training_config"] == run.training_config
    assert names["corpus"] == OWN_TEXT


@pytest.mark.whole_run
@pytest.mark.slow
def test_the_notebook_repeats_a_pocket_run_with_the_same_losses(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    runner = TrainingRunner(store, threads=2)
    pocket = PRESETS["pocket"]
    config = replace(pocket.training, num_epochs=2)
    runner.start(pocket, load_text("counting"), config, run_id="pocket", actor="local")
    assert runner.wait("pocket", 120)
    runner.close()
    printed = run_notebook(export(store, "notebook", "pocket")[1], tmp_path)
    store_lines = [
        f"Ep {row.epoch} (Step {row.global_step:06d}): "
        f"Train loss {row.train_loss:.3f}, Val loss {row.val_loss:.3f}"
        for row in store.evaluations("pocket")
    ]
    training = next(text for source, text in printed.items() if "in records" in source)
    assert [line for line in training.splitlines() if line.startswith("Ep ")] == store_lines
    comparison = next(text for source, text in printed.items() if source.startswith("recorded"))
    assert comparison == "Largest difference from the recorded run: 0\n"
    store.close()


@pytest.mark.whole_run
@pytest.mark.slow
def test_the_notebook_of_a_long_text_takes_it_from_beside(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook_module, "MAX_INLINE_CHARACTERS", len(OWN_TEXT.text) - 1)
    data = export(store, "notebook", "second")[1]
    with pytest.raises(nbclient.exceptions.CellExecutionError, match=r"a-name.*txt is missing"):
        run_notebook(data, tmp_path)
    name, content = export(store, "text", "second")
    (tmp_path / name).write_bytes(content)
    printed = "".join(run_notebook(data, tmp_path).values())
    assert "Largest difference from the recorded run: 0\n" in printed


# From the terminal


def test_the_terminal_writes_files_and_folders(
    store: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("export", "first", "--runs-dir", str(store.runs_dir))
    assert main([*common, "--format", "parquet", "--to", str(tmp_path)]) == 0
    assert len(pd.read_parquet(tmp_path / "first.parquet")) == len(store.steps("first"))
    assert main([*common, "--format", "tensorboard", "--to", str(tmp_path / "board")]) == 0
    assert f"tensorboard --logdir {tmp_path / 'board'}" in capsys.readouterr().err
    reader = EventMultiplexer()
    reader.AddRunsFromDirectory(str(tmp_path / "board"))
    reader.Reload()
    assert list(reader.Runs()) == ["first"]
    assert main([*common, "--to", str(tmp_path / "missing" / "x.csv")]) == 2
    assert "The export was not written" in capsys.readouterr().err


@pytest.mark.slow
def test_the_terminal_trains_with_a_runs_settings_on_its_text(
    store: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(export(store, "settings", "second")[1])
    arguments = ("train", "--epochs", "1", "--run-id", "again", "--settings", str(file))
    runs_dir = ("--runs-dir", str(tmp_path))
    assert main([*arguments, *runs_dir]) == 2  # its text is not here, and no other is taken for it
    assert "The text of these settings was not found" in capsys.readouterr().err
    other = RunStore(tmp_path)
    TextLibrary(other, actor="local").keep(OWN_TEXT, "upload")
    import_recording(other, export(store, "record", "second")[1].decode())
    assert main([*arguments, *runs_dir]) == 0
    run = find(other, "again")
    assert (run.model_config, run.text_sha256) == (TINY, OWN_TEXT.sha256)
    assert (run.training_config.learning_rate, run.training_config.num_epochs) == (1e-3, 1)
    other.close()


def test_a_settings_file_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--settings", str(tmp_path / "none.json")]) == 2
    assert "none.json cannot be read: No such file" in capsys.readouterr().err
