"""``gpt-lab``: the dashboard, a class, and the commands of ``gpt_core.cli``."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

from dashboard import SITE_DIR
from gpt_core import cli

PROGRAM = "gpt-lab"


def run() -> NoReturn:
    """Run the command of this process and exit with its code."""
    cli.run(main)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; without one, open the dashboard."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser, commands = cli.create_parser(PROGRAM)
    for name, script, text in (
        ("app", "app.py", "open the dashboard (the default command)"),
        ("class", "classroom.py", "open the dashboard to a class on your network"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--port", type=int, metavar="N", help="the port to listen on")
        command.set_defaults(command="dashboard.launcher:serve_command", script=script)
    return cli.run_command(parser.parse_args(arguments or ["app"]))


def serve_command(options: argparse.Namespace) -> int:
    """Serve the app until it ends.

    Streamlit reads the settings next to the script, whatever the working directory is.
    """
    command = [sys.executable, "-m", "streamlit", "run", str(SITE_DIR / options.script)]
    if options.port is not None:
        command.append(f"--server.port={options.port}")
    if os.name == "posix":  # replaces this process: signals reach the app, which saves first
        os.execv(sys.executable, command)  # noqa: S606 (our own files)
    return subprocess.call(command)  # noqa: S603
