"""A server that answers as the Hugging Face hub does, for one repository: the smallest GPT-2."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub
import pytest
from huggingface_hub import constants

from gpt_core.weights import GPT2_REPOSITORIES

GPT2 = GPT2_REPOSITORIES["124M"]
COMMIT = "607a30d783dfa663caf39e06633721c8d4cfcd7e"


class Hub:
    """What the server has, how it misbehaves, and what it was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.repository = GPT2
        self.sends = dict(self.files)  # instead of them, under their names
        self.cut_after: int | None = None  # of the weights, in bytes
        self.hangs = self.is_busy = self.is_another_site = self.ignores_ranges = False
        self.requests: list[tuple[str, str, str | None]] = []  # method, file, Range
        self.headers: list[dict[str, str]] = []

    @property
    def ranges(self) -> list[str | None]:
        return [asked for method, file, asked in self.requests if (method, file) == ("GET", "cdn")]


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, file = self.hub, self.path.rpartition("/")[2]
        asked = self.headers["Range"]
        where = "cdn" if self.path.startswith("/cdn/") else file
        hub.requests.append((self.command, where, asked))
        hub.headers.append(dict(self.headers))
        if hub.hangs:
            time.sleep(0.8)
            return
        if hub.is_busy:
            return self.answer(503)
        if hub.is_another_site:
            return self.answer(200, {"Content-Type": "text/html"}, b"<html>Sign in</html>")
        if where == "cdn":
            return self.send_weights(asked)
        if self.path.split("/resolve/")[0] != f"/{hub.repository}":
            return self.answer(401, {"X-Error-Code": "RepoNotFound"})
        commit = {"X-Repo-Commit": COMMIT}
        if file not in hub.files:
            return self.answer(404, {"X-Error-Code": "EntryNotFound", **commit})
        data = hub.files[file]
        if file in ("config.json", "tokenizer.json"):
            etag = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            return self.answer(200, {"ETag": f'"{etag}"', **commit}, hub.sends[file])
        # As the hub sends one away for a large file, with what the library takes as Xet's.
        there = f"http://localhost:{self.server.server_address[1]}"
        self.answer(302, {
            "Location": f"{there}/cdn/{file}",
            "X-Linked-Etag": f'"{hashlib.sha256(data).hexdigest()}"',
            "X-Linked-Size": str(len(data)),
            "X-Xet-Hash": "a" * 64,
            "Link": f'<{there}/api/models/x/xet-read-token/{COMMIT}>; rel="xet-auth"',
            **commit,
        })  # fmt: skip

    def send_weights(self, asked: str | None) -> None:
        data = self.hub.sends["model.safetensors"]
        begin = 0
        headers = {"Accept-Ranges": "bytes", "ETag": '"of-the-cdn"'}
        if asked is not None and not self.hub.ignores_ranges:
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        end = len(data) if self.hub.cut_after is None else begin + self.hub.cut_after
        headers["Content-Length"] = str(len(data) - begin)
        self.answer(206 if "Content-Range" in headers else 200, headers, data[begin:end])

    def answer(self, status: int, headers: dict[str, str] | None = None, data: bytes = b"") -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_hub(hub: Hub) -> Iterator[tuple[Hub, str]]:
    """Serve a hub; give it and its address."""
    handler = type("HandlerOfOne", (Handler,), {"hub": hub})
    web = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub, f"http://127.0.0.1:{web.server_port}"
    finally:
        web.shutdown()
        thread.join()
        web.server_close()


def ask(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the library, which reads its variables but once, ask this address."""
    huggingface_hub.close_session()
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
