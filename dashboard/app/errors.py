"""Refusals and failures in words: on the page, or in a toast above it."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

import streamlit as st

from gpt_core.access import PermissionDenied
from gpt_core.system import describe_error

P = ParamSpec("P")

log = logging.getLogger(__name__)

# What can fail on a machine at any moment: a full disk, a deleted folder, a damaged file.
# Anything else that is not a ValueError is a bug, and is raised as such.
MACHINE_ERRORS = (sqlite3.Error, OSError, MemoryError)


def show_refusal(error: Exception) -> None:
    """Show on the page why something was refused. The message is text, never markup."""
    with st.container(border=True):
        st.markdown(":red[**That did not work**]")
        st.text(_words(error))


def toast(error: Exception) -> None:
    """Show in a toast why something was refused: a callback has no page to write on yet."""
    st.toast(f":red[{as_text(_words(error))}]", duration="long")


def attempt(action: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
    """Call an action in a callback; if it is refused or fails, say so and return False."""
    try:
        action(*args, **kwargs)
    except (ValueError, *MACHINE_ERRORS) as error:
        _note(error)
        toast(error)
        return False
    return True


@contextmanager
def errors_in_words() -> Iterator[None]:
    """Show the machine's failures in this block in words; training continues.

    So is what a visitor may not see any more, because it changed while the page was drawn.
    """
    try:
        yield
    except (PermissionDenied, *MACHINE_ERRORS) as error:
        _note(error)
        show_refusal(error)


def _words(error: Exception) -> str:
    return describe_error(error) if isinstance(error, MACHINE_ERRORS) else str(error)


def _note(error: Exception) -> None:
    """Log a failure of the machine for the operator of the server."""
    if isinstance(error, MACHINE_ERRORS):
        log.error("%s: %s", type(error).__name__, error)


def as_text(text: str) -> str:
    """Escape Markdown's markup characters, for widgets that show only Markdown."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+-.!|$~:" else c for c in text)
