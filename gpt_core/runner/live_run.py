"""LiveRun: a run of this process, as the owner thread and the others see it."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import filelock

from gpt_core.access import ClassRules
from gpt_core.runner.session import Session
from gpt_core.system import describe_error


@dataclass
class LiveRun:
    """A live run, as both sides see it: the owner thread its session, the others the rest."""

    session: Session
    lock: filelock.BaseFileLock
    state: str = "queued"  # the owner thread's; the store has it for everybody else
    reported: bool = False  # that it does not repeat what was recorded
    asked: str = ""  # what was asked for last and is not done yet
    complaint: str = ""  # why what was asked for last could not be done: shown
    limit: tuple[ClassRules, float] | None = None  # seconds it may take, by which rules
    ended: threading.Event = field(default_factory=threading.Event)

    def answered(self, doing: str, future: "Future[Any]") -> None:
        """Show no longer what has been done, unless something else is asked for by now."""
        if self.asked == doing:
            self.asked = ""
        error = None if future.cancelled() else future.exception()
        self.complaint = f"{doing.capitalize()} failed. {describe_error(error)}" if error else ""
