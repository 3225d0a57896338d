"""The parts of the Tokens page."""

from dashboard.tokens.merges import show_merges
from dashboard.tokens.own_vocabulary import show_own_vocabulary
from dashboard.tokens.text_and_ids import enter_text, show_ids_to_text, show_tokens
from dashboard.tokens.toy import show_toy
from dashboard.tokens.windows import show_window

__all__ = [
    "enter_text",
    "show_ids_to_text",
    "show_merges",
    "show_own_vocabulary",
    "show_tokens",
    "show_toy",
    "show_window",
]
