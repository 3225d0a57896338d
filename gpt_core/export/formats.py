"""The formats in which a run is exported, for use in other tools."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpt_core.access import require_class_member, require_read_access
from gpt_core.export.inside import inside_parquet
from gpt_core.export.metrics import metrics_csv, metrics_parquet
from gpt_core.export.notebook import text_file_name, write_notebook
from gpt_core.export.run_json import write_recording
from gpt_core.export.settings import settings_json
from gpt_core.export.tensorboard import write_event_file
from gpt_core.store import Run, RunStore
from gpt_core.system import shorten


@dataclass(frozen=True)
class Export:
    """One export format of a run."""

    title: str
    opens_in: str  # what it holds and what reads it
    file_name: Callable[[Run], str]
    write: Callable[[RunStore, Run], bytes]
    is_curves: bool = False  # nothing else: allowed for private runs too


def event_files_zip(store: RunStore, runs: Sequence[Run]) -> bytes:
    """Return a ZIP of TensorBoard event files, each in its run's folder."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [write_event_file(store, run, Path(folder)) for run in runs]
        return _zip({str(path.relative_to(folder)): path.read_bytes() for path in paths})


EXPORTS: dict[str, Export] = {
    "csv": Export(
        "Metrics, CSV",
        "One row per step, with the losses of each evaluation: for spreadsheets and pandas.",
        lambda run: f"{run.id}.csv",
        metrics_csv,
        is_curves=True,
    ),
    "parquet": Export(
        "Metrics, Parquet",
        "The same table, smaller and typed: for pandas, Polars and DuckDB.",
        lambda run: f"{run.id}.parquet",
        metrics_parquet,
        is_curves=True,
    ),
    "inside": Export(
        "Inside, Parquet",
        "What was recorded of the model's inside at some evaluations: attention, logit lens, head "
        "scores, and histograms of each part's weights, gradients and updates.",
        lambda run: f"{run.id}.inside.parquet",
        inside_parquet,
    ),
    "notebook": Export(
        "Notebook",
        "Repeats the run with gpt_core in Jupyter and compares the losses. It contains your own "
        "text, unless that is long.",
        lambda run: f"{run.id}.ipynb",
        lambda store, run: write_notebook(store, run).encode(),
    ),
    "tensorboard": Export(
        "TensorBoard",
        "Losses, samples and settings. Unpack it and run: tensorboard --logdir, with that folder.",
        lambda run: f"{run.id}.tensorboard.zip",
        lambda store, run: event_files_zip(store, [run]),
    ),
    "settings": Export(
        "Settings, JSON",
        "The whole configuration. python -m gpt_core train --settings FILE trains with it again.",
        lambda run: f"{run.id}.settings.json",
        settings_json,
    ),
    "record": Export(
        "Everything, JSON",
        "Everything recorded, for your own programs: steps, evaluations, samples, "
        "probabilities, the model's inside; no weights. gpt_core.import_recording reads it.",
        lambda run: f"{run.id}.json",
        lambda store, run: write_recording(store, run).encode(),
    ),
    "text": Export(
        "Text",
        "The run's text, as plain text.",
        text_file_name,
        lambda store, run: store.text(run.text_sha256).encode(),
    ),
}


def export_runs(
    store: RunStore, runs: Sequence[Run], form: str, *, actor: str
) -> tuple[str, bytes]:
    """Return a file's name and content: the export of a run, or a ZIP of several exports.

    Raises:
        PermissionDenied: a run is another student's and private, and the format holds more than
            its curves.
        ValueError: a run's text is missing or damaged, or a run was deleted.
    """
    require_class_member(actor)
    export = EXPORTS[form]
    for run in runs:
        if store.run(run.id) is None:
            raise ValueError(f"Run {shorten(run.id)} no longer exists.")
        if not export.is_curves:
            require_read_access(store, run.id, actor, "export")
    if len(runs) == 1:
        return export.file_name(runs[0]), export.write(store, runs[0])
    if form == "tensorboard":
        return "runs.tensorboard.zip", event_files_zip(store, runs)
    files = {
        f"{run.id}/{export.file_name(run)}" if form == "text" else export.file_name(run):
        export.write(store, run)
        for run in runs
    }  # fmt: skip
    return f"runs.{form}.zip", _zip(files)


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
