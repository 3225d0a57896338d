"""The page's address: the model, the text, the token, the head and what is switched off.

A reload, or another browser with the same address, shows the same. Anyone may write an address:
what it says is bounded and checked, or ignored.
"""

import re

import streamlit as st

from dashboard.app import session_keys
from dashboard.inside.reading import DEFAULT, MAX_CHARACTERS

MODEL, STEP, TEXT, TOKEN, HEAD, OFF = "model", "step", "text", "token", "head", "off"
SECOND, SECOND_STEP = "second", "second_step"  # the model beside the first, and its step
INSTEAD, MEAN = "instead", "mean"  # what replaces parts that are off, unless zeros
NAMES = (MODEL, STEP, TEXT, TOKEN, HEAD, OFF, INSTEAD, SECOND, SECOND_STEP)
MAX_NAME = 100  # characters of a model's name
MAX_OFF = 64  # parts that are switched off
INTEGER = re.compile(r"-?[0-9]{1,9}")
PART = re.compile(r"pos_emb|trf_blocks\.[0-9]{1,4}(\.(ff|att(\.[0-9]{1,4})?))?")
LAYER_AND_HEAD = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")


def restore() -> None:
    """Show what the address says, unless the page itself wrote it."""
    query, state = _address(), st.session_state
    if query == state.get(session_keys.INSIDE_LINK):
        return
    state[session_keys.INSIDE_LINK] = query
    _restore_model(query.get(MODEL, ""), query.get(STEP, ""), "")
    _restore_model(query.get(SECOND, ""), query.get(SECOND_STEP, ""), session_keys.INSIDE_SECOND)
    if query:
        state[session_keys.INSIDE_COMPARES] = SECOND in query
        state[session_keys.INSIDE_REPLACEMENT] = MEAN if query.get(INSTEAD) == MEAN else "zero"
    if text := query.get(TEXT, "")[:MAX_CHARACTERS]:
        state[session_keys.INSIDE_TEXT] = text
    if INTEGER.fullmatch(query.get(TOKEN, "")):
        state[session_keys.INSIDE_TOKEN] = max(0, int(query[TOKEN]))
    if found := LAYER_AND_HEAD.fullmatch(query.get(HEAD, "")):
        state[session_keys.INSIDE_HEAD] = (int(found[1]), int(found[2]))
    if query:
        parts = query.get(OFF, "").split(",")[:MAX_OFF]
        state[session_keys.INSIDE_OFF] = [part for part in parts if PART.fullmatch(part)]


def _restore_model(model: str, step: str, slot: str) -> None:
    """Choose a model and its step; the choice says so if there is no such model."""
    if model := model[:MAX_NAME]:
        st.session_state[session_keys.WALK_MODEL + slot] = model
        if INTEGER.fullmatch(step):
            st.session_state[f"{session_keys.WALK_STEP}{slot}-{model}"] = int(step)


def keep() -> None:
    """Write into the address what the page shows."""
    state = st.session_state
    model = state.get(session_keys.WALK_MODEL)
    layer, head = state.get(session_keys.INSIDE_HEAD, (None, None))
    text = state.get(session_keys.INSIDE_TEXT, DEFAULT)
    slot = session_keys.INSIDE_SECOND
    compares = state.get(session_keys.INSIDE_COMPARES)
    second = state.get(session_keys.WALK_MODEL + slot) if compares else None
    said = {
        MODEL: model,
        STEP: state.get(f"{session_keys.WALK_STEP}-{model}"),
        TEXT: None if text == DEFAULT else text,
        TOKEN: state.get(session_keys.INSIDE_TOKEN),
        HEAD: None if head is None else f"{layer}.{head}",
        OFF: ",".join(state.get(session_keys.INSIDE_OFF, [])) or None,
        INSTEAD: MEAN if state.get(session_keys.INSIDE_REPLACEMENT) == MEAN else None,
        SECOND: second,
        SECOND_STEP: state.get(f"{session_keys.WALK_STEP}{slot}-{second}"),
    }
    query = {name: str(value) for name, value in said.items() if value is not None}
    if query != _address():
        others = st.query_params.to_dict()
        for name in (*NAMES, session_keys.RUN):  # the model is named now
            others.pop(name, None)
        st.query_params.from_dict({**others, **query})
    state[session_keys.INSIDE_LINK] = query


def _address() -> dict[str, str]:
    """Return what the address says about this page."""
    return {name: st.query_params[name] for name in NAMES if name in st.query_params}
