"""What people fill in: a text, a model, weights, settings."""

from dashboard.forms.model import KEPT, ChosenModel, choose_model, chosen_run
from dashboard.forms.rows import enter_rows
from dashboard.forms.settings import LIMITS, MOST_OWN_PROBES, key_of, own_probes
from dashboard.forms.text import choose_corpus, get_library
from dashboard.forms.weights import (
    SHORTEST_CONTEXT,
    Beginning,
    begin_with,
    checkpoint_option,
    choose_beginning,
)

__all__ = [
    "KEPT",
    "LIMITS",
    "MOST_OWN_PROBES",
    "SHORTEST_CONTEXT",
    "Beginning",
    "ChosenModel",
    "begin_with",
    "checkpoint_option",
    "choose_beginning",
    "choose_corpus",
    "choose_model",
    "chosen_run",
    "enter_rows",
    "get_library",
    "key_of",
    "own_probes",
]
