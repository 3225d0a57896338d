"""The commands that read recorded runs or download a text."""

import argparse
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

from gpt_core.access import LOCAL
from gpt_core.cli.commands import FINISHED
from gpt_core.cli.output import print_notices
from gpt_core.export import EXPORTS, export_runs, write_event_file
from gpt_core.store import RunStore, find_run, mark_interrupted_runs
from gpt_core.text import VERDICT, download_the_verdict


def runs_command(options: argparse.Namespace) -> int:
    """List the runs, newest first."""
    with closing(RunStore(options.runs_dir)) as store:
        print_notices(store)
        mark_interrupted_runs(store)
        print(f"{'RUN':24} {'STATE':12} {'STEPS':>13}  {'STARTED':16}  TEXT")
        for run in store.runs():
            last = store.last_steps(run.id, 1)
            step = f"{last[0].global_step + 1 if last else 0:,} of {run.total_steps:,}"
            started = datetime.fromtimestamp(run.created_at).strftime("%Y-%m-%d %H:%M")
            print(f"{run.id:24} {run.state:12} {step:>13}  {started}  {run.text_name}")
    return FINISHED


def export_command(options: argparse.Namespace) -> int:
    """Write a run in a format of ``EXPORTS`` to standard output or to ``--to``.

    Raises:
        ValueError: the format is unknown, there is no such run, or the file cannot be written.
    """
    if options.format not in EXPORTS:
        raise ValueError(f"--format {options.format} is not known: choose {', '.join(EXPORTS)}.")
    with closing(RunStore(options.runs_dir)) as store:
        run = find_run(store, options.run)
        try:
            if options.format == "tensorboard":  # a folder, as TensorBoard wants it
                path = write_event_file(store, run, options.to or Path("tensorboard"))
            else:
                name, data = export_runs(store, [run], options.format, actor=LOCAL)
                if options.to is None:
                    sys.stdout.buffer.write(data)
                    return FINISHED
                path = options.to / name if options.to.is_dir() else options.to
                path.write_bytes(data)
        except OSError as error:
            raise ValueError(f"The export was not written: {error}.") from error
    print(f"Written: {path}", file=sys.stderr)
    if options.format == "tensorboard":
        print(f"View it with: tensorboard --logdir {path.parents[1]}", file=sys.stderr)
    return FINISHED


def fetch_verdict_command(options: argparse.Namespace) -> int:
    """Download "The Verdict" into the data directory."""
    corpus = download_the_verdict()
    print(f"{corpus.name}: {len(corpus.text):,} characters. Train on it with --text {VERDICT}")
    return FINISHED
