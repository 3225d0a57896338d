"""LiveRun: a run of this process, shared by the training thread and the threads that ask."""

import logging
import sqlite3
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

import filelock

from gpt_core.access import ClassRules, is_student, seconds_left
from gpt_core.runner.session import Session
from gpt_core.store import RunState, RunStore
from gpt_core.system import describe_error

log = logging.getLogger(__name__)


class Command(Enum):
    """A request to a live run; its value completes "only its owner may … it"."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    STEP = "step"
    SAVE = "save"
    SNAPSHOT = "look into"

    @property
    def ongoing(self) -> str:
        """Return what the run is doing until the request is done, such as "stopping"."""
        return ONGOING[self]


ONGOING = {
    Command.PAUSE: "pausing",
    Command.RESUME: "resuming",
    Command.STOP: "stopping",
    Command.STEP: "stepping",
    Command.SAVE: "saving",
    Command.SNAPSHOT: "copying",
}


@dataclass
class LiveRun:
    """A live run. The training thread owns session and state; the rest is for all threads."""

    session: Session
    lock: filelock.BaseFileLock
    state: RunState = RunState.QUEUED  # as in the store
    told: str = ""  # of session.message, what is recorded
    pending: Command | None = None  # the last request, until it is done
    last_error: str = ""  # why the last request failed, as a sentence
    limit: tuple[ClassRules, float] | None = None  # the seconds that rules allow it
    ended: threading.Event = field(default_factory=threading.Event)

    def time_is_up(self, store: RunStore, rules: ClassRules) -> bool:
        """Tell whether a student's runs have used the training time that the rules allow.

        If the record cannot be read at this moment, the run trains on and the next turn asks.
        """
        run = self.session.run
        if rules.most_minutes is None or not is_student(run.owner):
            return False
        if self.limit is None or self.limit[0] is not rules:  # their other runs wait
            try:
                self.limit = (rules, seconds_left(store, rules, run.owner, leave_out=run.id))
            except (sqlite3.Error, OSError):
                log.exception("the training time of run %s could not be read", run.id)
                return False
        return self.session.seconds >= self.limit[1]

    def expect(self, command: Command, future: "Future[Any]") -> None:
        """Show a command as pending until it is answered."""
        self.pending = command
        future.add_done_callback(partial(self._answered, command))

    def _answered(self, command: Command, future: "Future[Any]") -> None:
        if self.pending is command:  # else a later request replaced it
            self.pending = None
        error = None if future.cancelled() else future.exception()
        failed = f"{command.ongoing.capitalize()} failed."
        self.last_error = f"{failed} {describe_error(error)}" if error else ""
