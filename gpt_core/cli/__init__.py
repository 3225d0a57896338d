"""The command line: ``python -m gpt_core train`` or, once installed, ``gpt-lab train``."""

from gpt_core.cli.commands import create_parser, main, run, run_command

__all__ = ["create_parser", "main", "run", "run_command"]
