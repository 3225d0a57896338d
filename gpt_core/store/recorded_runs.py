"""RecordedRuns: the interface for reading recorded runs.

The store reads them from its file (:class:`RunReader`), the cache shares them between pages
(``analysis/cached_store.py``), and actors see them redacted (``access/visible_runs.py``).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from gpt_core.store.rows import Checkpoint, StoredInside, StoredProbe, StoredStep
from gpt_core.store.run import Run, RunSummary


class RecordedRuns(ABC):
    """The recorded runs."""

    @abstractmethod
    def runs(self) -> list[Run]:
        """Return all runs, the newest first."""

    @abstractmethod
    def run(self, run_id: str) -> Run | None:
        """Return the run with this ID, or None if there is no such run."""

    @abstractmethod
    def latest_run(self) -> Run | None:
        """Return the run that was started last, or None in an empty store."""

    @abstractmethod
    def live_runs(self) -> list[Run]:
        """Return the runs that are waiting, training or paused in any process, the oldest first."""

    @abstractmethod
    def summaries(self) -> list[RunSummary]:
        """Return all runs with their progress, the newest first."""

    @abstractmethod
    def last_steps(self, run_id: str, count: int) -> list[StoredStep]:
        """Return a run's last ``count`` steps, oldest first."""

    @abstractmethod
    def vocabulary(self, sha256: str) -> str:
        """Return a run's vocabulary by its hash, as the text of a tokenizer.json.

        It is empty for the hash "", which is GPT-2's.

        Raises:
            ValueError: it is not recorded.
        """

    @abstractmethod
    def probes(self, run_id: str) -> list[StoredProbe]:
        """Return a run's probes, oldest first."""

    @abstractmethod
    def probes_at(self, run_id: str, global_step: int) -> list[StoredProbe]:
        """Return the probes of the evaluation after a step, in the configuration's order."""

    @abstractmethod
    def inside(self, run_id: str) -> Sequence[StoredInside]:
        """Return what a run recorded of its model's inside, oldest first."""

    @abstractmethod
    def checkpoints(self, run_id: str) -> list[Checkpoint]:
        """Return a run's checkpoints, oldest first."""

    @abstractmethod
    def best_checkpoint(self, run_id: str) -> Checkpoint | None:
        """Return the checkpoint at the step with the lowest validation loss, if there is one."""
