"""The choice of a model: untrained, from the library, a live run's, or a checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import streamlit as st

from dashboard.app import (
    current_actor,
    current_run,
    get_model_cache,
    get_models,
    get_runner,
    get_store,
    get_visible_runs,
    may_show,
    session_keys,
    show_refusal,
)
from dashboard.ui import can_be_copied, run_title
from gpt_core.export import RECORDED_RUN
from gpt_core.model import GPTModel
from gpt_core.presets import PRESETS
from gpt_core.store import Run
from gpt_core.weights import INITIAL_STEP

UNTRAINED_SEED = 123
# The presets that are offered untrained: with byte pairs of its own, a model needs a text first.
UNTRAINED = sorted(name for name, preset in PRESETS.items() if preset.training.vocabulary == "gpt2")
LIBRARY = "model:"  # prefix of the key of a library model
GONE = "The chosen model is not here any more"
NOW = -2  # among a run's steps: the model as it is now (-1 is before the first update)


@dataclass(frozen=True)
class ChosenModel:
    """A model in eval mode, its name, and a function that fetches it again from the model cache.

    Fetching checks the visitor's permission again; it returns None if the model no longer exists.
    """

    model: GPTModel
    name: str
    fetch: Callable[[], GPTModel | None]


def choose_model(
    label: str = "Model", slot: str = "", *, prefers_run: bool = False
) -> ChosenModel | None:
    """Let the user choose a model, and build or load it; None after saying why it fails.

    Runs without weights are left out, except the one that a link names: its page says why.

    Args:
        label: the name of the choice.
        slot: tells the choice from others on its page; a link to a run is for that without one.
        prefers_run: whether, until the user chooses, the current run's model is shown.
    """
    model_key = session_keys.WALK_MODEL + slot
    runs = {run.id: run for run in get_visible_runs().runs() if not run.is_redacted}
    kept = library_titles()
    with_weights = [run_id for run_id, run in runs.items() if _has_weights(run)]
    options = [*UNTRAINED, *kept, *with_weights]  # the chapter's model first
    wanted = st.query_params.get(session_keys.RUN)
    if not slot and wanted != st.session_state.get(session_keys.WALK_LINK):  # by another link
        st.session_state[session_keys.WALK_LINK] = wanted
        if wanted in runs:
            st.session_state[model_key] = wanted
    current = current_run()
    if prefers_run and model_key not in st.session_state and current and current.id in with_weights:
        st.session_state[model_key] = current.id
    before = st.session_state.get(model_key)
    if before is not None and before not in options:
        options.append(before)  # it must not be replaced by another unnoticed
    choice = st.selectbox(
        label,
        options,
        format_func=lambda option: (
            f"Untrained {option}, seed {UNTRAINED_SEED}"
            if option in UNTRAINED
            else kept.get(option)
            or (f"{run_title(runs[option])} · {option}" if option in runs else GONE)
        ),
        key=model_key,
        persist_state="session",
    )
    try:
        if choice in UNTRAINED:
            fetch = partial(get_model_cache().untrained, PRESETS[choice].model, UNTRAINED_SEED)
            with st.spinner("Building the model…"):
                return ChosenModel(fetch(), f"Untrained {choice}, seed {UNTRAINED_SEED}", fetch)
        if choice in kept:
            key = choice.removeprefix(LIBRARY)
            fetch = partial(
                get_model_cache().library_model, get_models(), key, actor=current_actor()
            )
            with st.spinner("Loading the model…"):
                chosen = ChosenModel(fetch(), kept[choice], fetch)
            show_library_note(choice)
            return chosen
        if choice not in runs:
            raise ValueError("The chosen model is not here any more: choose another one.")
        return _choose_moment(runs[choice], slot, "When" if not slot else f"{label}: when")
    except TimeoutError:
        st.text("The run did not finish a step within a minute. Try again.")
    except ValueError as error:
        show_refusal(error)
    return None


def describe_missing_weights(run: Run) -> str:
    """Return in words why a run has no weights to choose."""
    if run.is_live:
        return "This run has saved no weights yet: the first are saved at its first evaluation."
    if run.id == RECORDED_RUN:
        return "This run comes with the app as a recording, without its weights."
    return "This run has ended, and none of its weights are saved."


def _has_weights(run: Run) -> bool:
    """Tell whether a run has a checkpoint, or a model in training that can be copied."""
    return can_be_copied(run) or bool(get_visible_runs().checkpoints(run.id))


def library_titles() -> dict[str, str]:
    """Return the models of the library as options, each with a unique title."""
    titles: dict[str, str] = {}
    for entry in filter(may_show, get_models().models(actor=current_actor())):
        title = f"{entry.name}, {entry.source}"
        # Streamlit identifies an option by its text, so no two may be equal.
        titles[LIBRARY + entry.key] = f"{title} {entry.key}" if title in titles.values() else title
    return titles


def show_library_note(option: str) -> None:
    """Show what was assumed or left out to read a library model, once it has been loaded."""
    entry = get_models().find(option.removeprefix(LIBRARY), actor=current_actor())
    if entry.note:
        st.caption(entry.note)


def _choose_moment(run: Run, slot: str, label: str) -> ChosenModel | None:
    """Let the user choose the model of a run: as it is now, or at one of its checkpoints."""
    visible = get_visible_runs()
    steps = sorted({int(row.global_step) for row in visible.checkpoints(run.id)}, reverse=True)
    best = visible.best_checkpoint(run.id)
    is_here = get_runner().owns(run.id)
    if can_be_copied(run):  # another process has to save it: what is saved comes first
        steps.insert(0 if is_here else 1, NOW)
    if not steps:
        st.text(f"{describe_missing_weights(run)} Choose another model.")
        return None
    if not run.initial_sha256:  # drawn from its seed, and so never saved
        steps.append(INITIAL_STEP)

    def describe(step: int) -> str:
        if step == NOW:
            return "as it is now (a copy)" if is_here else "as it is now (it saves a checkpoint)"
        if step == INITIAL_STEP:
            return "before its first update"
        epoch = run.epoch_ended_by(step)
        return f"at step {step:,}" + (f", the end of epoch {epoch}" if epoch else "")

    key = f"{session_keys.WALK_STEP}{slot}-{run.id}"
    before = st.session_state.get(key)
    step = st.selectbox(label, steps, format_func=describe, key=key)
    if before is not None and before != step:
        st.text(f"No longer available: {describe(before)}. Another moment is shown.")
    if step == NOW:
        return _snapshot(run, slot)
    if best is not None and step == best.global_step:
        st.caption("The one with the lowest validation loss, which need not be the last.")
    if step == INITIAL_STEP and not run.initial_sha256:
        fetch = partial(get_model_cache().initial, get_store(), run.id, actor=current_actor())
    else:
        fetch = partial(
            get_model_cache().checkpoint, get_store(), run.id, step, actor=current_actor()
        )
    with st.spinner("Loading the weights…"):
        return ChosenModel(fetch(), f"{run_title(run)}, {describe(step)}", fetch)


def _snapshot(run: Run, slot: str) -> ChosenModel:
    """Return a copy of a live run's model: the last one, until the user asks for a new one."""
    key = f"{session_keys.SNAPSHOT}{slot}-{run.id}"
    about = "Takes a new copy of the model between two steps."
    if st.button("Take a new copy", key=f"new-{key}", help=about):
        st.session_state.pop(key, None)
    step = st.session_state.get(key, NOW)
    model = get_model_cache().last_snapshot(get_store(), run.id, step, actor=current_actor())
    if model is None:
        with st.spinner("Waiting for the end of a step…"):
            snapshot = get_model_cache().snapshot(get_runner(), run.id, actor=current_actor())
        step, model = snapshot.global_step, snapshot.model
        st.session_state[key] = step
    name = f"{run_title(run)}, a copy at step {step:,}"
    return ChosenModel(model, name, partial(_last_snapshot, run.id, step))


def _last_snapshot(run_id: str, step: int) -> GPTModel | None:
    """Return the last copy; None if it no longer exists or the visitor may not see it."""
    run = get_visible_runs().run(run_id)
    if run is None or run.is_redacted:  # asked here first: the core would put a refusal on record
        return None
    return get_model_cache().last_snapshot(get_store(), run_id, step, actor=current_actor())


def chosen_run() -> Run | None:
    """Return the run whose model is chosen or, if there is none, the current run."""
    choice = st.session_state.get(session_keys.WALK_MODEL)
    run = get_visible_runs().run(choice) if choice and choice not in PRESETS else None
    return run or current_run()
