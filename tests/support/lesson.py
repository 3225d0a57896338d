"""A class in the test's own process."""

from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime, visitor
from gpt_core.text import Corpus, load_text
from tests.support.app_driver import (
    POCKET,
    open_app,
)

pytestmark = pytest.mark.slow

CODE, PASSPHRASE = "abc234", "the teacher's"
SECRET = Corpus("diary.txt", "Dear diary, today the heron came. " * 60)
HOSTILE = "<img src=x onerror=alert(1)> **b**"


class Class:
    """A class in this process; whoever visits does so with their own cookie."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        roster = runtime.get_roster()
        assert roster is not None
        self.roster = roster
        self.tokens = {name: roster.join(name, CODE, "here") for name in ("Ann", "Ben", HOSTILE)}
        self.tokens["Teacher"] = roster.sign_in_teacher(PASSPHRASE, "here")

    def id(self, name: str) -> str:
        member = self.roster.who(self.tokens[name])
        assert member is not None
        return member.id

    def visit(
        self,
        name: str,
        page: str | None = None,
        *,
        state: dict[str, Any] | None = None,
        **query: str,
    ) -> AppTest:
        self._monkeypatch.setattr(visitor, "_token", lambda: self.tokens.get(name))
        return open_app(page, state=state, **query)

    def start(self, name: str, text: Corpus | None = None, run_id: str = "a-run") -> str:
        config = replace(POCKET.training, num_epochs=2)
        text = text or load_text("counting")
        return runtime.get_runner().start(POCKET, text, config, actor=self.id(name), run_id=run_id)

    def train(self, name: str, text: Corpus | None = None, run_id: str = "a-run") -> str:
        self.start(name, text, run_id)
        assert runtime.get_runner().wait(run_id, 60)
        return run_id
