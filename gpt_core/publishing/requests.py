"""Requests to a run that another machine trains.

The app's answers carry them there, to be served like those of another process of that machine; what
came of them comes back with the next rows.
"""

from collections.abc import Sequence
from typing import Any

from gpt_core.access import LOCAL
from gpt_core.store import Command, RunStore
from gpt_core.validation import shown

MAX_REQUESTS = 20  # in one answer
MAX_ERROR_CHARACTERS = 500


class Relay:
    """Hands the app's requests to the process that trains the run, and its answers to the app.

    Args:
        store: the store where the run trains.
        run_id: the run.
    """

    def __init__(self, store: RunStore, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._asked: dict[int, int] = {}  # IDs of open requests: the app's → this store's
        self._answers: dict[int, str] = {}  # to the app's requests, until the app has them

    def take(self, requests: Sequence[Any]) -> None:
        """Ask what the app asks, once."""
        for request in requests[:MAX_REQUESTS]:
            request_id, command = int(request["id"]), str(request["command"])
            if request_id in self._asked | self._answers:
                continue
            try:
                self._asked[request_id] = self._store.ask(self._run_id, Command(command), LOCAL)
            except ValueError as error:
                self._answers[request_id] = str(error)

    def answers(self) -> dict[int, str]:
        """Return the answers that the app does not have yet: errors, or "", by its IDs."""
        for request_id, asked in list(self._asked.items()):
            request = self._store.request(asked)
            if request is None or request.answered_at is not None:
                self._answers[request_id] = request.error if request else "The run was deleted."
                del self._asked[request_id]
        return dict(self._answers)

    def note_delivered(self, answers: dict[int, str]) -> None:
        """Forget answers that the app has."""
        for request_id in answers:
            self._answers.pop(request_id, None)


def list_requests(store: RunStore, run_id: str) -> list[dict[str, Any]]:
    """Return the open requests to a run for the machine that trains it, oldest first."""
    found = store.open_requests(run_id)[:MAX_REQUESTS]
    return [{"id": request.id, "command": str(request.command)} for request in found]


def check_answers(answers: Any) -> dict[int, str]:
    """Return the answers in a request's body: pairs of an ID and an error.

    Raises:
        TypeError, ValueError: so they are not.
    """
    checked = {}
    for request_id, error in answers:
        if not isinstance(request_id, int) or not isinstance(error, str):
            raise ValueError(f"{shown(request_id)} is not answered in words")
        checked[request_id] = error[:MAX_ERROR_CHARACTERS]
    return checked


def record_answers(store: RunStore, run_id: str, answers: dict[int, str]) -> None:
    """Record what came of requests; answers to requests to other runs are ignored."""
    for request_id, error in answers.items():
        request = store.request(request_id)
        if request is not None and request.run_id == run_id:
            store.answer(request_id, error)
