"""Looking at files of weights from elsewhere before anything reads them."""

from gpt_core.weights.checks.pickles import check_pickled_file

__all__ = ["check_pickled_file"]
