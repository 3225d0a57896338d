"""Weights: the checkpoints of all runs, to take home or train further; models from elsewhere."""

import streamlit as st

from dashboard.app import (
    fragment,
    get_visible_runs,
    refresh_seconds,
    session_keys,
)
from dashboard.forms import describe_missing_weights
from dashboard.ui import page_title, run_title, show_code
from dashboard.weights import models, show_checkpoints
from gpt_core.store import Run
from gpt_core.weights import (
    export_gpt2,
    load_weights,
    read_book,
    read_gpt2,
)

LIVE_SECONDS = 3  # between two redraws of a live run's checkpoints: it saves and drops them


def choose_run(runs: dict[str, Run]) -> Run:
    """Let the user choose a run; the one that the address names comes first."""
    wanted = st.query_params.get(session_keys.RUN)
    if wanted != st.session_state.get(session_keys.WEIGHTS_LINK):  # opened by another link
        st.session_state[session_keys.WEIGHTS_LINK] = wanted
        if wanted in runs:
            st.session_state[session_keys.WEIGHTS_RUN] = wanted
    return runs[
        st.selectbox(
            "Run",
            list(runs),
            format_func=lambda run_id: describe(runs[run_id]),
            key=session_keys.WEIGHTS_RUN,
            persist_state="session",
        )
    ]


def describe(run: Run) -> str:
    """Return a run's name in the list, with its ID: Streamlit takes equal names for one."""
    named = f"{run.name} · {run.id}" if run.name else run.id
    return f"{named} · {run.text_name}"


page_title(
    "Weights",
    "What a run has learnt is a set of matrices and vectors. Take them home, train them further, "
    "or bring in those of other models, such as OpenAI's GPT-2.",
)
kept = {run.id: run for run in get_visible_runs().runs() if get_visible_runs().checkpoints(run.id)}
linked = get_visible_runs().run(st.query_params.get(session_keys.RUN, ""))
if linked is not None and linked.id not in kept and not linked.is_redacted:
    st.text(f"{run_title(linked)} · {linked.id}: {describe_missing_weights(linked)}")
if kept:
    run = choose_run(kept)
    every = refresh_seconds(LIVE_SECONDS) if run.is_live else None
    fragment(show_checkpoints, run_every=every)(run.id, run.state)
else:
    st.text(
        "No run has saved weights yet: the first are saved at its first evaluation. Kept are the "
        "best by validation loss, those of the last epochs (keep_epochs) and of the last step."
    )
    st.page_link("pages/home.py", label="Start one on Home")

st.header("From elsewhere")
models.show_models()
models.bring_in()

st.subheader("In Python")
st.text("Load and export: this app's folder, Hugging Face's GPT-2, a file of the book's code.")
show_code(load_weights, read_gpt2, export_gpt2, read_book)
