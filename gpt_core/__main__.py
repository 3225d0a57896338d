"""Run the command line: ``python -m gpt_core``."""

from gpt_core.cli import run

if __name__ == "__main__":
    run()
