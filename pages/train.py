"""Train: start a run, watch its losses and its samples; pause, resume and stop it."""

import streamlit as st

from dashboard import state, widgets
from dashboard.charts import loss_chart
from dashboard.frames import evaluations_frame, format_duration
from dashboard.run_form import show_form
from dashboard.runtime import get_runner, get_store
from gpt_core import PACE_STEPS, Run, run_progress


def show_heading(run: Run) -> None:
    """Name the run, its state, and what can be done with it."""
    runner = get_runner()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(widgets.run_title(run))
        widgets.state_badge(run)
        pending = bool(runner.pending(run.id))
        if run.state in ("running", "queued") and runner.owns(run.id):
            widgets.run_button("Pause", runner.pause, run.id, pending)
            widgets.run_button("Stop", runner.stop, run.id, pending)
        elif run.state == "paused" and runner.owns(run.id):
            widgets.run_button("Resume", runner.resume, run.id, pending)
            widgets.run_button("Stop", runner.stop, run.id, pending)
        elif run.is_resumable:
            widgets.run_button("Resume", runner.resume, run.id, pending)
    if run.is_live and not runner.owns(run.id):
        st.caption("It trains in another process on this machine, which alone can stop it.")
    for message in (run.message, runner.complaint(run.id)):
        if message:
            st.text(message)


def show_run(run: Run) -> None:
    """Draw what the store knows of a run."""
    store = get_store()
    progress = run_progress(run, store.last_steps(run.id, PACE_STEPS))
    evaluations = evaluations_frame(store.evaluations(run.id), run)
    samples = store.samples(run.id)

    show_heading(run)
    st.progress(
        progress.fraction,
        text=f"Epoch {progress.epoch} of {progress.num_epochs} · "
        f"step {progress.steps_done:,} of {progress.total_steps:,}",
    )
    last = evaluations.iloc[-1] if len(evaluations) else None
    pace = progress.tokens_per_second
    left = progress.seconds_left if run.state == "running" else None
    with st.container(horizontal=True, gap="medium"):  # wraps to two by two on a phone
        for label, value in (
            ("Training loss", "–" if last is None else f"{last['train_loss']:.3f}"),
            ("Validation loss", "–" if last is None else f"{last['val_loss']:.3f}"),
            ("Tokens per second", "–" if pace is None else f"{pace:,.0f}"),
            ("Time left", "–" if left is None else format_duration(left)),
        ):
            st.metric(label, value, width=150)

    tokens_per_step = run.training_config.batch_size * run.model_config.context_length
    st.plotly_chart(
        loss_chart(
            evaluations,
            run.training_config.num_epochs,
            run.steps_per_epoch * tokens_per_step,
            run.id,
        ),
        key="losses",
        config={"displaylogo": False, "modeBarButtonsToRemove": ["sendChartToCloud"]},
    )

    st.subheader("What it writes")
    if not samples:
        st.text(f"After each epoch it goes on from “{run.training_config.start_context}”.")
    for sample in reversed(samples):
        with st.container(border=True):
            st.caption(f"After epoch {sample['epoch']} · step {sample['global_step'] + 1:,}")
            st.text(sample["text"])


def show_others(live: list[Run], shown: Run | None) -> None:
    """Link to the live runs beside the one that is shown."""
    for run in live:
        if shown is None or run.id != shown.id:
            with st.container(horizontal=True, vertical_alignment="center"):
                widgets.state_badge(run)
                st.text(widgets.run_title(run))
                st.page_link("pages/train.py", label="Watch", query_params={state.RUN: run.id})


def watch(drawn: list[tuple[str, str]]) -> None:
    """Redraw from the store; when a run has begun or ended, redraw the whole page."""
    if state.outline() != drawn:
        st.rerun()
    run = state.selected_run()
    if run is not None:
        show_run(run)


st.title("Train")
live = get_runner().live_runs()
shown = state.selected_run()
if shown is None and state.RUN in st.query_params:
    st.text(f"There is no run {st.query_params[state.RUN]}. Start one below.")
show_others(live, shown)
if not live:
    with st.container(border=True):
        show_form("Start training")
st.fragment(watch, run_every=1 if live else 5)(state.outline())
if live:
    with st.expander("Queue another run"):
        show_form("Add to the queue")
