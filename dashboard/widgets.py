"""Pieces of page that several pages show."""

import ast
import inspect
import math
import textwrap
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import cache
from pathlib import Path

import streamlit as st

from dashboard import glossary, state
from dashboard.frames import format_duration
from dashboard.people import current_actor, is_restricted, may_change, owner_name
from dashboard.refusals import attempt, fragment, show_refusal
from dashboard.runtime import get_board, get_roll, get_runner, get_store
from gpt_core.access import is_student
from gpt_core.presets import PRESETS, Preset
from gpt_core.runner import expected_queue
from gpt_core.store import Run
from gpt_core.text import Corpus
from gpt_core.training import with_text_probe
from gpt_core.vocabularies import get_tokenizer
from gpt_core.weights import InitialWeights

STATE_COLORS = {
    "queued": "gray",
    "running": "green",
    "paused": "orange",
    "finished": "blue",
    "stopped": "gray",
    "failed": "red",
    "interrupted": "orange",
}

HELPS = {
    "Pause": "Halts after the present step. Nothing is lost.",
    "Resume": "Goes on exactly where it was.",
    "Stop": "Ends after the present step, with a checkpoint: it can be resumed from there.",
    "One step": "Runs a single update, and shows what it did.",
}

NUMBER_WIDTH = 144  # pixels: four fit beside each other on a page of 1024
LOOK = Path(__file__).parent / "look.css"
PROJECTOR_LOOK = Path(__file__).parent / "projector.css"


def apply_look() -> None:
    """Apply the few style rules that the theme cannot express."""
    st.html(LOOK)
    if state.is_projected():
        st.html(PROJECTOR_LOOK)


def show_notices() -> None:
    """Tell of a damaged record, until somebody has read it: not the students of a class."""
    for path, notice in get_store().notices().items() if not is_restricted() else ():
        with st.container(border=True):
            st.text(notice)
            st.button("I have read this", key=f"read {path.name}", on_click=_put_away, args=(path,))


def _put_away(notice: Path) -> None:
    attempt(notice.unlink, missing_ok=True)


def page_title(title: str, lead: str = "", page: str = "") -> None:
    """Begin a page: its title, its words, and in a sentence what it is; all ours, never a user's.

    ``page`` is its name in the navigation, where that is another.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(title)
        words = glossary.ON_PAGE.get(page or title, ())
        if words:
            with st.popover("Words on this page", type="tertiary", width="content"):
                st.html(glossary.as_html(glossary.TERMS[word] for word in words))
                st.page_link("pages/glossary.py", label="All words")
    if lead:
        st.html(f'<p class="gpt-lead">{lead}</p>')


def start_run(preset: Preset, corpus: Corpus, initial: InitialWeights | None = None) -> str | None:
    """Start a run and return its ID; where that is refused, say why and return None.

    A line of the text is added to its probes: what is learnt by heart, beside what is not.
    """
    try:
        context_length = preset.model.context_length
        config = with_text_probe(preset.training, corpus.text, get_tokenizer(), context_length)
        with st.spinner("Preparing the text…"):  # seen where it is a long one
            return get_runner().start(preset, corpus, config, current_actor(), initial=initial)
    except ValueError as error:
        show_refusal(error)
        return None


def run_buttons(run: Run, place: str) -> None:
    """Show the buttons for what can be done with a run; it is done between two steps."""
    if not may_change(run.owner):
        return
    runner = get_runner()
    actions: list[tuple[str, Callable[[str, str], Future[None]]]] = []
    if run.state in ("running", "queued") and runner.owns(run.id):
        actions = [("Pause", runner.pause), ("Stop", runner.stop)]
    elif run.state == "paused" and runner.owns(run.id):
        actions = [("Resume", runner.resume), ("Stop", runner.stop)]
        if place == "page":  # what it did is shown there
            actions.insert(1, ("One step", runner.step))
    elif run.is_resumable:
        actions = [("Resume", runner.resume)]
    pending = bool(runner.pending(run.id))
    for label, ask in actions:
        st.button(
            label,
            disabled=pending,
            help=HELPS[label],
            on_click=_ask,
            args=(ask, run.id),
            key=f"{label} {run.id} in {place}",
        )


def watch_button(label: str, run: Run) -> None:
    """Offer to show another run on Train, on that page itself.

    A link to the page where one is shows it once and leaves the address: the next redraw goes back.
    """
    if st.button(label, type="tertiary", key=f"{label} {run.id}"):
        state.select_run(run.id)
        st.rerun()


def _ask(ask: Callable[[str, str], "Future[None]"], run_id: str) -> None:
    """Ask without waiting: the redraw shows what is pending, and later what was done."""
    attempt(ask, run_id, current_actor())


def share_toggle(
    label: str, key: str, shared: bool, share: Callable[[bool], None], helped: str
) -> None:
    """Let the owner of something show it to the class, where there is one."""
    if get_roll() is not None:
        st.session_state[key] = shared  # as it is on record: others may change it too
        st.toggle(label, key=key, on_change=_share, args=(share, not shared), help=helped)


def _share(share: Callable[[bool], None], shared: bool) -> None:
    attempt(share, shared)


def show_numbers(numbers: Mapping[str, str], width: int = NUMBER_WIDTH) -> None:
    """Show numbers by what they are called, beside each other; on a phone two by two."""
    with st.container(horizontal=True, gap="medium"):
        for label, number in numbers.items():
            st.metric(label, number, width=width)


def formula(latex: str, meaning: str) -> None:
    """Show a formula and, below it, what its letters stand for."""
    with st.container(border=True):
        st.latex(latex)
        st.caption(meaning)


def show_code(*functions: Callable[..., object]) -> None:
    """Offer the source of functions of the core, as it runs."""
    fragment(_show_code)(*functions)  # opening it draws nothing else


def _show_code(*functions: Callable[..., object]) -> None:
    names = ", ".join(function.__name__ for function in functions)
    expander = st.expander(
        f"Show the code: `{names}`", key=f"{state.CODE}-{names}", on_change="rerun"
    )
    if expander.open:  # a browser takes its time to colour code, also where it is folded away
        with expander:
            for function in functions:
                st.caption(f"`{function.__module__}.{function.__name__}`")
                st.code(_source(function), language="python")


@cache
def _source(function: Callable[..., object]) -> str:
    return inspect.getsource(function)


def show_statements(function: Callable[..., object], *names: str) -> None:
    """Show the lines of a function of the core that make what has these names."""
    lines = _source(function).splitlines()
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
    st.html(f'<p class="gpt-slip"><span>Elsewhere you may have read</span> {text}</p>')


def run_title(run: Run) -> str:
    """Return a run's name or else what it is, on one line."""
    whose = owner_name(run.owner)
    return (run.name or describe_run(run)) + (f" · {whose}" if whose else "")


def describe_run(run: Run) -> str:
    """Return what a run is, on one line."""
    changed = ", changed," if changes_from_preset(run) else ""
    return f"{run.preset}{changed} on {run.text_name}"


def changes_from_preset(run: Run) -> list[str]:
    """Return what differs from the run's preset: "n_layers 4". Not what changes no loss.

    What a user wrote is named without its words: these stand among markup of ours.
    """
    preset = PRESETS.get(run.preset)
    if preset is None:
        return []
    return [
        name if name == "start_context" else f"{name} {value}"
        for name, value in preset.changes(run.model_config, run.training_config).items()
        if not (run.is_veiled and name == "start_context")
        and name not in ("probes", "precision", "device", "keep_epochs")
    ]


def describe_place(run: Run) -> str:
    """Say of a waiting run when its turn comes, as far as that is known."""
    queue = expected_queue(get_board(), get_runner())
    place = next((i for i, waiting in enumerate(queue) if waiting.run.id == run.id), None)
    if place is None:
        return "It waits for its turn."
    turn = "Next in the queue" if place == 0 else f"Place {place + 1} of {len(queue)} in the queue"
    if get_runner().is_held and is_student(run.owner):
        return f"{turn}, which your teacher holds for now."
    return f"{turn}{describe_wait(queue[place].starts_in)}."


def describe_wait(seconds: float) -> str:
    """Say in how many seconds something is expected, if anybody knows: ", in about 2 min"."""
    if math.isinf(seconds):
        return ""
    if seconds < 2:
        return ", any moment"
    roughly = f"{seconds / 60:.0f} min" if 100 <= seconds < 3600 else format_duration(seconds)
    return f", in about {roughly}"


def state_badge(run: Run) -> None:
    """Show a run's state, by word and by colour."""
    text = get_runner().pending(run.id) or run.state
    st.badge(text, color=STATE_COLORS[run.state])  # type: ignore[arg-type]
