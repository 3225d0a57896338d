"""A process without a file handle left trains on: what fails then is a gap in the record."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SCRIPT = """
import json, logging, resource, sys, threading
from dataclasses import replace
from pathlib import Path

from gpt_core.access import LOCAL
from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import load_text
from tests.conftest import TINY, TINY_TRAINING

preset = Preset("tiny", "Two layers.", TINY, replace(TINY_TRAINING, num_epochs=3))
store = RunStore(Path(sys.argv[1]))
runner = TrainingRunner(store, threads=1)
runner.start(preset, load_text("counting"), actor=LOCAL, run_id="before")
assert runner.wait("before", 60)
last_step = store.steps("before")[-1].global_step

refused, trained = [], threading.Event()

class Watch(logging.Handler):
    def emit(self, record):
        message = record.getMessage()
        refused.append(message)
        if message.startswith(f"step {last_step} of during is not saved"):
            trained.set()

logging.getLogger("gpt_core").addHandler(Watch())
_, hard = limits = resource.getrlimit(resource.RLIMIT_NOFILE)

# Between two steps, so that no other file is being read.
def take_all():
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))

runner.start(preset, load_text("counting"), actor=LOCAL, run_id="during")
while not store.steps("during"):
    pass
runner.submit(take_all).result(60)
assert trained.wait(60)
resource.setrlimit(resource.RLIMIT_NOFILE, limits)
assert runner.wait("during", 60)

def recorded(run_id):
    steps = [(s.global_step, s.loss) for s in store.steps(run_id)]
    evaluations = [(e.global_step, e.train_loss, e.val_loss) for e in store.evaluations(run_id)]
    return steps, evaluations, [s.text for s in store.samples(run_id)]

run = store.run("during")
print(json.dumps({
    "state": run.state, "message": run.message,
    "same": recorded("before") == recorded("during"),
    "refused": refused,
    "gaps": sum(s.memory == 0 for s in store.steps("during")),
    "last_weights": store.checkpoints("during")[-1].global_step == last_step,
}))
runner.close()
"""


@pytest.mark.whole_run
@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_a_run_for_which_no_file_handle_is_left_gives_the_same_losses(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["state"], told["message"]) == ("finished", "")
    assert told["same"]
    assert told["last_weights"]  # saved once there was a handle again
    assert told["gaps"] > 0
    assert any("memory of the process could not be read" in line for line in told["refused"])
