"""LiveRun: a run of this process, between the training thread and the threads that ask of it."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

import filelock

from gpt_core.access import ClassRules
from gpt_core.runner.session import Session
from gpt_core.store import RunState
from gpt_core.system import describe_error


class Command(Enum):
    """What can be asked of a live run: as in "only its owner may … it"."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    STEP = "step"
    SAVE = "save"
    SNAPSHOT = "look into"

    @property
    def ongoing(self) -> str:
        """Return what the run is said to be doing until it is done: "stopping"."""
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
    """A live run: its session and state are the training thread's, the rest is for all threads."""

    session: Session
    lock: filelock.BaseFileLock
    state: RunState = RunState.QUEUED  # as it is on record, too
    mismatch_told: bool = False  # that it does not repeat what was recorded
    pending: Command | None = None  # what was asked for last and is not done yet
    last_error: str = ""  # why what was asked for last could not be done, in words
    limit: tuple[ClassRules, float] | None = None  # seconds it may take, by which rules
    ended: threading.Event = field(default_factory=threading.Event)

    def expect(self, command: Command, future: "Future[Any]") -> None:
        """Show a command as pending until its answer comes."""
        self.pending = command
        future.add_done_callback(partial(self._answered, command))

    def _answered(self, command: Command, future: "Future[Any]") -> None:
        if self.pending is command:  # else another one was given since
            self.pending = None
        error = None if future.cancelled() else future.exception()
        failed = f"{command.ongoing.capitalize()} failed."
        self.last_error = f"{failed} {describe_error(error)}" if error else ""
