"""A run as TensorBoard reads it: one event file, in a folder of the run's name."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt_core.store import Run, RunStore

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


def write_event_file(store: RunStore, run: Run, logdir: Path) -> Path:
    """Write a run's numbers, samples and settings below ``logdir``; return the file's path.

    Several runs below one ``logdir`` are laid over each other: ``tensorboard --logdir``. A file
    that is there already is written anew.

    Raises:
        OSError: the folder cannot be written to.
    """
    # Imported here: it takes a second, and few ask for it.
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
    """Yield all that TensorBoard is told of a run, at the times when it happened."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary
    from tensorboardX.summary import hparams, text

    yield Event(wall_time=run.created_at, file_version="brain.Event:2")
    settings = {**asdict(run.model_config), **asdict(run.training_config), "text": run.text_name}
    settings["probes"] = " | ".join(run.training_config.probes)
    for summary in hparams(settings, dict.fromkeys(EVALUATION_TAGS.values(), 0.0)):
        yield Event(wall_time=run.created_at, summary=summary)

    news = store.news(run.id, ("steps", "evaluations", "samples"), {})

    def event(row: dict[str, Any], summary: Summary) -> Event:
        when = run.created_at + row["seconds"]
        return Event(wall_time=when, step=row["global_step"], summary=summary)

    for rows, tags in ((news["steps"], STEP_TAGS), (news["evaluations"], EVALUATION_TAGS)):
        for row in rows:
            values = [Summary.Value(tag=tag, simple_value=row[n]) for n, tag in tags.items()]
            yield event(row, Summary(value=values))
    for row in news["samples"]:
        yield event(row, text("sample", _as_code(row["text"].splitlines())))


def _as_code(lines: Iterable[str]) -> str:
    """Return lines indented, as TensorBoard's markdown takes text that is no markup."""
    return "\n".join(f"    {line}" for line in lines)
