"""What people fill in: a text, a model, weights, settings."""

from dashboard.forms.axes import AXIS_NAMES, BITS_PER_BYTE, choose_axes
from dashboard.forms.model import (
    LIBRARY,
    NOW,
    ChosenModel,
    choose_model,
    chosen_run,
    describe_missing_weights,
)
from dashboard.forms.preset import choose_preset
from dashboard.forms.reading import reading_turn
from dashboard.forms.rows import DEFAULT_ROWS, MAX_TASKS, enter_rows, parse_rows
from dashboard.forms.settings import LIMITS, MAX_OWN_PROBES, key_of, own_probes
from dashboard.forms.text import choose_corpus, get_library
from dashboard.forms.uploader import choose_files
from dashboard.forms.weights import (
    MIN_CONTEXT_LENGTH,
    StartingWeights,
    checkpoint_option,
    choose_starting_weights,
    start_from,
)

__all__ = [
    "AXIS_NAMES",
    "BITS_PER_BYTE",
    "DEFAULT_ROWS",
    "LIBRARY",
    "LIMITS",
    "MAX_OWN_PROBES",
    "MAX_TASKS",
    "MIN_CONTEXT_LENGTH",
    "NOW",
    "ChosenModel",
    "StartingWeights",
    "checkpoint_option",
    "choose_axes",
    "choose_corpus",
    "choose_files",
    "choose_model",
    "choose_preset",
    "choose_starting_weights",
    "chosen_run",
    "describe_missing_weights",
    "enter_rows",
    "get_library",
    "key_of",
    "own_probes",
    "parse_rows",
    "reading_turn",
    "start_from",
]
