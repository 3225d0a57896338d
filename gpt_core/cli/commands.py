"""The commands of the terminal. What a command needs is imported when it is run."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from gpt_core.cli.options import add_setting_options
from gpt_core.presets import PRESETS
from gpt_core.store import default_runs_dir

FINISHED, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130  # exit codes


def run() -> NoReturn:
    """Run the command that this process was started with, and end with its exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    sys.exit(main())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the process's exit code."""
    parser, _ = create_parser("python -m gpt_core")
    return run_command(parser.parse_args(arguments))


def run_command(options: argparse.Namespace) -> int:
    """Run a command that was parsed, and return the process's exit code."""
    logging.basicConfig(level=logging.CRITICAL)  # what went wrong is said in words, below
    try:
        module, function = options.command.split(":")
        code = int(getattr(import_module(module), function)(options))
        sys.stdout.flush()
    except ValueError as error:
        print(error, file=sys.stderr)
        return REFUSED
    except BrokenPipeError:  # "runs | head -1" has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINISHED
    return code


Commands = Any  # argparse's own type for them is private


def create_parser(prog: str) -> tuple[argparse.ArgumentParser, Commands]:
    """Return the parser of the terminal, and its commands, to which others may be added."""
    parser = argparse.ArgumentParser(
        prog=prog, description="Train a small GPT from the terminal.", allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    directory = argparse.ArgumentParser(add_help=False)
    directory.add_argument(
        "--runs-dir",
        type=Path,
        default=default_runs_dir(),
        metavar="DIR",
        help="where runs are kept (default: $GPT_LAB_RUNS_DIR, or %(default)s)",
    )
    _add_train(commands, directory)

    resume = commands.add_parser(
        "resume", parents=[directory], help="go on with a run from its last checkpoint"
    )
    resume.set_defaults(command="gpt_core.cli.training:resume_command")
    resume.add_argument("run", metavar="RUN")

    runs = commands.add_parser("runs", parents=[directory], help="list the runs")
    runs.set_defaults(command="gpt_core.cli.records:runs_command")

    export = commands.add_parser("export", parents=[directory], help="take a run away")
    export.set_defaults(command="gpt_core.cli.records:export_command")
    export.add_argument("run", metavar="RUN")
    export.add_argument(
        "--format",
        default="csv",
        metavar="FORMAT",
        help="csv (default), notebook, tensorboard, …; one that there is not lists them all",
    )
    export.add_argument(
        "--to",
        type=Path,
        metavar="PATH",
        help="a file or folder (default: standard output; for tensorboard: ./tensorboard)",
    )

    fetch = commands.add_parser("fetch-verdict", help='download "The Verdict", the book\'s text')
    fetch.set_defaults(command="gpt_core.cli.records:fetch_verdict_command")
    return parser, commands


def _add_train(commands: Commands, directory: argparse.ArgumentParser) -> None:
    train = commands.add_parser(
        "train",
        parents=[directory],
        help="train a GPT and print its losses",
        description="Train a GPT and print its losses. Each setting of the app's form is an "
        "option; what is not given is as in the preset.",
        allow_abbrev=False,
    )
    train.set_defaults(command="gpt_core.cli.training:train_command")
    settings = train.add_mutually_exclusive_group()
    settings.add_argument("--preset", choices=PRESETS, help="default: pocket")
    settings.add_argument(
        "--settings", type=Path, metavar="FILE", help="a run's settings, as export writes them"
    )
    train.add_argument(
        "--text",
        metavar="NAME|FILE",
        help="a file, or one of the texts that come with the app; one that there is not lists "
        "them (default: the story, or the text of --settings)",
    )
    train.add_argument(
        "--weights",
        metavar="PATH|NAME",
        help="begin with these: a model's file or folder, or a GPT-2 of the Hugging Face hub, such "
        "as 124M (default: random ones)",
    )
    train.add_argument(
        "--probe",
        action="append",
        default=[],
        metavar="TEXT",
        help="a row of text whose probabilities are recorded at each evaluation; may be given "
        "several times",
    )
    train.add_argument("--run-id", metavar="NAME", help="the run's name (default: one is made up)")
    add_setting_options(train)
