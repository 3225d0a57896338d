"""Pieces of page that several pages show."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import streamlit as st

from dashboard.runtime import get_runner
from gpt_core import Corpus, Preset, Run

STATE_COLORS = {
    "queued": "gray",
    "running": "green",
    "paused": "orange",
    "finished": "blue",
    "stopped": "gray",
    "failed": "red",
    "interrupted": "orange",
}

# Digits of equal width, so that numbers that change each second do not jump; a page's
# text no wider than is easy to read; less empty space above the first line.
LOOK = """
<style>
[data-testid="stMetricValue"], [data-testid="stProgress"] { font-variant-numeric: tabular-nums; }
[data-testid="stMainBlockContainer"] { max-width: 72rem; padding-top: 3.5rem; }
</style>
"""


def apply_look() -> None:
    """Apply the few style rules that the theme cannot express."""
    st.html(LOOK)


def start_run(
    preset: Preset, corpus: Corpus, changes: Mapping[str, Any] | None = None
) -> str | None:
    """Start a run and return its ID; where that is refused, say why and return None."""
    try:
        return get_runner().start(preset, corpus, replace(preset.training, **(changes or {})))
    except ValueError as error:
        show_refusal(error)
        return None


def run_button(
    label: str, ask: Callable[[str], "Future[None]"], run_id: str, disabled: bool
) -> None:
    """Show a button that asks something of a run; it is done between two steps."""
    st.button(label, disabled=disabled, on_click=_ask, args=(ask, run_id))


def _ask(ask: Callable[[str], "Future[None]"], run_id: str) -> None:
    """Ask without waiting: the redraw shows what is pending, and later what was done."""
    try:
        ask(run_id)
    except ValueError as error:
        st.toast(f":red[{_as_text(str(error))}]")


def _as_text(text: str) -> str:
    """Escape what markdown would read as markup, for the places that show only markdown."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+-.!|$~:" else c for c in text)


def show_refusal(error: ValueError) -> None:
    """Say in words why something was refused. The message is text, never markup."""
    with st.container(border=True):
        st.markdown(":red[**That does not work yet**]")
        st.text(str(error))


def run_title(run: Run) -> str:
    """Return what a run is, on one line."""
    return f"{run.preset} on {run.text_name}"


def state_badge(run: Run) -> None:
    """Show a run's state, by word and by colour."""
    text = get_runner().pending(run.id) or run.state
    st.badge(text, color=STATE_COLORS[run.state])  # type: ignore[arg-type]
