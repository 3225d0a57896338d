"""AppLine: requests to the app at which a run is watched, each answered, refused or unanswered."""

import http.client
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

from gpt_core.system import parse_json, shorten

PATH = "/publish/"  # then the run's ID
TIMEOUT_SECONDS = 10.0  # for each part of an answer
LATER = (408, 425, 429)  # HTTP's statuses below 500 after which a request is sent again
MAX_ANSWER_BYTES = 2**20


class NoAnswer(Exception):
    """The app cannot be reached, or cannot serve the request at this moment: try again later."""


class Refused(ValueError):
    """The app does not take the request, and will not take it later."""


@dataclass(frozen=True)
class Answer:
    """What the app answers: what it has of the run, and what its visitors ask of it."""

    cursors: dict[str, int]
    requests: list[dict[str, Any]]


class AppLine:
    """The line to an app. Requests follow no redirect: the token goes to this address alone.

    Args:
        url: the app's address, as a browser opens it.
        token: the app's token.

    Raises:
        ValueError: the address is not one.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        try:
            parts = urlsplit(self.url)
            self._port = parts.port
        except ValueError as error:
            raise ValueError(f"{shorten(url)} is not the address of an app.") from error
        is_plain = parts.hostname and not (parts.query or parts.username)
        if parts.scheme not in ("http", "https") or not is_plain:
            raise ValueError(
                f"{shorten(url)} is not the address of an app: write http:// or https://, its name "
                "and its port, as in http://localhost:8501."
            )
        self._is_encrypted, self._host = parts.scheme == "https", str(parts.hostname)
        self._path = parts.path + PATH
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    @property
    def is_readable_by_others(self) -> bool:
        """Tell whether the token and the rows cross a network without encryption."""
        try:
            is_here = self._host == "localhost" or ip_address(self._host).is_loopback
        except ValueError:
            is_here = False
        return not (self._is_encrypted or is_here)

    def introduce(self, run_id: str, body: bytes) -> Answer:
        """Send a run's facts; return what the app has of the run.

        Raises:
            NoAnswer, Refused: so.
        """
        return self._send("PUT", run_id, body)

    def send_rows(self, run_id: str, body: bytes) -> Answer:
        """Send rows of a run; return what the app has of the run now.

        Raises:
            NoAnswer, Refused: so.
        """
        return self._send("POST", run_id, body)

    def _send(self, method: str, run_id: str, body: bytes) -> Answer:
        kind = http.client.HTTPSConnection if self._is_encrypted else http.client.HTTPConnection
        try:
            with closing(kind(self._host, self._port, timeout=TIMEOUT_SECONDS)) as connection:
                connection.request(method, self._path + quote(run_id), body, self._headers)
                answer = connection.getresponse()
                status, data = answer.status, answer.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise NoAnswer(shorten(str(error)) or type(error).__name__) from error
        if 200 <= status < 300:
            return _read_answer(data)
        sentence = shorten_sentence(data) or f"HTTP status {status}"
        if status >= 500 or status in LATER:
            raise NoAnswer(sentence)
        raise Refused(sentence)


def shorten_sentence(data: bytes) -> str:
    """Return the sentence of a refusal; empty if it is a web page, or nothing."""
    text = " ".join(data[:500].decode("utf-8", "replace").split())
    return "" if "<" in text else text


def _read_answer(data: bytes) -> Answer:
    """Return the app's answer.

    Raises:
        NoAnswer: it is no answer of this app, perhaps that of a proxy.
    """
    try:
        answer = parse_json(data, "the answer", MAX_ANSWER_BYTES)
        cursors = {str(table): int(last) for table, last in answer["cursors"].items()}
        requests = [
            {"id": int(request["id"]), "command": str(request["command"])}
            for request in answer["requests"]
        ]
        return Answer(cursors, requests)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NoAnswer("what answers there is not this app") from error
