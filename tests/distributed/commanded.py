"""Two processes whose run is paused for longer than they may be silent, and asked for more.

    torchrun --standalone --nproc-per-node=2 -m tests.distributed.commanded RUNS_DIR

Rank 0 asks as the app does.
"""

import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from gpt_core.cli.follower import follow
from gpt_core.distributed import Command, Group, join_group, leave_group, tell
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import load_text
from tests.support.runs import SIX_EPOCHS, wait_for_steps

TIMEOUT = 20.0  # seconds that a rank may be silent while the run trains
PAUSE = 25.0
TRAINING = replace(SIX_EPOCHS.training, accumulation_steps=2, shard_optimizer=True)


def command(runs_dir: Path, group: Group) -> None:
    """Train a run, and pause, step, copy, save and resume it meanwhile."""
    with closing(RunStore(runs_dir)) as store:
        runner = TrainingRunner(store, threads=1, group=group)
        name = runner.start(SIX_EPOCHS, load_text("counting"), TRAINING, actor="local", run_id="it")
        wait_for_steps(store, name, 3)
        runner.pause(name, actor="local").result(timeout=60)
        runner.step(name, actor="local").result(timeout=60)
        runner.checkpoint(name, actor="local").result(timeout=60)
        time.sleep(PAUSE)
        snapshot = runner.snapshot(name, actor="local").result(timeout=60)
        assert snapshot.global_step == store.last_steps(name, 1)[0].global_step
        runner.resume(name, actor="local").result(timeout=60)
        runner.wait(name, timeout=120)
        runner.close()


def main(runs_dir: Path) -> int:
    """Train on all ranks; return the exit code."""
    group = join_group(TIMEOUT)
    code = 0
    if group.is_main:
        command(runs_dir, group)
        tell(Command.END, group, code)
    else:
        code = follow(group, runs_dir)
    leave_group(group)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
