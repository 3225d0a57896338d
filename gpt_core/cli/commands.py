"""The commands of the command line. Each imports what it needs when it runs."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from gpt_core.cli.options import add_setting_options
from gpt_core.presets import PRESETS
from gpt_core.store import default_runs_dir

FINISHED, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130  # exit codes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser, _ = create_parser("python -m gpt_core")
    return run_command(parser.parse_args(arguments))


def run(command: Callable[[], int] = main) -> NoReturn:
    """Run the command of this process and exit with its code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # handled like Ctrl-C
    sys.exit(command())


def run_command(options: argparse.Namespace) -> int:
    """Run a parsed command and return its exit code."""
    logging.basicConfig(level=logging.CRITICAL)  # errors are printed as sentences below
    try:
        module, function = options.command.split(":")
        code = int(getattr(import_module(module), function)(options))
        sys.stdout.flush()
    except ValueError as error:
        print(error, file=sys.stderr)
        return REFUSED
    except BrokenPipeError:  # as in "runs | head -1"
        discard_output()
        return FINISHED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def discard_output() -> None:
    """Write nothing more to standard output, whose reader has ended."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


Commands = Any  # argparse's own type for them is private


def create_parser(prog: str) -> tuple[argparse.ArgumentParser, Commands]:
    """Return the parser of the command line and its commands, to which more can be added."""
    parser = argparse.ArgumentParser(
        prog=prog, description="Train a small GPT from the terminal.", allow_abbrev=False
    )
    parser.set_defaults(program=prog)  # as hints name it
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    directory = argparse.ArgumentParser(add_help=False)
    directory.add_argument(
        "--runs-dir",
        type=Path,
        default=default_runs_dir(),
        metavar="DIR",
        help="where runs are saved (default: $GPT_LAB_RUNS_DIR, or %(default)s)",
    )
    ranks = argparse.ArgumentParser(add_help=False)
    ranks.add_argument(
        "--rank-timeout",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="with torchrun: how long a process may not answer the others before the run fails "
        "(default: 600)",
    )
    train = _add_train(commands, directory, ranks)

    resume = commands.add_parser(
        "resume", parents=[directory, ranks], help="continue a run from its last checkpoint"
    )
    resume.set_defaults(command="gpt_core.cli.training:resume_command")
    resume.add_argument("run", metavar="RUN")
    _add_publish(commands, directory, (train, resume))

    runs = commands.add_parser("runs", parents=[directory], help="list the runs")
    runs.set_defaults(command="gpt_core.cli.records:runs_command")

    export = commands.add_parser("export", parents=[directory], help="export a run")
    export.set_defaults(command="gpt_core.cli.records:export_command")
    export.add_argument("run", metavar="RUN")
    export.add_argument(
        "--format",
        default="csv",
        metavar="FORMAT",
        help="csv (default), notebook, tensorboard, …; an unknown one lists them all",
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


def _add_publish(
    commands: Commands,
    directory: argparse.ArgumentParser,
    training: Iterable[argparse.ArgumentParser],
) -> None:
    """Add the commands to watch a run from another machine, and their options where it trains."""
    publish = commands.add_parser(
        "publish", parents=[directory], help="send a run to the app of another machine"
    )
    publish.set_defaults(command="gpt_core.cli.publishing:publish_command")
    publish.add_argument("run", metavar="RUN")
    publish.add_argument("--to", metavar="URL", required=True, help="the app's address")
    for command in training:
        command.add_argument(
            "--publish",
            metavar="URL",
            help="send the run to the app at this address while it trains, to be watched there",
        )
    for command in (publish, *training):
        command.add_argument(
            "--token-file",
            type=Path,
            metavar="FILE",
            help="holds the app's token (default: $GPT_LAB_PUBLISH_TOKEN)",
        )
    token = commands.add_parser(
        "token",
        parents=[directory],
        help="make the token with which other machines publish runs to this app",
    )
    token.set_defaults(command="gpt_core.cli.publishing:token_command")
    token.add_argument("--remove", action="store_true", help="let nothing be published any more")


def _add_train(
    commands: Commands, directory: argparse.ArgumentParser, ranks: argparse.ArgumentParser
) -> argparse.ArgumentParser:
    train = commands.add_parser(
        "train",
        parents=[directory, ranks],
        help="train a GPT and print its losses",
        description="Train a GPT and print its losses. Each setting of the app's form is an "
        "option; those not given keep the preset's values, but for the prompt, which follows "
        "the text.",
        allow_abbrev=False,
    )
    train.set_defaults(command="gpt_core.cli.training:train_command")
    settings = train.add_mutually_exclusive_group()
    settings.add_argument("--preset", choices=PRESETS, help="default: pocket")
    settings.add_argument(
        "--settings", type=Path, metavar="FILE", help="a settings file, as export writes it"
    )
    train.add_argument(
        "--text",
        metavar="NAME|FILE",
        help="a file, or the name of a bundled text; an unknown name lists them (default: the "
        "story, or the text of --settings)",
    )
    train.add_argument(
        "--weights",
        metavar="PATH|NAME",
        help="initial weights: a model's file or folder, or a GPT-2 on the Hugging Face hub, such "
        "as 124M (default: random weights); a file that does not state its attention heads needs "
        "--n-heads",
    )
    train.add_argument(
        "--probe",
        action="append",
        default=[],
        metavar="TEXT",
        help="a text whose token probabilities are recorded at each evaluation; can be given "
        "several times",
    )
    train.add_argument("--run-id", metavar="NAME", help="the run's ID (default: generated)")
    add_setting_options(train)
    return train
