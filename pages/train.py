"""Train: start a run, watch its losses, its guesses and its samples; pause, step, resume, stop."""

import streamlit as st

from dashboard import closeup_view, curve_view, replay, run_view, sample_now, state, widgets
from dashboard.expectations import last_probes, show_expectations
from dashboard.frames import count
from dashboard.people import get_view
from dashboard.refusals import fragment
from dashboard.run_form import show_form
from dashboard.runtime import get_board, tick_seconds
from dashboard.samples_view import show_samples
from gpt_core.analysis import RunHistory
from gpt_core.model import calc_loss_loader
from gpt_core.store import Run
from gpt_core.system import brief
from gpt_core.training import evaluate_model, learning_rate_at, train

MOST_OTHERS = 3  # live runs that are named beside the one that is shown


def recorded(run: Run) -> tuple[RunHistory, bool]:
    """Return what is on record of a run, or was by the moment that is replayed; tell which."""
    history = get_view().history(run.id)
    seconds = replay.moment(run, history)
    return (history, False) if seconds is None else (history.until(seconds), True)


def show_run(run_id: str, drawn: list[tuple[str, str]], every: int) -> None:
    """Draw a run as it goes on and, below, what one may change about it: that stands still."""
    run = get_view().run(run_id)
    place = st.container()
    if run is not None:
        look = curve_view.choose_look(run)
        with place:
            fragment(watch, run_every=every)(drawn, every, look)


def show_closeup(run_id: str) -> None:
    """Draw what single steps did."""
    run = get_view().run(run_id)
    if run is not None:
        closeup_view.show_closeup(recorded(run)[0])


def show_rest(run_id: str) -> None:
    """Draw what changes from evaluation to evaluation, or more rarely."""
    run = get_view().run(run_id)
    if run is None:
        return
    history, _ = recorded(run)
    if state.is_projected():
        show_samples(run, history)
        return
    curve_view.show_small_charts(run, history)
    if not run.is_veiled:
        curve_view.show_verdict(run, history)
        st.header("What it expects")
        show_expectations(run, last_probes(run, history))
        link = {state.RUN: run.id}
        st.page_link("pages/loss.py", label="Its loss, step by step", query_params=link)

    st.header("What it writes")
    show_samples(run, history)


def show_others(live: list[Run], shown: Run | None) -> None:
    """Link to the live runs beside the one that is shown; of many in a class, to their page."""
    others = [run for run in live if shown is None or run.id != shown.id]
    for run in others[:MOST_OTHERS]:
        with st.container(horizontal=True, vertical_alignment="center"):
            widgets.state_badge(run)
            st.text(widgets.run_title(run))
            widgets.watch_button("Watch", run)
    if (more := len(others) - MOST_OTHERS) > 0:
        st.page_link("pages/runs.py", label=f"{count(more, 'more live run')}")


def show_background() -> None:
    """Say what the curves are: the formula, and the code that measures them."""
    st.header("What the curves are")
    widgets.formula(
        r"\text{Loss} = -\frac{1}{N} \sum_{i=1}^{N} \log p_i",
        "p is the probability that the model gave to the right next token, at each of the N "
        "places it was asked. Training: up to 5 batches of the text it learns from. Validation: "
        "of the part it never sees. Dropout is off for both. The faint line behind them is each "
        "step's own batch, with dropout on. Steps are counted as the book counts them: step 0 is "
        "the first update.",
    )
    widgets.show_code(evaluate_model, calc_loss_loader)
    widgets.show_code(train, learning_rate_at)


def pace(run: Run | None) -> int:
    """Return how many seconds lie between two drawings: few while something on the page moves."""
    is_replayed = run is not None and state.REPLAY in st.query_params
    if not get_board().live_runs() and not is_replayed:
        return 5
    return tick_seconds()


def watch(drawn: list[tuple[str, str]], drawn_every: int, look: curve_view.Look | None) -> None:
    """Redraw from the store; when a run has begun or ended, redraw the whole page."""
    run = state.selected_run()
    if state.outline() != drawn or not drawn_every - 1 <= pace(run) <= drawn_every:
        st.rerun()  # not for each tab that comes or goes
    if run is not None and look is not None:
        history, is_replayed = recorded(run)
        run_view.show_heading(run, is_replayed)
        run_view.show_numbers(run, history, is_replayed)
        curve_view.show_curve(run, history, look)


shown = state.selected_run()
live = get_view().own_live_runs()
if shown is None and state.is_projected():
    state.toggle_projector()  # there is nothing to show larger
if not state.is_projected():
    widgets.page_title("Train")
    if shown is None and state.RUN in st.query_params:
        st.text(f"There is no run {brief(st.query_params[state.RUN])}. Start one below.")
    show_others(live, shown)
    if not (shown and state.REPLAY in st.query_params):
        start = st.expander(
            "Queue another run" if live else "Start a run",
            expanded=shown is None and not live,
            key=state.QUEUE if live else state.START,
            on_change="rerun",
        )
        if start.open:  # built for those who look
            with start:
                show_form("Add to the queue" if live else "Start training")
every = pace(shown)
if shown is None:
    fragment(watch, run_every=every)(state.outline(), every, None)
else:
    fragment(show_run)(shown.id, state.outline(), every)
    if not state.is_projected() and (shown.state == "paused" or recorded(shown)[0].updates):
        fragment(show_closeup, run_every=every)(shown.id)
    fragment(show_rest, run_every=3 * every)(shown.id)
if not state.is_projected():
    sample_now.show(shown)
    show_background()
