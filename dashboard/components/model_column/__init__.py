"""A GPT's parts as a column: what each adds to the stream of one token, and what it then says.

A part opens to its details and has a switch. What is open stays in the browser; a switch that is
moved is reported, and what the model predicts then is drawn when the page answers.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from dashboard.charts import palette
from dashboard.components.registration import register

_component = register("model_column", '<div class="model-column"></div>')


@dataclass(frozen=True)
class Part:
    """A part of a model and what it adds for one token."""

    name: str  # identifies it; the switch reports it
    title: str
    note: str = ""
    value: float | None = None  # what it adds to the target's logit; None if that has no sense
    details: tuple[str, ...] = ()  # sentences
    label: str = ""  # its name for screen readers, if the title alone does not tell it from others
    is_off: bool = False
    has_switch: bool = True
    heads: tuple["Part", ...] = ()


@dataclass(frozen=True)
class Stage:
    """A row of the column: a part made of parts, the stream beside them, and the lens after it."""

    part: Part
    parts: tuple[Part, ...]
    norms: tuple[float, ...]  # of the stream: before the first of the parts and after each
    says: str = ""  # the lens's best token
    proba: float = 0.0  # its probability
    target_proba: float | None = None


@dataclass(frozen=True)
class Candidate:
    """A token that may come next, with its probability before and after parts are switched off."""

    token: str
    before: float | None  # None: it was not among the most probable
    after: float
    is_target: bool


def model_column(
    stages: Sequence[Stage],
    sentence: str,
    candidates: Sequence[Candidate],
    target: str,
    label: str,
    key: str,
    on_switch: Callable[[str], object],
    on_head: Callable[[str], object],
) -> None:
    """Show a model's parts as a column, and beside it what the model predicts.

    Args:
        stages: the rows, from the embedding to the output.
        sentence: what the model predicts now, in words; read aloud when it changes.
        candidates: the tokens that may come next.
        target: the target, readable.
        label: the column's name for screen readers.
        key: identifies the column on its page.
        on_switch: is called with the name of the part whose switch the user moved.
        on_head: is called with the name of the head whose attention the user asks for.
    """
    names = {part.name for stage in stages for part in _all_parts(stage)}

    def report(event: str, act: Callable[[str], object]) -> None:
        name = st.session_state.get(key, {}).get(event)
        if name in names:  # the browser may send anything
            act(name)

    _component(
        data={
            "label": label,
            "sentence": sentence,
            "target": target,
            "stages": [asdict(stage) for stage in stages],
            "candidates": [asdict(candidate) for candidate in candidates],
            "colors": {"for": palette.TARGET, "against": palette.VALIDATION},
        },
        key=key,
        on_switched_change=lambda: report("switched", on_switch),
        on_head_change=lambda: report("head", on_head),
    )


def _all_parts(stage: Stage) -> list[Part]:
    """Return a stage's part, the parts of it, and their heads."""
    return [stage.part, *stage.parts, *(head for part in stage.parts for head in part.heads)]
