"""What is refused or goes wrong, in words: in the page, or for a while above it."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

import streamlit as st

from gpt_core.system import describe_error

P = ParamSpec("P")

log = logging.getLogger(__name__)

# What the machine may do to us at any moment: a full disk, a folder that is gone, a damaged file.
# Anything else that is no ValueError is a mistake of ours, and comes up as one.
MACHINE_ERRORS = (sqlite3.Error, OSError, MemoryError)


def show_refusal(error: Exception) -> None:
    """Say in words why something was refused. The message is text, never markup."""
    with st.container(border=True):
        st.markdown(":red[**That did not work**]")
        st.text(_words(error))


def toast(error: Exception) -> None:
    """Say in words, for a while, why something was refused: in a callback there is no page yet."""
    st.toast(f":red[{as_text(_words(error))}]", duration="long")


def attempt(action: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
    """Do something in a callback; where it is refused or goes wrong, say so and return False."""
    try:
        action(*args, **kwargs)
    except (ValueError, *MACHINE_ERRORS) as error:
        _note(error)
        toast(error)
        return False
    return True


@contextmanager
def errors_in_words() -> Iterator[None]:
    """Say in words what the machine does to us in here; what trains goes on."""
    try:
        yield
    except MACHINE_ERRORS as error:
        _note(error)
        show_refusal(error)


def _words(error: Exception) -> str:
    return describe_error(error) if isinstance(error, MACHINE_ERRORS) else str(error)


def _note(error: Exception) -> None:
    """Leave a trace of trouble for whoever runs the server."""
    if isinstance(error, MACHINE_ERRORS):
        log.error("%s: %s", type(error).__name__, error)


def as_text(text: str) -> str:
    """Escape what markdown would read as markup, for the places that show only markdown."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+-.!|$~:" else c for c in text)
