"""Train: start a run, watch its losses, its guesses and its samples; pause, step, resume, stop."""

import streamlit as st

from dashboard.app import (
    fragment,
    get_cached_store,
    get_visible_runs,
    is_projected,
    outline,
    refresh_seconds,
    selected_run,
    session_keys,
    toggle_projector,
)
from dashboard.train import (
    CurveStyle,
    choose_style,
    last_probes,
    replay,
    run_heading,
    sample_now,
    show_background,
    show_book_comparison,
    show_curve,
    show_earlier_samples,
    show_expectations,
    show_form,
    show_inside,
    show_latest_sample,
    show_others,
    show_small_charts,
    update,
)
from dashboard.ui import page_title
from gpt_core.analysis import CachedHistory
from gpt_core.store import Run, RunState
from gpt_core.system import shorten


def recorded(run: Run) -> tuple[CachedHistory, replay.Playback | None]:
    """Return a run's history, up to the replayed step if it is replayed, and where that is."""
    history = get_visible_runs().history(run.id)
    playback = replay.playback(run, history)
    if playback is None:
        return history, None
    return CachedHistory(history.recorded.up_to(playback.step)), playback


def show_run(run_id: str, drawn: list[tuple[str, str]], every: int) -> None:
    """Draw a run as it trains and, below it, the curve's settings, which are not redrawn."""
    run = get_visible_runs().run(run_id)
    place = st.container()
    if run is not None:
        look = choose_style(run)
        with place:
            fragment(watch, run_every=every)(drawn, every, look)


def show_update(run_id: str) -> None:
    """Draw what single steps did."""
    run = get_visible_runs().run(run_id)
    if run is not None:
        update.show_update(recorded(run)[0])


def show_rest(run_id: str) -> None:
    """Draw what changes at evaluations, or more rarely."""
    run = get_visible_runs().run(run_id)
    if run is None:
        return
    history, _ = recorded(run)
    show_small_charts(run, history)
    if not run.is_redacted:
        show_book_comparison(run, history)
        st.header("What it expects")
        show_expectations(run, last_probes(run, history))
        link = {session_keys.RUN: run.id}
        st.page_link("pages/loss.py", label="See these rows step by step", query_params=link)
        show_inside(run, history)
        show_earlier_samples(run, history)
    run_heading.show_settings(run)


def refresh_interval(run: Run | None) -> int:
    """Return the seconds between two redraws: fewer while a run is live or its replay plays."""
    if not get_cached_store().live_runs() and not (run is not None and replay.is_playing()):
        return 5
    return refresh_seconds()


def keeps_interval(drawn_every: int, run: Run | None) -> bool:
    """Tell whether the redraw interval is still about right.

    One second too slow is accepted: tabs come and go, and each would redraw all pages.
    """
    return drawn_every - 1 <= refresh_interval(run) <= drawn_every


def watch(drawn: list[tuple[str, str]], drawn_every: int, look: CurveStyle | None) -> None:
    """Redraw the run from the store; when a run has begun or ended, redraw the whole page."""
    run = selected_run()
    if outline() != drawn or not keeps_interval(drawn_every, run):
        st.rerun()
    if run is not None and look is not None:
        history, playback = recorded(run)
        run_heading.show_heading(run, playback is not None)
        run_heading.show_run_numbers(run, history, playback)
        with st.container(key=session_keys.CURVE_AND_SAMPLE):  # beside each other if wide
            left, right = st.columns([3, 2], gap="large")
        with left:
            show_curve(run, history, look)
        with right:
            show_latest_sample(run, history)


shown = selected_run()
live = get_visible_runs().own_live_runs()
if shown is None and is_projected():
    toggle_projector()  # no run to show
if not is_projected():
    page_title("Train")
    if shown is None and session_keys.RUN in st.query_params:
        st.text(f"There is no run {shorten(st.query_params[session_keys.RUN])}. Start one below.")
    show_others(live, shown)
    if not (shown and session_keys.REPLAY in st.query_params):
        start = st.expander(
            "Queue another run" if live else "Start a run",
            expanded=shown is None and not live,
            key=session_keys.QUEUE if live else session_keys.START,
            on_change="rerun",
        )
        if start.open:  # built only when open
            with start:
                show_form("Add to the queue" if live else "Start training")
every = refresh_interval(shown)
if shown is None:
    fragment(watch, run_every=every)(outline(), every, None)
else:
    fragment(show_run)(shown.id, outline(), every)
    if not is_projected() and (
        shown.state is RunState.PAUSED or get_visible_runs().history(shown.id).recorded.updates
    ):
        fragment(show_update, run_every=every)(shown.id)
    if not is_projected():
        rest_every = every if replay.is_playing() else 3 * every
        fragment(show_rest, run_every=rest_every)(shown.id)
if not is_projected():
    sample_now.show(shown)
    show_background()
