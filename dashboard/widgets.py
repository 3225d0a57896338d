"""Pieces of page that several pages show."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.runtime import get_runner
from gpt_core import Corpus, Preset, Run, get_tokenizer, with_text_probe

STATE_COLORS = {
    "queued": "gray",
    "running": "green",
    "paused": "orange",
    "finished": "blue",
    "stopped": "gray",
    "failed": "red",
    "interrupted": "orange",
}

LOOK = Path(__file__).parent / "look.css"


def apply_look() -> None:
    """Apply the few style rules that the theme cannot express."""
    st.html(LOOK)


def page_title(name: str, lead: str) -> None:
    """Begin a page: its name, and in a sentence what it is. Both are ours, never a user's."""
    st.title(name)
    st.html(f'<p class="gpt-lead">{lead}</p>')


def start_run(
    preset: Preset, corpus: Corpus, changes: Mapping[str, Any] | None = None
) -> str | None:
    """Start a run and return its ID; where that is refused, say why and return None.

    A line of the text is added to its probes: what is learnt by heart, beside what is not.
    """
    try:
        config = replace(preset.training, **(changes or {}))
        context_length = preset.model.context_length
        config = with_text_probe(config, corpus.text, get_tokenizer(), context_length)
        with st.spinner("Preparing the text…"):  # seen where it is a long one
            return get_runner().start(preset, corpus, config)
    except ValueError as error:
        show_refusal(error)
        return None


def run_buttons(run: Run, place: str) -> None:
    """Show the buttons for what can be done with a run; it is done between two steps."""
    runner = get_runner()
    actions: list[tuple[str, Callable[[str], Future[None]]]] = []
    if run.state in ("running", "queued") and runner.owns(run.id):
        actions = [("Pause", runner.pause), ("Stop", runner.stop)]
    elif run.state == "paused" and runner.owns(run.id):
        actions = [("Resume", runner.resume), ("Stop", runner.stop)]
    elif run.is_resumable:
        actions = [("Resume", runner.resume)]
    pending = bool(runner.pending(run.id))
    for label, ask in actions:
        st.button(
            label,
            disabled=pending,
            on_click=_ask,
            args=(ask, run.id),
            key=f"{label} {run.id} in {place}",
        )


def _ask(ask: Callable[[str], "Future[None]"], run_id: str) -> None:
    """Ask without waiting: the redraw shows what is pending, and later what was done."""
    try:
        ask(run_id)
    except ValueError as error:
        toast(error)


def toast(error: ValueError) -> None:
    """Say in words, for a while, why something was refused: in a callback there is no page yet."""
    st.toast(f":red[{_as_text(str(error))}]", duration="long")


def _as_text(text: str) -> str:
    """Escape what markdown would read as markup, for the places that show only markdown."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+-.!|$~:" else c for c in text)


def show_refusal(error: ValueError) -> None:
    """Say in words why something was refused. The message is text, never markup."""
    with st.container(border=True):
        st.markdown(":red[**That does not work yet**]")
        st.text(str(error))


def formula(latex: str, meaning: str) -> None:
    """Show a formula and, below it, what its letters stand for."""
    with st.container(border=True):
        st.latex(latex)
        st.caption(meaning)


def show_code(*functions: Callable[..., object]) -> None:
    """Offer the source of functions of the core, as it runs."""
    names = ", ".join(function.__name__ for function in functions)
    with st.expander(f"Show the code: `{names}`"):
        for function in functions:
            st.caption(f"`{function.__module__}.{function.__name__}`")
            st.code(inspect.getsource(function), language="python")


def show_statements(function: Callable[..., object], *names: str) -> None:
    """Show the lines of a function of the core that make what has these names."""
    lines = inspect.getsource(function).splitlines()
    shown = [
        line
        for statement in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(statement, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id in names for t in statement.targets)
        for line in lines[statement.lineno - 1 : statement.end_lineno]
    ]
    st.code(textwrap.dedent("\n".join(shown)), language="python", wrap_lines=True)


def slip(text: str) -> None:
    """Point out what circulating notes get wrong. The text is ours, never a user's."""
    st.html(f'<p class="gpt-slip"><span>You may have met</span> {text}</p>')


def run_title(run: Run) -> str:
    """Return what a run is, on one line."""
    return f"{run.preset} on {run.text_name}"


def state_badge(run: Run) -> None:
    """Show a run's state, by word and by colour."""
    text = get_runner().pending(run.id) or run.state
    st.badge(text, color=STATE_COLORS[run.state])  # type: ignore[arg-type]
