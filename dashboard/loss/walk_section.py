"""The walk as one part of the Loss page: its rows, its result, its steps, its positions."""

from collections.abc import Callable

import streamlit as st

from dashboard.app import session_keys, show_refusal
from dashboard.charts import format_exactly
from dashboard.forms import MAX_TASKS, enter_rows
from dashboard.loss import steps
from dashboard.loss.walk import Position, Walk, compute_walk
from dashboard.ui import heading, show_code, show_numbers, show_table
from gpt_core.model import GPTModel, loss_walkthrough
from gpt_core.vocabularies import GPT2_VOCABULARY, read_vocabulary


def show_walk(
    fetch: Callable[[], GPTModel | None] | None,
    context_length: int = MAX_TASKS,
    vocabulary: str = GPT2_VOCABULARY,
) -> None:
    """Draw the walk of the rows that are entered: as a fragment, so an edit redraws nothing else.

    A fragment's arguments stay in memory while the page is open. So it is given a function that
    fetches the model, not the model: the cache may unload it, or its owner may stop sharing it.
    """
    rows = enter_rows(context_length, read_vocabulary(vocabulary))
    if not rows or fetch is None:
        return
    try:
        model = fetch()
        if model is None:
            st.rerun()
        walk = compute_walk(model, rows)
    except ValueError as error:
        show_refusal(error)
        return
    _show_result(walk)
    steps.show_rows(walk)
    position = _choose_position(walk)
    steps.show_logits(walk, position)
    steps.show_probas(walk, position)
    steps.show_predictions(walk)
    steps.show_target_probas(walk)
    steps.show_logs(walk)
    steps.show_mean(walk)
    steps.show_loss(walk)
    steps.show_one_call(walk)
    steps.show_perplexity(walk)
    heading("Every position")
    _show_table(walk)
    show_code(loss_walkthrough)


def _show_result(walk: Walk) -> None:
    """Show the walk's result above its steps, beside the rows that are edited."""
    show_numbers(
        {
            "Loss": f"{walk.loss:.4f}",
            "Perplexity": f"{walk.steps.perplexity:,.1f}",
            "Prediction tasks": f"{len(walk.positions)}",
        }
    )


def _choose_position(walk: Walk) -> Position:
    """Let the user choose the position that steps 1 and 2 show."""
    chosen = st.selectbox(
        "Show position",
        range(len(walk.positions)),
        format_func=lambda i: f"p{walk.positions[i].name}",  # unchanged when the words are edited
        key=session_keys.WALK_POSITION,
        persist_state="session",
    )
    position = walk.positions[min(chosen, len(walk.positions) - 1)]
    st.text(f"After “{position.context}” the target is “{position.target}”.")
    return position


def _show_table(walk: Walk) -> None:
    """Show a table of all positions and their values."""
    show_table(
        [
            {
                "position": f"p{p.name}",
                "after": p.context,
                "target": p.target,
                "target ID": p.target_id,
                "probability": format_exactly(p.proba),
                "log": f"{p.log_proba:.4f}",
                "rank": p.rank,
                "argmax": p.predicted,
            }
            for p in walk.positions
        ],
        bare=["target ID"],
    )
