"""View: the board as one actor sees it. What is private in somebody else's run is left out."""

from dataclasses import replace

from gpt_core.access.permissions import is_student, may_look_inside
from gpt_core.analysis import CachedStore, Numbers, RunHistory
from gpt_core.store import Row, Run, RunSummary


class View:
    """What is on record, for one visitor: all curves, and the rest of what they may look into.

    Args:
        board: what is on record.
        actor: who looks.
    """

    def __init__(self, board: CachedStore, actor: str) -> None:
        self._board = board
        self._actor = actor

    def live_runs(self) -> list[Run]:
        """Return the live runs of every process, the oldest first."""
        return [self._seen(run) for run in self._board.live_runs()]

    def runs(self) -> list[Run]:
        """Return all runs, the newest first."""
        return [summary.run for summary in self.summaries()]

    def own_live_runs(self) -> list[Run]:
        """Return the live runs that are the visitor's to steer: of a student, their own."""
        return [run for run in self._board.live_runs() if self._is_own(run)]

    def latest_run(self) -> Run | None:
        """Return the run that was started last; of a student's own, if they have any."""
        newest = self._board.latest_run()
        if newest is None or not is_student(self._actor):
            return newest
        runs = (summary.run for summary in self._board.summaries())
        return self._seen(next(filter(self._is_own, runs), newest))

    def run(self, run_id: str) -> Run | None:
        """Return one run, or None if there is none of this ID."""
        run = self._board.run(run_id)
        return None if run is None else self._seen(run)

    def summaries(self) -> list[RunSummary]:
        """Return all runs with how far they have come, the newest first."""
        summaries = self._board.summaries()
        if not is_student(self._actor):
            return summaries
        seen = [self._seen(summary.run) for summary in summaries]
        return [replace(summary, run=run) for summary, run in zip(summaries, seen, strict=True)]

    def history(self, run_id: str) -> RunHistory:
        """Return what a run has recorded, as fresh as :meth:`CachedStore.history`."""
        history = self._board.history(run_id)
        return history if self._may_look_inside(run_id) else history.redacted()

    def evaluations(self, run_id: str) -> Numbers:
        """Return a run's evaluations alone."""
        return self._board.evaluations(run_id)

    def probes(self, run_id: str) -> list[Row]:
        """Return a run's probes, oldest first; none of a run that is private."""
        return self._board.probes(run_id) if self._may_look_inside(run_id) else []

    def probes_at(self, run_id: str, global_step: int) -> list[Row]:
        """Return what the evaluation after a step made of each probe; nothing if it is private."""
        return self._board.probes_at(run_id, global_step) if self._may_look_inside(run_id) else []

    def checkpoints(self, run_id: str) -> list[Row]:
        """Return a run's checkpoints, oldest first; none of a run that is private."""
        return self._board.checkpoints(run_id) if self._may_look_inside(run_id) else []

    def best_checkpoint(self, run_id: str) -> Row | None:
        """Return the checkpoint with the lowest validation loss, if there is one to be seen."""
        return self._board.best_checkpoint(run_id) if self._may_look_inside(run_id) else None

    def _is_own(self, run: Run) -> bool:
        return not is_student(self._actor) or run.owner == self._actor

    def _seen(self, run: Run) -> Run:
        is_open = may_look_inside(run, self._actor, self._board.shared())
        return run if is_open else run.redacted()

    def _may_look_inside(self, run_id: str) -> bool:
        run = self._board.run(run_id)
        return run is None or may_look_inside(run, self._actor, self._board.shared())
