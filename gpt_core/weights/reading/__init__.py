"""Reading weights from elsewhere in a process of its own, which hands them back in our format."""

from gpt_core.weights.reading.conversion import CONVERT, weights_reader
from gpt_core.weights.reading.formats import read_files

__all__ = ["CONVERT", "read_files", "weights_reader"]
