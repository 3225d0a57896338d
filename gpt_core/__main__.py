"""``python -m gpt_core``: the terminal."""

from gpt_core.cli import run

if __name__ == "__main__":
    run()
