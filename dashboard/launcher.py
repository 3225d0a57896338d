"""``gpt-lab``: the dashboard, a class, or a command of the core's terminal."""

import argparse
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from gpt_core.cli import create_parser, run_command

PROGRAM = "gpt-lab"
SITE_DIR = Path(__file__).parent / "site"  # only the wheel has it there


def run() -> NoReturn:
    """Run the command that this process was started with, and end with its exit code."""
    sys.exit(main())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the process's exit code; without one, open the dashboard."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser, commands = create_parser(PROGRAM)
    for name, script, text in (
        ("app", "app.py", "open the dashboard (also without any command)"),
        ("class", "classroom.py", "open the dashboard to a class in your network"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--port", type=int, metavar="N", help="where it listens")
        command.set_defaults(command="dashboard.launcher:serve_command", script=script)
    return run_command(parser.parse_args(arguments or ["app"]))


def serve_command(options: argparse.Namespace) -> int:
    """Serve the app with its own settings, until it is ended."""
    site = SITE_DIR if SITE_DIR.is_dir() else Path(__file__).parents[1]
    settings = list(streamlit_options(site / ".streamlit" / "config.toml"))
    if options.port is not None:
        settings.append(f"--server.port={options.port}")
    command = [sys.executable, "-m", "streamlit", "run", str(site / options.script), *settings]
    if os.name == "posix":  # in this process's place: a signal ends the app, which saves first
        os.execv(sys.executable, command)  # noqa: S606 (our own files)
    return subprocess.call(command)  # noqa: S603


def streamlit_options(path: Path) -> Iterator[str]:
    """Yield the settings of a Streamlit configuration file as options of its command line.

    Streamlit itself reads that file only from the folder in which it is started.
    """

    def flatten(table: dict[str, Any], prefix: str) -> Iterator[str]:
        for name, value in table.items():
            if isinstance(value, dict):
                yield from flatten(value, f"{prefix}{name}.")
            elif isinstance(value, list):
                yield from (f"--{prefix}{name}={item}" for item in value)
            elif isinstance(value, bool):
                yield f"--{prefix}{name}={str(value).lower()}"
            else:
                yield f"--{prefix}{name}={value}"

    return flatten(tomllib.loads(path.read_text(encoding="utf-8")), "")
