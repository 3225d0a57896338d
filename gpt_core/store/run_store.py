"""RunStore: the append-only record of all runs, in one SQLite file. Imports no torch.

Rows are only added, and are read by cursor (``id > after``), so that any number of viewers in any
number of processes see the same run. A run's state is its latest transition, its name its latest
label. :class:`RunReader` reads and :class:`RunWriter` writes; this module opens the file.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from gpt_core.store.class_store import ClassStore
from gpt_core.store.database import Database
from gpt_core.store.recovery import notices
from gpt_core.store.run_writer import RunWriter
from gpt_core.store.runs_dir import require_local_file_system


class RunStore(RunWriter):
    """The runs of one directory, in ``runs.sqlite`` there.

    Args:
        runs_dir: the directory; created if missing.
        clock: returns the time in seconds since 1970.

    Raises:
        ValueError: the directory cannot be used, or a newer version of this app wrote it.
    """

    def __init__(self, runs_dir: Path, clock: Callable[[], float] = time.time) -> None:
        runs_dir = Path(runs_dir)
        try:
            runs_dir.mkdir(parents=True, exist_ok=True)
            require_local_file_system(runs_dir)
            database = Database(runs_dir / "runs.sqlite")
            super().__init__(runs_dir, database, clock)
            self.class_store = ClassStore(database, clock)
            self.quota_lock = threading.RLock()  # held from a check of quotas to what it allows
        except (OSError, sqlite3.Error) as error:
            raise ValueError(
                f"The runs directory {runs_dir} cannot be used ({error}): choose another one "
                "with --runs-dir or the environment variable GPT_LAB_RUNS_DIR."
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def notices(self) -> dict[Path, str]:
        """Return the notices about damaged records, by notice file, oldest first."""
        return notices(self.runs_dir)

    def version(self) -> tuple[int, int]:
        """Return a pair that changes after each write.

        A write of this process changes it at once, one of another process within 0.25 s.
        """
        return self._database.version()
