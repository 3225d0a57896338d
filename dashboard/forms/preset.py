"""The choice of a preset, or of settings made for the text and the time one has."""

from functools import partial
from typing import Any

import streamlit as st

from dashboard.app import (
    allowed_presets,
    current_actor,
    for_visitor,
    get_runner,
    get_store,
    is_restricted,
    own_preset,
    session_keys,
    show_refusal,
)
from dashboard.forms.preflight import expected_seconds
from dashboard.forms.vocabulary import gives_byte_pairs
from gpt_core.access import seconds_left
from gpt_core.model import count_config_parameters
from gpt_core.presets import Preset
from gpt_core.proposals import Proposal, propose
from gpt_core.text import Corpus

TIMES = {"3 minutes": 3, "20 minutes": 20, "an evening": 180}  # to choose from, in minutes


def choose_preset(corpus: Corpus | None) -> Preset:
    """Let the user choose a preset or, for a text, a time that settings are made for."""
    name = st.selectbox(
        "Model and training", allowed_presets(), key=session_keys.PRESET, persist_state="session"
    )
    times = offered_times()
    if st.session_state.get(session_keys.TIME) not in (None, *times):  # a student's time passes
        st.session_state[session_keys.TIME] = None
    if corpus is not None and times:
        time = st.pills(
            "Or settings made for this text and the time you have",
            times,
            key=session_keys.TIME,
            persist_state="session",
        )
        if time is not None:
            try:
                proposal = propose_for(corpus, time)
            except ValueError as error:
                show_refusal(error)
            else:
                st.caption(proposal.reason)
                return for_visitor(proposal.preset, corpus)
    return own_preset(name, corpus)


def offered_times() -> list[str]:
    """Return the times that settings are made for: of a student's, those that are left to them.

    There are none where the teacher chose the presets or fixed settings, as for a lesson.
    """
    if not is_restricted():
        return list(TIMES)
    rules = get_runner().rules
    if rules.presets or rules.hidden:
        return []
    left = seconds_left(get_store(), rules, current_actor())
    return [name for name, minutes in TIMES.items() if 60 * minutes <= left]


def propose_for(corpus: Corpus, time: str) -> Proposal:
    """Return settings that fit a text, one of :data:`TIMES` and, for a student, the class's limits.

    Raises:
        ValueError: the text is too short, or the class allows no model of that kind.
    """
    rules = get_runner().rules if is_restricted() else None
    largest = rules.most_parameters if rules else None
    is_too_large = False

    def seconds_of(*settings: Any) -> float | None:
        nonlocal is_too_large
        model, training, *lengths = settings
        if largest is not None and count_config_parameters(model) > largest:
            is_too_large = True
            return None
        return expected_seconds(Preset(time, "", model, training), *lengths)

    gives = partial(gives_byte_pairs, corpus)
    text_bytes, most_steps = len(corpus.text.encode()), rules.most_steps if rules else None
    try:
        return propose(time, text_bytes, TIMES[time], seconds_of, gives, most_steps)
    except ValueError as error:
        if is_too_large:
            raise ValueError(
                f"The smallest model has more than the {largest:,} parameters that your teacher "
                "allows: choose a preset."
            ) from error
        raise
