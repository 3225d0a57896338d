"""What was computed of a model, kept for the session so that no draw runs the model again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import streamlit as st

from dashboard.app.session_keys import INSIDE_RESULTS
from gpt_core.model import GPTModel

T = TypeVar("T")

MAX_RESULTS = 8  # of a kind, for each model; the oldest go first


def remember(
    model: GPTModel, kind: str, key: Hashable, compute: Callable[[], T], keep: int = MAX_RESULTS
) -> T:
    """Return what was computed of a model before or, if there is no such result, compute it.

    Results are a session's own. The model is held weakly: the model cache may unload it.

    Args:
        model: the model.
        kind: what is computed.
        key: of what else it depends.
        compute: does it.
        keep: how many results of this kind stay.
    """
    results = _results_of(model, kind)
    if key not in results:
        results[key] = compute()
        while len(results) > keep:
            results.popitem(last=False)
    return results[key]


def is_remembered(model: GPTModel, kind: str, key: Hashable) -> bool:
    """Tell whether a result is there already."""
    return key in _results_of(model, kind)


def _results_of(model: GPTModel, kind: str) -> OrderedDict[Hashable, Any]:
    kept = st.session_state.setdefault(INSIDE_RESULTS, WeakKeyDictionary())
    return kept.setdefault(model, {}).setdefault(kind, OrderedDict())
