"""A run as one JSON file: its configuration and everything it recorded."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gpt_core.config import GPTConfig, TrainingConfig, as_settings
from gpt_core.store import RUN_ID, Baselines, Run, RunState, RunStore
from gpt_core.system import DATA_DIR, MAX_RECORDING_BYTES, foreign_json, read_json
from gpt_core.text import load_text
from gpt_core.validation import check_whole, shown
from gpt_core.vocabularies import read_vocabulary

FORMAT = 1
TABLES = ("transitions", "steps", "evaluations", "samples", "probes", "updates", "labels", "inside")
NOT_FACTS = (  # of a run: what follows from its rows, or from who reads it
    *("state", "state_at", "state_actor", "message", "name", "note"),
    *("origin", "received_at", "is_redacted"),
)
NEWER_TABLES = ("labels", "inside")  # that older recordings do not have
RECORDED_RUN = "lamp-room-124m"  # bundled: the chapter's model trained on our story
RECORDED_TEXT = "the-lamp-room"


@dataclass(frozen=True)
class RecordedLoss:
    """The losses of one evaluation of the bundled run."""

    global_step: int
    train_loss: float
    val_loss: float


def write_recording(store: RunStore, run: Run) -> str:
    """Return a run's configuration and records as JSON, a row per line, without weights."""
    parts = [f'"format": {FORMAT}', f'"run": {json.dumps(run_facts(run))}']
    if run.vocabulary_sha256:
        parts.append(f'"vocabulary": {json.dumps(store.vocabulary(run.vocabulary_sha256))}')
    for table, rows in store.rows_of(run.id, TABLES).items():
        columns = [name for name in (rows[0] if rows else ()) if name not in ("id", "run_id")]
        lines = ",\n".join(row_json(row, columns) for row in rows)
        parts.append(f'"{table}": {{"columns": {json.dumps(columns)}, "rows": [\n{lines}\n]}}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def run_facts(run: Run) -> dict[str, Any]:
    """Return what is recorded of a run once, when it begins, as values for JSON."""
    return {
        name: as_settings(value)
        if isinstance(value, GPTConfig | TrainingConfig)
        else asdict(value)
        if isinstance(value, Baselines)
        else value
        for name, value in vars(run).items()
        if name not in NOT_FACTS
    }


def row_json(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    """Return some columns of a row of the store as one line of JSON."""
    return json.dumps([row[name] for name in columns], default=_base64)


def _base64(value: bytes) -> str:
    """Return bytes as text, for JSON."""
    return base64.b64encode(value).decode()


def import_recording(store: RunStore, recording: str) -> str:
    """Add a recorded run to a store, as a run like others; return its ID.

    The recording is parsed in a sandbox.

    Raises:
        ValueError: it is not a recording, has another format version, or its ID is taken.
    """
    data = recording.encode("utf-8", "surrogatepass")
    try:
        parts = foreign_json.parse_foreign_json(data, "the file", MAX_RECORDING_BYTES)
    except ValueError as error:
        raise ValueError(f"This is not a recording of a run: {error}.") from error
    return _add_recording(store, parts)


def _add_recording(store: RunStore, parts: Any) -> str:
    """Add what was parsed of a recording to a store; return the run's ID.

    Raises:
        ValueError: as of :func:`import_recording`.
    """
    try:
        if parts["format"] != FORMAT:
            raise ValueError(f"format {parts['format']}, not {FORMAT}")
        facts = read_facts(parts["run"])
        for table in NEWER_TABLES:
            parts.setdefault(table, {"columns": [], "rows": []})
        rows = {table: read_rows(table, parts[table]) for table in TABLES}
        if not rows["transitions"]:
            raise ValueError("its states are missing or unknown")
        vocabulary = parts.get("vocabulary", "")
        read_vocabulary(vocabulary)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = str(error).rstrip(".")
        raise ValueError(f"This is not a recording of a run: {reason}.") from error
    store.add_recorded_run(facts, rows, vocabulary)
    return str(facts["id"])


def read_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """Return a run's facts from JSON as a row for the store.

    The ID becomes the name of a folder, so it must match ``RUN_ID``.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: no run has these facts.
    """
    facts = {
        **facts,
        "model_config": GPTConfig(**facts["model_config"]),
        "training_config": TrainingConfig(**facts["training_config"]),
    }
    if facts.get("baselines") is not None:
        facts["baselines"] = Baselines(**facts["baselines"])
    if not isinstance(facts["id"], str) or not RUN_ID.fullmatch(facts["id"]):
        raise ValueError(f"id={shown(facts['id'])} is not a valid run ID")
    for name in ("train_tokens", "val_tokens", "total_steps"):
        check_whole(name, facts[name], at_least=1)
    if not isinstance(facts["versions"], dict):
        raise ValueError("versions is not an object")
    return facts


def read_rows(table: str, part: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a table from JSON, each by its columns.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: it holds no rows, or a state is unknown.
    """
    rows = [dict(zip(part["columns"], row, strict=True)) for row in part["rows"]]
    for row in rows:
        if table == "inside":
            row["attention"] = base64.b64decode(row["attention"], validate=True)
        if table == "transitions" and row["state"] not in list(RunState):
            raise ValueError("its states are missing or unknown")
    return rows


def import_recorded_run(store: RunStore, data_dir: Path = DATA_DIR) -> str:
    """Add the bundled run to a store unless it is there; return its ID."""
    if store.run(RECORDED_RUN) is None:
        text = load_text(RECORDED_TEXT, data_dir)
        store.save_text(text.text, text.sha256)
        recording = read_json(data_dir / f"{RECORDED_RUN}.json", MAX_RECORDING_BYTES)
        try:
            _add_recording(store, recording)
        except ValueError:
            if store.run(RECORDED_RUN) is None:  # else another visitor imported it first
                raise
    return RECORDED_RUN


@cache
def recorded_losses(data_dir: Path = DATA_DIR) -> tuple[RecordedLoss, ...]:
    """Return the losses of the bundled run without importing it.

    Raises:
        OSError, ValueError: its file is missing or damaged.
    """
    recording = read_json(data_dir / f"{RECORDED_RUN}.json", MAX_RECORDING_BYTES)
    try:
        return tuple(
            RecordedLoss(row["global_step"], row["train_loss"], row["val_loss"])
            for row in read_rows("evaluations", recording["evaluations"])
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{RECORDED_RUN}.json is not a recording of a run.") from error
