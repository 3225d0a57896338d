"""VisibleRuns: the recorded runs as one actor may see them."""

from collections.abc import Sequence
from dataclasses import replace

from typing_extensions import override

from gpt_core.access.permissions import (
    is_open,
    is_student,
    may_look_inside,
    require_class_member,
)
from gpt_core.analysis import CachedHistory, CachedStore, Numbers
from gpt_core.store import (
    Checkpoint,
    RecordedRuns,
    Run,
    RunSummary,
    StoredInside,
    StoredProbe,
    StoredStep,
)


class VisibleRuns(RecordedRuns):
    """All recorded runs, with their curves, redacted for one actor.

    The text, samples and checkpoints of another student's private run are left out.

    Args:
        record: the recorded runs.
        actor: who asks.
        for_class: whether the whole class watches, as on a projector: then private runs are
            redacted for their owner and the teacher, too.
        shows_own: whether the actor's own are shown even then.

    Raises:
        PermissionDenied: the actor is not in the class.
    """

    def __init__(
        self, record: CachedStore, actor: str, for_class: bool = False, *, shows_own: bool = False
    ) -> None:
        require_class_member(actor)
        self._record = record
        self._actor = actor
        self._for_class = for_class
        self._shows_own = shows_own

    @override
    def runs(self) -> list[Run]:
        return [summary.run for summary in self.summaries()]

    @override
    def run(self, run_id: str) -> Run | None:
        run = self._record.run(run_id)
        return None if run is None else self._visible(run)

    @override
    def latest_run(self) -> Run | None:
        """Return the run that was started last; for a student, their own if they have any."""
        newest = self._record.latest_run()
        if newest is None:
            return None
        if is_student(self._actor):
            newest = next(filter(self._is_own, self._record.runs()), newest)
        return self._visible(newest)

    @override
    def live_runs(self) -> list[Run]:
        return [self._visible(run) for run in self._record.live_runs()]

    def own_live_runs(self) -> list[Run]:
        """Return the live runs that the actor may control: for a student, their own."""
        return [self._visible(run) for run in self._record.live_runs() if self._is_own(run)]

    @override
    def summaries(self) -> list[RunSummary]:
        summaries = self._record.summaries()
        if not (self._for_class or is_student(self._actor)):
            return summaries
        return [replace(summary, run=self._visible(summary.run)) for summary in summaries]

    @override
    def last_steps(self, run_id: str, count: int) -> list[StoredStep]:
        return self._record.last_steps(run_id, count)

    @override
    def vocabulary(self, sha256: str) -> str:
        return self._record.vocabulary(sha256)  # a redacted run does not tell the hash

    @override
    def probes(self, run_id: str) -> list[StoredProbe]:
        return self._record.probes(run_id) if self._may_look_inside(run_id) else []

    @override
    def probes_at(self, run_id: str, global_step: int) -> list[StoredProbe]:
        return self._record.probes_at(run_id, global_step) if self._may_look_inside(run_id) else []

    @override
    def inside(self, run_id: str) -> Sequence[StoredInside]:
        return self._record.inside(run_id) if self._may_look_inside(run_id) else ()

    @override
    def checkpoints(self, run_id: str) -> list[Checkpoint]:
        return self._record.checkpoints(run_id) if self._may_look_inside(run_id) else []

    @override
    def best_checkpoint(self, run_id: str) -> Checkpoint | None:
        return self._record.best_checkpoint(run_id) if self._may_look_inside(run_id) else None

    def history(self, run_id: str) -> CachedHistory:
        """Return a run's history, redacted if needed, as fresh as :meth:`CachedStore.history`."""
        history = self._record.history(run_id)
        return history if self._may_look_inside(run_id) else history.redacted()

    def evaluations(self, run_id: str) -> Numbers:
        """Return only a run's evaluations."""
        return self._record.evaluations(run_id)

    def _is_own(self, run: Run) -> bool:
        return not is_student(self._actor) or run.owner == self._actor

    def _visible(self, run: Run) -> Run:
        return run if self._is_readable(run) else run.redacted()

    def _may_look_inside(self, run_id: str) -> bool:
        run = self._record.run(run_id)
        return run is None or self._is_readable(run)

    def _is_readable(self, run: Run) -> bool:
        """Tell whether the text, samples and weights of a run may be shown."""
        shared = self._record.shared()
        if self._for_class:
            is_own = self._shows_own and run.owner == self._actor
            return is_own or is_open(run, shared)
        return may_look_inside(run, self._actor, shared)
