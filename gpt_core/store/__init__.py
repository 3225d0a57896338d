"""What happened in each run, append-only, in one SQLite file. Imports no torch."""

from gpt_core.store.class_store import MODEL, RUN, TEXT, Shared
from gpt_core.store.rows import Row
from gpt_core.store.run import STATES, Run, RunSetup, RunSummary
from gpt_core.store.run_locks import RUN_ID, find_run, mark_interrupted_runs
from gpt_core.store.run_store import RECORD_TABLES, RunStore
from gpt_core.store.runs_dir import default_runs_dir

__all__ = [
    "MODEL",
    "RECORD_TABLES",
    "RUN",
    "RUN_ID",
    "STATES",
    "TEXT",
    "Row",
    "Run",
    "RunSetup",
    "RunStore",
    "RunSummary",
    "Shared",
    "default_runs_dir",
    "find_run",
    "mark_interrupted_runs",
]
