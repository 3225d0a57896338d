"""Looking at files of weights from elsewhere before anything reads them."""

from gpt_core.weights.checks.headers import MAX_TENSORS, check_safetensors_file
from gpt_core.weights.checks.pickles import check_pickled_file

__all__ = ["MAX_TENSORS", "check_pickled_file", "check_safetensors_file"]
