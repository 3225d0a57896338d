"""The form that starts a run: preset, text, what is kept on disk."""

import streamlit as st

from dashboard import state
from dashboard.loss_walk import MOST_TASKS, parse_rows
from dashboard.runtime import get_runner
from dashboard.text_choice import choose_corpus
from dashboard.widgets import show_refusal, start_run
from gpt_core import (
    PRESETS,
    Preset,
    TrainingConfig,
    disk_space,
    field_help,
    get_tokenizer,
    token_ids_to_text,
)

PRECISIONS = {
    "auto": "Measured when it starts: bfloat16 where this machine is faster in it, else float32.",
    "float32": "Exact. On a PC's CPU the chapter's run gives the book's losses digit for digit.",
    "bfloat16": "Products are rounded: faster where the CPU can, and near the book's losses only.",
}
MOST_OWN_PROBES = 4


def show_form(label: str) -> None:
    """Let the user choose preset and text, and start."""
    left, right = st.columns(2, gap="large")
    with left:
        preset = choose_preset()
        precision = choose_precision(preset)
    with right:
        corpus = choose_corpus()
        st.page_link("pages/data.py", label="A text of your own, and what becomes of it")
        keep_epochs = choose_kept_epochs(preset)
    probes = choose_probes(preset)
    changes = {"precision": precision, "keep_epochs": keep_epochs, "probes": probes}
    ready = corpus is not None and probes is not None
    if st.button(label, type="primary", disabled=not ready) and corpus:
        live = {run.id for run in get_runner().live_runs()}
        run_id = start_run(preset, corpus, changes)
        if run_id in live:
            st.toast("A run of exactly these settings is live already: here it is.")
        if run_id:
            state.select_run(run_id)
            st.rerun()


def choose_preset() -> Preset:
    """Let the user choose a preset; its one-sentence description stands below."""
    name = st.selectbox(
        "Model and training", list(PRESETS), key=state.PRESET, persist_state="session"
    )
    preset = PRESETS[name]
    st.caption(preset.description)
    return preset


def choose_precision(preset: Preset) -> str:
    """Let the user choose the precision, and say what it changes."""
    precision = st.selectbox(
        "Precision",
        list(PRECISIONS),
        index=list(PRECISIONS).index(preset.training.precision),
        help=field_help(TrainingConfig)["precision"],
        key=f"{state.PRECISION}-{preset.name}",
        persist_state="session",
    )
    st.caption(PRECISIONS[precision])
    return precision


def choose_kept_epochs(preset: Preset) -> int:
    """Let the user choose how many epochs' weights are kept, and say what that takes on disk."""
    kept = st.number_input(
        "Epochs whose weights are kept",
        min_value=0,
        max_value=preset.training.num_epochs,
        value=preset.training.keep_epochs,
        help=field_help(TrainingConfig)["keep_epochs"],
        key=f"{state.KEEP_EPOCHS}-{preset.name}",
        persist_state="session",
    )
    space = disk_space(preset.model, kept)
    st.caption(f"Checkpoints take up to {space / 1e9:.1f} GB of disk.")
    return kept


def choose_probes(preset: Preset) -> tuple[str, ...] | None:
    """Let the user add rows of their own to the probes; None after saying what is wrong."""
    with st.expander("Rows to ask about while it trains"):
        st.caption(
            "At each evaluation the model is asked how probable it finds the tokens of the "
            "chapter's two rows and of a line of the text. Add up to four rows of your own."
        )
        entered = st.text_area(
            "Rows of your own, one per line", key=state.OWN_PROBES, persist_state="session"
        )
    try:
        own = own_probes(entered or "", preset.model.context_length)
    except ValueError as error:
        show_refusal(error)
        return None
    return (*preset.training.probes, *(row for row in own if row not in preset.training.probes))


def own_probes(entered: str, context_length: int) -> tuple[str, ...]:
    """Return the rows that a user entered.

    Raises:
        ValueError: there are too many, or one is too short or too long.
    """
    if not entered.strip():
        return ()
    rows = parse_rows(entered, min(context_length, MOST_TASKS), MOST_OWN_PROBES)
    return tuple(dict.fromkeys(token_ids_to_text(row, get_tokenizer()) for row in rows))
