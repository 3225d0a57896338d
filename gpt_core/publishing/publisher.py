"""Publisher: the thread that sends a run's rows to the app of another machine while it trains."""

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from gpt_core.publishing.app_line import AppLine, NoAnswer, Refused
from gpt_core.publishing.outgoing import MAX_ROWS_BYTES, introduce, read_batch
from gpt_core.publishing.requests import Relay
from gpt_core.store import PUBLISHED_TABLES, RunStore, find_run
from gpt_core.system import count, describe_error

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0  # between two looks for new rows
HEARTBEAT_SECONDS = 2.0  # between two requests while there are none
MAX_PAUSE_SECONDS = 30.0  # between two tries of an app that does not answer


class Publisher:
    """Sends the rows of one run, in order, each until the app has it.

    What the app has is told by the app, so that nothing needs to be remembered here: a publisher
    of another process goes on where this one ended. Training never waits for it, and nothing that
    fails here fails the run.

    Args:
        store: the store of the run.
        run_id: the run's ID.
        line: the line to the app.
        tell: shows a sentence to the user.
    """

    def __init__(
        self, store: RunStore, run_id: str, line: AppLine, tell: Callable[[str], None]
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._line = line
        self._tell = tell
        self._relay = Relay(store, run_id)
        self._thread = threading.Thread(target=self._work, name="Publisher", daemon=True)
        self._wake = threading.Event()
        self._random = random.Random()  # noqa: S311 (for pauses)
        self._cursors: dict[str, int] | None = None  # None until the app has told them
        self._heard = 0.0  # when the app answered last, by the monotonic clock
        self._progressed = 0.0  # … and took rows
        self._is_silent = False
        self._closing_at = float("inf")
        self._patience = 0.0

    def begin(self) -> None:
        """Send the run's rows from now on, in the background."""
        self._thread.start()

    @property
    def is_working(self) -> bool:
        """Tell whether rows are still sent: not after the app has refused them."""
        return self._thread.is_alive()

    @property
    def is_silent(self) -> bool:
        """Tell whether the app did not answer the last request."""
        return self._is_silent

    @property
    def unsent(self) -> int:
        """Return how many of the run's rows the app has not acknowledged."""
        return self._store.count_rows(self._run_id, PUBLISHED_TABLES, self._cursors or {})

    def finish(self, patience: float, at_most: float = float("inf")) -> int:
        """Send what is left of the run, which has ended; return how many rows are not sent.

        Args:
            patience: seconds for which the app may take no rows.
            at_most: seconds in all.
        """
        self._patience, self._closing_at = patience, time.monotonic()
        self._wake.set()
        # Beyond the patience a request may wait for its answer: then it is left alone.
        while self._thread.is_alive() and not self._gives_up(at_most):
            self._thread.join(0.1)
        return self.unsent

    def _gives_up(self, at_most: float = float("inf")) -> bool:
        """Tell whether the run has ended and the app has taken no rows for too long."""
        now = time.monotonic()
        last = max(self._progressed, self._closing_at)
        return now - last > self._patience or now - self._closing_at > at_most

    def _work(self) -> None:
        """Send rows until the run has ended and all are sent, or the app refuses them."""
        pause = POLL_SECONDS
        while not self._gives_up():
            try:
                is_closing = time.monotonic() >= self._closing_at  # first: then all rows are there
                has_all = self._exchange()
                self._note_answer()
                pause = POLL_SECONDS
                if has_all and is_closing and not self.unsent:
                    return
                if not has_all:
                    continue
            except NoAnswer as error:
                self._note_silence(str(error))
                pause = min(MAX_PAUSE_SECONDS, 2 * pause)
            except (OSError, sqlite3.Error) as error:  # the store, at this moment
                self._note_silence(describe_error(error))
                pause = min(MAX_PAUSE_SECONDS, 2 * pause)
            except Refused as error:
                self._say(f"The run is not published to {self._line.url}: {error}")
                return
            except Exception:
                log.exception("run %s is not published any more", self._run_id)
                self._say("The run is not published any more, by a fault of this program.")
                return
            # At random, so that many runs do not ask again at once.
            if self._wake.wait(pause * self._random.uniform(0.75, 1.25)):
                self._wake.clear()
                pause = POLL_SECONDS

    def _exchange(self) -> bool:
        """Send the next rows, if there are any; tell whether there are no more for now."""
        if self._cursors is None:
            body = introduce(self._store, find_run(self._store, self._run_id))
            self._cursors = self._line.introduce(self._run_id, body).cursors
        answers = self._relay.answers()
        batch = read_batch(self._store, self._run_id, self._cursors, answers)
        is_due = time.monotonic() - self._heard >= HEARTBEAT_SECONDS
        if not (batch.rows or answers or is_due):
            return True
        if len(batch.body) > MAX_ROWS_BYTES:
            raise Refused(f"One row has more than {MAX_ROWS_BYTES // 2**20} MB.")
        answer = self._line.send_rows(self._run_id, batch.body)
        self._relay.note_delivered(answers)
        self._relay.take(answer.requests)
        self._heard = time.monotonic()
        if answer.cursors == self._cursors:
            return True
        self._cursors, self._progressed = answer.cursors, self._heard
        return batch.is_complete

    def _note_answer(self) -> None:
        if self._is_silent:
            self._is_silent = False
            self._say(f"{self._line.url} answers again: what was not sent is sent now.")

    def _note_silence(self, reason: str) -> None:
        if not self._is_silent:
            self._is_silent = True
            self._say(
                f"{self._line.url} takes no rows at this moment ({reason.rstrip('.')}): the run "
                "trains on, and what is not sent is sent later."
            )

    def _say(self, sentence: str) -> None:
        with suppress(OSError, ValueError):  # the terminal is gone
            self._tell(sentence)


def describe_unsent(rows: int, run_id: str, url: str, command: str) -> str:
    """Return in a sentence how many of a run's rows are not sent, and how to send them later."""
    if not rows:
        return f"All of run {run_id} is at {url}."
    are = "is" if rows == 1 else "are"
    return (
        f"{count(rows, 'row')} of run {run_id} {are} not at {url}. Send what is missing later "
        f"with: {command}"
    )
