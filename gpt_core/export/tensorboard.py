"""A run as a TensorBoard event file, in a folder named after the run's ID."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gpt_core.config import as_settings
from gpt_core.store import Run, RunStore, StoredRecord

if TYPE_CHECKING:
    from tensorboardX.proto.event_pb2 import Event

STEP_TAGS = {
    "loss": "loss/each_batch",
    "grad_norm": "optimizer/grad_norm",
    "learning_rate": "optimizer/learning_rate",
    "tokens_seen": "progress/tokens_seen",
    "memory": "progress/memory_bytes",
}
EVALUATION_TAGS = {"train_loss": "loss/training", "val_loss": "loss/validation"}
MEASURE_TAGS = {  # of evaluations, too; missing in older runs
    "train_bits_per_byte": "bits_per_byte/training",
    "val_bits_per_byte": "bits_per_byte/validation",
    "train_accuracy": "accuracy/training",
    "val_accuracy": "accuracy/validation",
    "exact_match": "accuracy/exact_match",
}


def write_event_file(store: RunStore, run: Run, logdir: Path) -> Path:
    """Write a run's numbers, samples and settings below ``logdir``; return the file's path.

    ``tensorboard --logdir`` shows all runs below one ``logdir`` together. An existing file is
    replaced.

    Raises:
        OSError: the folder cannot be written to.
    """
    # Imported here: the import takes a second and is rarely needed.
    from tensorboardX.record_writer import RecordWriter

    folder = logdir / run.id
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.{run.created_at:.0f}.gpt-lab"
    path.unlink(missing_ok=True)
    file = RecordWriter(str(path))
    try:
        for event in _events(store, run):
            file.write(event.SerializeToString())
    finally:
        file.close()
    return path


def _events(store: RunStore, run: Run) -> "Iterator[Event]":
    """Yield a run's TensorBoard events, with the times at which they happened."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary
    from tensorboardX.summary import hparams, text

    yield Event(wall_time=run.created_at, file_version="brain.Event:2")
    settings = as_settings(run.model_config) | as_settings(run.training_config)
    settings["text"] = run.text_name
    settings["probes"] = " | ".join(run.training_config.probes)
    for summary in hparams(settings, dict.fromkeys(EVALUATION_TAGS.values(), 0.0)):
        yield Event(wall_time=run.created_at, summary=summary)

    records = store.records_since(run.id, ("steps", "evaluations", "samples"), {})

    def event(record: StoredRecord, summary: Summary) -> Event:
        when = run.created_at + record.seconds
        return Event(wall_time=when, step=record.global_step, summary=summary)

    curves: tuple[tuple[Sequence[StoredRecord], dict[str, str]], ...] = (
        (records.steps, STEP_TAGS),
        (records.evaluations, EVALUATION_TAGS | MEASURE_TAGS),
    )
    for recorded, tags in curves:
        for record in recorded:
            values = [
                Summary.Value(tag=tag, simple_value=getattr(record, name))
                for name, tag in tags.items()
                if getattr(record, name) is not None
            ]
            yield event(record, Summary(value=values))
    for sample in records.samples:
        yield event(sample, text("sample", _as_code(sample.text.splitlines())))


def _as_code(lines: Iterable[str]) -> str:
    """Return lines as an indented Markdown code block, which TensorBoard shows verbatim."""
    return "\n".join(f"    {line}" for line in lines)
