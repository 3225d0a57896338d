"""Where the files lie that come with the project: the vocabulary and the texts."""

from pathlib import Path

DATA_DIR = Path(__file__).parents[2] / "data"
