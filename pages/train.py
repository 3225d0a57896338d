"""Train: start a run, watch its losses and its samples, stop it."""

import streamlit as st

from dashboard import state, widgets
from dashboard.charts import loss_chart
from dashboard.frames import evaluations_frame, format_duration, run_progress
from dashboard.runtime import get_runner, get_store
from gpt_core import (
    VERDICT,
    Corpus,
    Run,
    download_the_verdict,
    has_the_verdict,
    load_text,
    read_upload,
)

PACE_STEPS = 20  # the pace shown is that of the last so many steps


def choose_corpus(name: str) -> Corpus | None:
    """Return the chosen text, or None after saying how to get it."""
    try:
        if name == widgets.UPLOADED:
            file = st.file_uploader("A text file (UTF-8)", type=["txt", "md"], key=state.UPLOAD)
            return read_upload(file.name, file.getvalue()) if file else None
        if name == VERDICT and not has_the_verdict():
            st.text("The book's text is not in this repository. It is one click away:")
            if not st.button("Download The Verdict (20 kB)"):
                return None
            with st.spinner("Downloading…"):
                return download_the_verdict()
        return load_text(name)
    except ValueError as error:
        widgets.show_refusal(error)
        return None


def show_form() -> None:
    """Let the user choose preset and text, and start."""
    with st.container(border=True):
        left, right = st.columns(2, gap="large")
        with left:
            preset = widgets.choose_preset()
        with right:
            corpus = choose_corpus(widgets.choose_text())
        if st.button("Start training", type="primary", disabled=corpus is None) and corpus:
            run_id = widgets.start_run(preset, corpus)
            if run_id:
                state.select_run(run_id)
                st.rerun()


def show_run(run: Run) -> None:
    """Draw what the store knows of a run."""
    store = get_store()
    progress = run_progress(run, store.last_steps(run.id, PACE_STEPS + 1))
    evaluations = evaluations_frame(store.evaluations(run.id), run)
    samples = store.samples(run.id)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(widgets.run_title(run))
        widgets.state_badge(run)
        if run.is_live and get_runner().owns(run.id):
            asked = bool(get_runner().pending(run.id))
            st.button(
                "Stop",
                disabled=asked,
                help="Ends after the present step.",
                on_click=widgets.stop_run,
                args=(run.id,),
            )
    if run.message:
        st.text(run.message)

    st.progress(
        progress.fraction,
        text=f"Epoch {progress.epoch} of {progress.num_epochs} · "
        f"step {progress.steps_done:,} of {progress.total_steps:,}",
    )
    last = evaluations.iloc[-1] if len(evaluations) else None
    pace = progress.tokens_per_second
    left = progress.seconds_left if run.is_live else None
    with st.container(horizontal=True, gap="medium"):  # wraps to two by two on a phone
        for label, value in (
            ("Training loss", "–" if last is None else f"{last['train_loss']:.3f}"),
            ("Validation loss", "–" if last is None else f"{last['val_loss']:.3f}"),
            ("Tokens per second", "–" if pace is None else f"{pace:,.0f}"),
            ("Time left", "–" if left is None else format_duration(left)),
        ):
            st.metric(label, value, width=150)

    st.plotly_chart(
        loss_chart(
            evaluations,
            run.training_config.num_epochs,
            run.steps_per_epoch * run.training_config.batch_size * run.model_config.context_length,
            run.id,
        ),
        key="losses",
        config={"displaylogo": False, "modeBarButtonsToRemove": ["sendChartToCloud"]},
    )

    st.subheader("What it writes")
    if not samples:
        st.caption(f"After each epoch it goes on from “{run.training_config.start_context}”.")
    for sample in reversed(samples):
        with st.container(border=True):
            st.caption(f"After epoch {sample['epoch']} · step {sample['global_step'] + 1:,}")
            st.text(sample["text"])


def watch(drawn_live: bool) -> None:
    """Redraw from the store; when a run has begun or ended, redraw the whole page."""
    run = state.selected_run()
    if (run is not None and run.is_live) != drawn_live:
        st.rerun()
    if run is not None:
        show_run(run)


st.title("Train")
shown = state.selected_run()
if shown is None and state.RUN in st.query_params:
    st.text(f"There is no run {st.query_params[state.RUN]}. Start one below.")
if not get_store().live_runs():
    show_form()
elif shown is None or not shown.is_live:
    st.page_link(
        "pages/train.py",
        label="Another run is training now: watch it",
        query_params={state.RUN: get_store().live_runs()[0].id},
    )
is_live = shown is not None and shown.is_live
st.fragment(watch, run_every=1 if is_live else 5)(is_live)
