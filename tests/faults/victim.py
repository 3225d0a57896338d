"""A process that trains the run "victim" until it is done, or killed: ``victim.py RUNS_DIR``."""

import sys
from dataclasses import replace
from pathlib import Path

from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.runner import session as session_module
from gpt_core.store import RunStore
from gpt_core.text import load_text
from tests.conftest import TINY, TINY_TRAINING

RUN = "victim"
TEXT = "counting"
PRESET = Preset("tiny", "Two layers.", TINY, replace(TINY_TRAINING, num_epochs=30))


def main() -> None:
    """Start the run or, if it is there, go on with it."""
    session_module.CHECKPOINT_SECONDS = 0.2  # so that a kill finds it writing one
    session_module.CHECKPOINT_COST = 1.0
    store = RunStore(Path(sys.argv[1]))
    runner = TrainingRunner(store)
    run = store.run(RUN)
    if run is None:
        runner.start(PRESET, load_text(TEXT), run_id=RUN, actor="local")
    elif run.state != "finished":
        runner.resume(RUN, actor="local")
    runner.wait(RUN)
    runner.close()
    store.close()


if __name__ == "__main__":
    main()
