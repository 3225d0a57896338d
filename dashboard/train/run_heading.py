"""A run's heading and its numbers: its state, its buttons, its progress and its speed."""

import math

import streamlit as st

from dashboard.app import is_projected, session_keys, toggle_projector
from dashboard.charts import changes_from_preset, count, format_duration, format_loss, last_losses
from dashboard.train import replay
from dashboard.ui import (
    NUMBER_WIDTH,
    describe_failure,
    describe_intervention,
    describe_place,
    describe_process,
    describe_run,
    run_buttons,
    run_title,
    show_numbers,
    state_badge,
)
from gpt_core.analysis import SPEED_STEPS, CachedHistory, run_progress
from gpt_core.presets import PRESETS
from gpt_core.runner import describe_speed
from gpt_core.store import Run, RunState


def show_heading(run: Run, is_replayed: bool) -> None:
    """Show the run's name, its state and its buttons."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(run_title(run))
        if is_replayed:
            st.badge("replay", color="violet")
            st.button("End the replay", on_click=replay.end)
        else:
            state_badge(run)
            run_buttons(run, "page")
            if not run.is_live:
                st.button("Replay", help="Watch it as if it trained now.", on_click=replay.begin)
            if not is_projected():
                st.page_link(
                    "pages/runs.py",
                    label="Compare and export",
                    query_params={session_keys.RUN: run.id},
                )
        st.button(
            "Leave the projector" if is_projected() else "Show on a projector",
            help="Larger, and only what matters: for a class.",
            on_click=toggle_projector,
        )
    if is_projected():
        return
    if run.name:
        st.text(describe_run(run))
    st.caption(_settings(run))
    if run.initial_name:
        st.text(f"It began with these weights, not with random ones: {run.initial_name}.")
    if where := describe_process(run):
        st.caption(where)
    if run.state is RunState.QUEUED:
        st.text(describe_place(run))
    for message in (describe_intervention(run), run.message, describe_failure(run)):
        if message and not is_replayed:
            st.text(message)


def _settings(run: Run) -> str:
    """Return the run's precision, threads, seed and changes from its preset, on one line."""
    threads = int(run.versions.get("threads", 0))
    machine = f" on {threads} threads" if threads > 1 else ""
    if "processes" in run.versions:
        machine = f" on {run.versions['devices']} ({run.versions['hosts']})"
    changes = changes_from_preset(run)
    changed = f" · changed from {run.preset}: {', '.join(changes)}" if changes else ""
    seed = run.training_config.seed
    return f"{run.id} · {run.training_config.precision}{machine}, seed {seed}{changed}"


def show_settings(run: Run) -> None:
    """Show all settings of a run and, where they differ, those of its preset."""
    place = st.expander("How this run is set up", key=session_keys.SETTINGS, on_change="rerun")
    if not place.open:  # built only when open
        return
    values = {**vars(run.model_config), **vars(run.training_config)}
    preset = PRESETS.get(run.preset)
    usual = {**vars(preset.model), **vars(preset.training)} if preset else values
    rows = [
        {
            "Setting": name,
            "Value": _shown(value),
            f"In the preset {run.preset}": "" if value == usual[name] else _shown(usual[name]),
        }
        for name, value in values.items()
    ]
    with place:
        st.dataframe(rows, hide_index=True, height="content", alt="The settings of this run")


def _shown(value: object) -> str:
    """Return a setting's value as a table shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " · ".join(value)
    return "none" if value is None else str(value)


def show_run_numbers(run: Run, history: CachedHistory, playback: replay.Playback | None) -> None:
    """Show how far the run is, its last losses, and its speed in tokens per second."""
    progress = run_progress(run, history.recorded.steps[-SPEED_STEPS:])
    train_loss, val_loss = last_losses(history.recorded)
    seconds: float | None
    if run.is_live:
        speed, time_label = progress.tokens_per_second, "Time left"
        seconds = progress.seconds_left if run.state is RunState.RUNNING else None
    else:  # of the whole run or, in a replay, up to its step
        steps, time_label = history.recorded.steps, "Time taken"
        seconds = history.recorded.seconds
        speed = float(steps["tokens_seen"][-1]) / seconds if len(steps) and seconds else None
    done = (
        f"Epoch {progress.epoch} of {progress.num_epochs} · "
        f"{progress.steps_done:,} of {count(progress.total_steps, 'step')}"
    )
    if playback is None:
        where = _where_measured(run, history, progress.steps_done)
        st.progress(progress.fraction, text=f"{done}{where}")
    else:
        st.text(done)
        replay.show_controls(run, history.recorded, playback)
    numbers = {
        "Training loss": format_loss(train_loss),
        "Validation loss": format_loss(val_loss),
        **({} if is_projected() else _measures(history)),
        "Tokens per second": "–" if speed is None else describe_speed(run, speed),
        time_label: "–" if seconds is None else format_duration(seconds),
    }
    show_numbers(numbers, 260 if is_projected() else NUMBER_WIDTH)


def _measures(history: CachedHistory) -> dict[str, str]:
    """Return what else the last evaluation measured on the validation text, if it did.

    Of a task it is the exact answers. The row has room for five numbers.
    """
    if not len(history.recorded.evaluations):
        return {}
    last = history.recorded.evaluations[-1]
    if not math.isnan(last["exact_match"]):
        return {"Exact answers": f"{last['exact_match']:.1%}"}
    if not math.isnan(last["val_bits_per_byte"]):
        return {"Bits per byte": f"{last['val_bits_per_byte']:.3f}"}
    return {}


def _where_measured(run: Run, history: CachedHistory, steps_done: int) -> str:
    """Return at which step an ended run's last losses were measured, if before its last one."""
    evaluations = history.recorded.evaluations
    measured = int(evaluations["global_step"][-1]) if len(evaluations) else None
    if run.is_live or measured in (None, steps_done - 1):
        return ""
    return f" · losses measured at step {measured:,}"
