"""The buttons that control a run, its state, and sharing."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future

import streamlit as st

from dashboard.app import (
    attempt,
    current_actor,
    get_cached_store,
    get_roster,
    get_runner,
    get_store,
    is_restricted,
    may_change,
    select_run,
    show_refusal,
)
from dashboard.charts import STATE_COLORS
from dashboard.ui.look import way_button
from gpt_core.access import was_halted_by_teacher
from gpt_core.presets import Preset
from gpt_core.store import Command, Run, RunState
from gpt_core.text import Corpus, token_cache_in
from gpt_core.training import fit_vocabulary, with_text_probe
from gpt_core.weights import InitialWeights

HELPS = {
    "Pause": "Pauses after the current step. Nothing is lost.",
    "Resume": "Continues from its last checkpoint, in the same state; steps recorded after that "
    "are computed again.",
    "Stop": "Ends after the current step and saves a checkpoint, so that it can be resumed.",
    "One step": "Runs a single update and shows what it did.",
}


def start_run(
    preset: Preset,
    corpus: Corpus,
    initial: InitialWeights | None = None,
    devices: Sequence[str] = (),
) -> str | None:
    """Start a run and return its ID; if that is refused, say why and return None.

    ``devices`` are those of several processes that train it together. A line of the text is added
    to its probes, to compare memorised text with other text.
    """
    given = initial.model.vocabulary if initial else None
    try:
        with st.spinner("Preparing the text…"):  # visible for long texts
            cache = token_cache_in(get_store().runs_dir)
            fitted = fit_vocabulary(corpus.text, preset.model, preset.training, given, cache)
            context_length = preset.model.context_length
            config = with_text_probe(preset.training, corpus.text, fitted.tokenizer, context_length)
            actor, start = current_actor(), get_runner().start
            return start(preset, corpus, config, actor=actor, initial=initial, devices=devices)
    except ValueError as error:
        show_refusal(error)
        return None


def run_buttons(run: Run, place: str) -> None:
    """Show the buttons that control a run; they take effect between two steps."""
    if not may_change(run.owner):
        return
    may_continue = not (is_restricted() and was_halted_by_teacher(run))
    runner = get_runner()
    actions: list[tuple[str, Callable[..., Future[None]]]] = []
    if run.state in (RunState.RUNNING, RunState.QUEUED):
        actions = [("Pause", runner.pause), ("Stop", runner.stop)]
    elif run.state is RunState.PAUSED:
        actions = [("Stop", runner.stop)]
        if may_continue and place == "page":  # only the page shows what the step did
            actions.insert(0, ("One step", runner.step))
        if may_continue:
            actions.insert(0, ("Resume", runner.resume))
    elif run.is_resumable and may_continue:
        actions = [("Resume", runner.resume)]
    pending = pending_command(run) is not None
    for label, ask in actions:
        st.button(
            label,
            disabled=pending,
            help=HELPS[label],
            on_click=_ask,
            args=(ask, run.id),
            key=f"{label} {run.id} in {place}",
        )


def pending_command(run: Run) -> Command | None:
    """Return the last request to a live run that is not done yet, or None."""
    if get_runner().owns(run.id):
        return get_runner().pending(run.id)
    last = get_cached_store().last_request(run.id)
    return last.command if last is not None and last.is_open and run.is_live else None


def describe_failure(run: Run) -> str:
    """Return, as a sentence, why the last request to a run failed, or ""."""
    if get_runner().owns(run.id):
        return get_runner().last_error(run.id)
    last = get_cached_store().last_request(run.id)
    if last is None or not last.error or (last.answered_at or 0.0) < run.state_at:
        return ""  # it did not fail, or the run has changed its state since
    return f"{last.command.ongoing.capitalize()} failed. {last.error}"


def can_be_copied(run: Run) -> bool:
    """Tell whether the model of a run can be copied as it is now, for this visitor to look into.

    A run of another process saves a checkpoint for that, which only its owner may ask for.
    """
    may_ask = run.is_live and may_change(run.owner) and not run.origin  # no checkpoint comes here
    return get_runner().owns(run.id) or may_ask


def watch_button(label: str, run: Run) -> None:
    """Show a button that switches the Train page to another run.

    A link to the current page would not change the URL: the next redraw would undo it.
    """
    if way_button(label, f"{label} {run.id}"):
        select_run(run.id)
        st.rerun()


def _ask(ask: Callable[..., "Future[None]"], run_id: str) -> None:
    """Submit an action without waiting: redraws show it as pending, then its result."""
    attempt(ask, run_id, actor=current_actor())


def share_toggle(
    label: str, key: str, shared: bool, share: Callable[[bool], None], helped: str
) -> None:
    """Let an owner share something with the class, if there is one."""
    if get_roster() is not None:
        st.session_state[key] = shared  # from the record: it can also be changed elsewhere
        st.toggle(label, key=key, on_change=_share, args=(share, not shared), help=helped)


def _share(share: Callable[[bool], None], shared: bool) -> None:
    attempt(share, shared)


def state_badge(run: Run) -> None:
    """Show a run's state or pending action as a coloured badge."""
    pending = pending_command(run)
    text = pending.ongoing if pending else run.state.value
    st.badge(text, color=STATE_COLORS[run.state])  # type: ignore[arg-type]
