"""Pieces of page that several pages show."""

from contextlib import suppress

import streamlit as st

from dashboard import state
from dashboard.runtime import get_runner
from gpt_core import BUNDLED_TEXTS, PRESETS, VERDICT, VERDICT_TITLE, Corpus, Preset, Run

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


def start_run(preset: Preset, corpus: Corpus) -> str | None:
    """Start a run and return its ID; where that is refused, say why and return None."""
    try:
        return get_runner().start(preset, corpus)
    except ValueError as error:
        show_refusal(error)
        return None


def stop_run(run_id: str) -> None:
    """Ask a run to stop; if it has ended meanwhile, the redraw shows how."""
    with suppress(ValueError):
        get_runner().stop(run_id)


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


def choose_preset() -> Preset:
    """Let the user choose a preset; its one-sentence description stands below."""
    name = st.selectbox(
        "Model and training", list(PRESETS), key=state.PRESET, persist_state="session"
    )
    preset = PRESETS[name]
    st.caption(preset.description)
    return preset


UPLOADED = "upload"


def choose_text() -> str:
    """Let the user choose a text and return its name, or UPLOADED for a file of their own."""
    titles = {**BUNDLED_TEXTS, VERDICT: VERDICT_TITLE, UPLOADED: "A file of your own…"}
    return st.selectbox(
        "Text",
        list(titles),
        format_func=lambda name: titles[name],
        key=state.TEXT,
        persist_state="session",
    )
