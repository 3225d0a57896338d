"""The choice of starting weights: random, from a library model, or from a checkpoint."""

from dataclasses import dataclass, replace

import streamlit as st

from dashboard.app import (
    current_actor,
    get_model_cache,
    get_models,
    get_store,
    get_visible_runs,
    session_keys,
    show_refusal,
)
from dashboard.charts import count
from dashboard.forms.model import GONE, LIBRARY, library_titles, show_library_note
from dashboard.ui import run_title
from gpt_core.presets import Preset
from gpt_core.weights import INITIAL_STEP, InitialWeights

MIN_CONTEXT_LENGTH = 3  # for the chapter's two rows, which are probes of each run
RANDOM = ""
CHECKPOINT = "checkpoint:"


@dataclass(frozen=True)
class StartingWeights:
    """The starting weights of a run: the chosen option, and its weights unless random."""

    option: str = RANDOM
    weights: InitialWeights | None = None

    def preset(self, preset: Preset) -> Preset:
        """Return a preset with the weights' model and vocabulary, and its other settings."""
        if self.weights is None:
            return preset
        model = self.weights.config(preset.model)
        training = replace(preset.training, vocabulary=self.weights.vocabulary)
        return replace(preset, model=model, training=training)


def checkpoint_option(run_id: str, step: int) -> str:
    """Return the form's option for the checkpoint of a run at a step."""
    return f"{CHECKPOINT}{run_id}:{step}"


def start_from(option: str) -> None:
    """Open the form on Train with these weights chosen."""
    st.session_state[session_keys.START_FROM] = option
    st.session_state[
        session_keys.QUEUE if get_visible_runs().own_live_runs() else session_keys.START
    ] = True
    st.switch_page("pages/train.py")


def choose_starting_weights() -> StartingWeights | None:
    """Let the user choose the starting weights; None after saying why they cannot be loaded."""
    titles = {RANDOM: "Random ones, drawn from the seed", **library_titles()}
    chosen = st.session_state.get(session_keys.START_FROM) or RANDOM
    if chosen.startswith(CHECKPOINT):  # the only checkpoint offered: the one chosen on Weights
        titles[chosen] = _title(chosen)
    titles.setdefault(chosen, GONE)
    option = st.selectbox(
        "Weights to begin with",
        list(titles),
        format_func=lambda option: titles[option],
        key=session_keys.START_FROM,
        persist_state="session",
    )
    if option == RANDOM:
        return StartingWeights()
    try:
        with st.spinner("Loading the weights…"):
            if option.startswith(LIBRARY):
                model = get_model_cache().library_model(
                    get_models(), option.removeprefix(LIBRARY), actor=current_actor()
                )
            else:
                run_id, _, step = option.removeprefix(CHECKPOINT).rpartition(":")
                model = get_model_cache().checkpoint(
                    get_store(), run_id, int(step), actor=current_actor()
                )
        if model.config.context_length < MIN_CONTEXT_LENGTH:
            raise ValueError(
                f"Its context of {count(model.config.context_length, 'token')} is too short to be "
                f"trained here: at least {MIN_CONTEXT_LENGTH} are needed. Choose other weights."
            )
    except ValueError as error:
        show_refusal(error)
        return None
    st.caption(
        "The model's size comes with the weights; context_length, drop_rate and the training "
        "settings come from the preset. Trained weights lose less of what they learnt with a "
        "smaller learning_rate, such as 5e-5."
    )
    if option.startswith(LIBRARY):
        show_library_note(option)
    return StartingWeights(option, InitialWeights(_name(option, titles[option]), model))


def _name(option: str, title: str) -> str:
    """Return the name of weights in a run's record: a run's starting weights keep theirs."""
    run_id, _, step = option.removeprefix(CHECKPOINT).rpartition(":")
    run = get_visible_runs().run(run_id) if option.startswith(CHECKPOINT) else None
    return run.initial_name if run and int(step) == INITIAL_STEP else title


def _title(option: str) -> str:
    """Return the title of a checkpoint's option."""
    run_id, _, step = option.removeprefix(CHECKPOINT).rpartition(":")
    run = get_visible_runs().run(run_id)
    name = run_title(run) if run else run_id
    return f"{name}, as it began" if int(step) == INITIAL_STEP else f"{name}, at step {int(step):,}"
