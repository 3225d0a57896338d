"""LiveRun: a run of this process, shared by the training threads and the threads that ask."""

import itertools
import logging
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import filelock

from gpt_core.access import ClassRules, is_student, seconds_left
from gpt_core.runner.queue.fair_queue import FairQueue, QueuedRun, allowed_at, has_its_places
from gpt_core.runner.queue.request_queue import RequestQueue
from gpt_core.runner.session import Session
from gpt_core.store import Command, RunSetup, RunState, RunStore
from gpt_core.system import describe_error, shorten

log = logging.getLogger(__name__)


@dataclass
class LiveRun:
    """A live run. The thread of its device owns session and state; the rest is for all threads."""

    session: Session
    lock: filelock.BaseFileLock
    place: int = 0  # the number of the thread that owns it, which alone gives it to another
    arrival: int = 0  # its number in the order of arrival
    requests: RequestQueue = field(default_factory=RequestQueue)
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


class LiveRuns:
    """The live runs of this process, the queue and the rules of a class. Any thread may ask.

    Args:
        rules: the rules of a class.
        devices: the devices on which runs train at the same time. Their numbers are the places.
    """

    def __init__(self, rules: ClassRules, devices: Sequence[str]) -> None:
        self.rules = rules  # replaced as a whole
        self.devices = tuple(devices)
        self.queue = FairQueue()
        # Guards _live, closing, places and the runs of several processes; one admission at a time.
        self.lock = threading.RLock()
        self.closing = False
        self._arrivals = itertools.count()
        self._live: dict[str, LiveRun] = {}  # in the order of the queue
        self._reserved: dict[int, QueuedRun] = {}  # runs of several processes that wait, by arrival
        self._occupying: list[QueuedRun] = []  # … that train

    def add(self, live: LiveRun) -> None:
        """Add a run at the end of the queue."""
        with self.lock:
            live.arrival = next(self._arrivals)
            self._live[live.session.run.id] = live

    def remove(self, run_id: str) -> None:
        """Forget a run that has ended."""
        with self.lock:
            del self._live[run_id]

    def find(self, run_id: str) -> LiveRun | None:
        """Return a live run of this process, or None if this ID is not live here."""
        return self._live.get(run_id)

    def require_live(self, run_id: str) -> LiveRun:
        """Return a live run.

        Raises:
            ValueError: the run is not live here, or the threads are closing.
        """
        self.require_running()
        live = self._live.get(run_id)
        if live is None:
            raise ValueError(f"Run {shorten(run_id)} is not live here: it takes no requests.")
        return live

    def require_running(self) -> None:
        """Raise ValueError if the threads are closing."""
        if self.closing:
            raise ValueError("The app is closing: start it again first.")

    def all_live(self) -> list[tuple[str, LiveRun]]:
        """Return all live runs with their IDs."""
        with self.lock:
            return list(self._live.items())

    def live_runs(self) -> list[str]:
        """Return the IDs of all live runs."""
        return [run_id for run_id, _ in self.all_live()]

    def of_thread(self, place: int) -> list[tuple[str, LiveRun]]:
        """Return the live runs that a thread owns, with their IDs."""
        return [(run_id, live) for run_id, live in self.all_live() if live.place == place]

    def find_equal(self, setup: RunSetup, run_id: str | None) -> str | None:
        """Return the ID of a live run with the same losses that is not paused or stopping.

        ``run_id`` is the ID that the new run is to have, or None for any.
        """
        for live_id, live in self.all_live():
            is_equal = live.session.run.setup == setup and run_id in (None, live_id)
            is_halted = live.state is RunState.PAUSED or live.pending is Command.STOP
            if is_equal and not is_halted:
                return live_id
        return None

    def count_live(self, owner: str) -> int:
        """Return the number of an owner's live runs."""
        return sum(live.session.run.owner == owner for _, live in self.all_live())

    def in_state(self, state: RunState, place: int | None = None) -> list[QueuedRun]:
        """Return the runs in a state, in the order of the queue; those of one thread, or all."""
        return [
            QueuedRun(run_id, live.session.run.owner, self._places_of(live))
            for run_id, live in self.all_live()
            if live.state is state and place in (None, live.place)
        ]

    def _places_of(self, live: LiveRun) -> frozenset[int]:
        """Return where a run trains or, while it waits, may train: on a device of its kind.

        The first device also trains those of any other kind.
        """
        if live.state is RunState.RUNNING:
            return frozenset({live.place})
        kind = live.session.run.training_config.device
        same = {i for i, name in enumerate(self.devices) if name.partition(":")[0] == kind}
        return frozenset({0} | same)

    # Runs of several processes, which train beside this process, on devices of its threads

    def reserve(self, run_id: str, owner: str, devices: Sequence[str]) -> QueuedRun:
        """Queue a run of several processes; those on the CPU need all places, as they share it."""
        everywhere = "cpu" in devices
        places = {i for i, name in enumerate(self.devices) if everywhere or name in devices}
        run = QueuedRun(run_id, owner, frozenset(places), needs_all=True)
        with self.lock:
            self._reserved[next(self._arrivals)] = run
        return run

    def occupy(self, run: QueuedRun) -> bool:
        """Let a run of several processes begin, unless others need its devices before it."""
        with self.lock:
            if self.closing or not has_its_places(run, self.all_waiting(), self.all_running()):
                return False
            self._reserved = {at: r for at, r in self._reserved.items() if r is not run}
            self._occupying.append(run)
            return True

    def release(self, run: QueuedRun) -> None:
        """Forget a run of several processes that has ended, or waits no more."""
        with self.lock:
            self._reserved = {at: r for at, r in self._reserved.items() if r is not run}
            self._occupying = [other for other in self._occupying if other is not run]

    def all_waiting(self) -> list[QueuedRun]:
        """Return all runs that wait, in order of arrival."""
        with self.lock:
            arrivals = dict(self._reserved)
            for run in self.in_state(RunState.QUEUED):
                arrivals[self._live[run.run_id].arrival] = run
            return [arrivals[arrival] for arrival in sorted(arrivals)]

    def all_running(self) -> list[QueuedRun]:
        """Return all runs that train, those of several processes with all their places."""
        with self.lock:
            return self.in_state(RunState.RUNNING) + self._occupying

    def allowed_at(self, place: int) -> list[QueuedRun]:
        """Return the runs that may begin on a device, in order of arrival."""
        with self.lock:
            if any(place in run.places for run in self._occupying):
                return []
            return allowed_at(place, self.all_waiting())
