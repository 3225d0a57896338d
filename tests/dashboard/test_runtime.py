"""The services of the process, from its first page to its end."""

import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.runtime.scriptrunner import script_runner

from dashboard.app import runtime, visitor
from dashboard.app.runtime import SCRIPT_THREAD
from tests.support.paths import ROOT

PROGRAM = """
import threading, time, torch
from dashboard.app import get_store

def page():
    x = torch.randn(400, 400)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        x = torch.tanh(x @ x)
    print("drawn", flush=True)

get_store()
threading.Thread(target=page, name="{name}.scriptThread", daemon=True).start()
time.sleep(0.2)
"""


def test_a_process_ends_when_its_pages_have_computed_what_they_were_at(runs_dir: Path) -> None:
    program = PROGRAM.format(name=SCRIPT_THREAD)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "drawn\n"
    assert done.returncode == 0, done.stderr


def test_streamlit_still_calls_its_threads_so() -> None:
    source = Path(script_runner.__file__).read_text()
    assert f'name="{SCRIPT_THREAD}.scriptThread"' in source


def test_many_tabs_of_one_student_slow_down_their_own_pages_and_not_the_others(
    own_runtime: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(runtime.CLASS_MODE, "1")
    monkeypatch.setenv(runtime.JOIN_CODE, "abc234")
    roster = runtime.get_class_roster()
    tokens = [roster.join(f"Student {n}", "abc234", "here") for n in range(30)]

    def seconds(token: str) -> int:
        monkeypatch.setattr(visitor, "_token", lambda: token)
        return visitor.refresh_seconds()

    members = [member.id for member in roster.members()]
    for member_id in members:
        roster.open_tab(member_id)
    assert [seconds(token) for token in tokens[:2]] == [5, 5]
    for _ in range(9):
        roster.open_tab(members[0])
    assert [seconds(token) for token in tokens[:2]] == [50, 5]
    for member_id in (*members, *[members[0]] * 9):
        roster.close_tab(member_id)
    assert roster.count_visitors() == 0
    roster.open_tab(members[0])
    assert seconds(tokens[0]) == 1
