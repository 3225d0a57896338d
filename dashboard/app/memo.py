"""What was computed of a model, kept for the session so that no draw runs the model again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import streamlit as st

from dashboard.app.session_keys import INSIDE_RESULTS
from gpt_core.model import GPTModel

T = TypeVar("T")

MAX_RESULTS = 24  # of a model; the oldest go first


def remember(model: GPTModel, key: Hashable, compute: Callable[[], T]) -> T:
    """Return the result of a model and a key from before or, if there is none, compute it.

    Results are a session's own. The model is held weakly: the model cache may unload it.
    """
    results = _results_of(model)
    if key not in results:
        results[key] = compute()
        if len(results) > MAX_RESULTS:
            results.popitem(last=False)
    return results[key]


def is_remembered(model: GPTModel, key: Hashable) -> bool:
    """Tell whether a result is there already."""
    return key in _results_of(model)


def _results_of(model: GPTModel) -> OrderedDict[Hashable, Any]:
    kept = st.session_state.setdefault(INSIDE_RESULTS, WeakKeyDictionary())
    return kept.setdefault(model, OrderedDict())
