"""The services of the process, from its first page to its end."""

import subprocess
import sys
from pathlib import Path

from streamlit.runtime.scriptrunner import script_runner

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
