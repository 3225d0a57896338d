"""The append-only record of all runs, in one SQLite file. Imports no torch."""

from gpt_core.store.class_store import Share, Shared
from gpt_core.store.recorded_runs import RecordedRuns
from gpt_core.store.rows import (
    Checkpoint,
    StoredEvaluation,
    StoredInside,
    StoredProbe,
    StoredRecord,
    StoredRequest,
    StoredSample,
    StoredStep,
    StoredUpdate,
)
from gpt_core.store.run import (
    LIVE_STATES,
    Baselines,
    CheckpointKind,
    Command,
    Run,
    RunSetup,
    RunState,
    RunSummary,
    ShareKind,
)
from gpt_core.store.run_locks import RUN_ID, find_run, mark_interrupted_runs
from gpt_core.store.run_reader import MAX_TEXT_BYTES, RECORD_KINDS, FinalState, RunRecords
from gpt_core.store.run_store import RunStore
from gpt_core.store.run_writer import PUBLISHED_TABLES, RECORD_TABLES
from gpt_core.store.runs_dir import claim_for_class, default_runs_dir

__all__ = [
    "LIVE_STATES",
    "MAX_TEXT_BYTES",
    "PUBLISHED_TABLES",
    "RECORD_KINDS",
    "RECORD_TABLES",
    "RUN_ID",
    "Baselines",
    "Checkpoint",
    "CheckpointKind",
    "Command",
    "FinalState",
    "RecordedRuns",
    "Run",
    "RunRecords",
    "RunSetup",
    "RunState",
    "RunStore",
    "RunSummary",
    "Share",
    "ShareKind",
    "Shared",
    "StoredEvaluation",
    "StoredInside",
    "StoredProbe",
    "StoredRecord",
    "StoredRequest",
    "StoredSample",
    "StoredStep",
    "StoredUpdate",
    "claim_for_class",
    "default_runs_dir",
    "find_run",
    "mark_interrupted_runs",
]
