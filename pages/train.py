"""Train: start a run, watch its losses, its guesses and its samples; pause, resume, stop it."""

import streamlit as st

from dashboard import state, widgets
from dashboard.charts import describe_losses, loss_chart
from dashboard.expectations import show_expectations
from dashboard.frames import evaluations_frame, format_duration, format_loss
from dashboard.live_chart import live_chart
from dashboard.run_form import show_form
from dashboard.runtime import get_runner, get_store
from gpt_core import PACE_STEPS, Run, calc_loss_loader, evaluate_model, run_progress, train


def show_heading(run: Run) -> None:
    """Name the run, its state, and what can be done with it."""
    runner = get_runner()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(widgets.run_title(run))
        widgets.state_badge(run)
        widgets.run_buttons(run, "page")
    threads = int(run.versions.get("threads", 0))
    machine = f" on {threads} threads" if threads > 1 else ""
    st.caption(f"{run.training_config.precision}{machine}, seed {run.training_config.seed}")
    if run.is_live and not runner.owns(run.id):
        st.caption("It trains in another process on this machine, which alone can stop it.")
    for message in (run.message, runner.complaint(run.id)):
        if message:
            st.text(message)


def show_numbers(run: Run) -> None:
    """Show how far the run is, its last losses, and its pace."""
    store = get_store()
    progress = run_progress(run, store.last_steps(run.id, PACE_STEPS))
    losses = store.last_evaluation(run.id) or {}
    pace = progress.tokens_per_second
    left = progress.seconds_left if run.state == "running" else None
    st.progress(
        progress.fraction,
        text=f"Epoch {progress.epoch} of {progress.num_epochs} · "
        f"step {progress.steps_done:,} of {progress.total_steps:,}",
    )
    with st.container(horizontal=True, gap="medium"):  # wraps to two by two on a phone
        for label, value in (
            ("Training loss", format_loss(losses.get("train_loss"))),
            ("Validation loss", format_loss(losses.get("val_loss"))),
            ("Tokens per second", "–" if pace is None else f"{pace:,.0f}"),
            ("Time left", "–" if left is None else format_duration(left)),
        ):
            st.metric(label, value, width=150)


def show_run(run: Run) -> None:
    """Draw what the store knows of a run."""
    store = get_store()
    show_heading(run)
    show_numbers(run)
    evaluations = evaluations_frame(store.evaluations(run.id), run)
    tokens_per_step = run.training_config.batch_size * run.model_config.context_length
    tokens_per_epoch = run.steps_per_epoch * tokens_per_step
    live_chart(
        loss_chart(evaluations, run.training_config.num_epochs, tokens_per_epoch, run.id),
        describe_losses(evaluations),
        key="losses",
    )

    st.subheader("What it expects")
    show_expectations(run, store.probes(run.id))
    st.page_link("pages/loss.py", label="Its loss, step by step", query_params={state.RUN: run.id})

    st.subheader("What it writes")
    samples = store.samples(run.id)
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


def show_background() -> None:
    """Say what the curves are: the formula, and the code that measures them."""
    st.subheader("What the curves are")
    widgets.formula(
        r"\text{Loss} = -\frac{1}{N} \sum_{i=1}^{N} \log p_i",
        "p is the probability that the model gave to the right next token, at each of the N "
        "places it was asked. Training: up to 5 batches of the text it learns from. Validation: "
        "of the part it never sees. Dropout is off for both.",
    )
    widgets.show_code(evaluate_model, calc_loss_loader)
    widgets.show_code(train)


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
show_background()
