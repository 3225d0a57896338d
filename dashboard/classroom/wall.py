"""The class on one wall: all curves, who is where, the queue, and the latest samples.

A teacher projects it: of private runs it shows what the whole class may see.
"""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard.app import (
    attempt,
    current_actor,
    fragment,
    get_cached_store,
    get_class_roster,
    get_class_runs,
    get_runner,
    get_visible_runs,
    hides_private,
    is_restricted,
    session_keys,
)
from dashboard.charts import (
    Axes,
    Curve,
    comparison_chart,
    count,
    describe_comparison,
    describe_wait,
    format_loss,
    numbers_frame,
    to_json,
)
from dashboard.components.live_chart import live_chart
from dashboard.components.sample_list import Entry, last_sample, sample_list
from dashboard.forms import AXIS_NAMES
from dashboard.ui import describe_run, run_buttons, run_title, state_badge
from gpt_core.access import Member
from gpt_core.runner import QueuePlace, expected_queue
from gpt_core.store import RunState, RunSummary


@dataclass(frozen=True)
class Place:
    """A student and the run that is shown for them: the live one, or else their latest."""

    member: Member
    run: RunSummary | None


def places() -> list[Place]:
    """Return the students seen since the class began, with their runs, by name."""
    seen = tuple(sorted(get_class_roster().seen(), key=lambda member: member.name.casefold()))

    def find() -> list[Place]:
        runs: dict[str, RunSummary] = {}
        for summary in get_class_runs().summaries():  # the newest first
            before = runs.setdefault(summary.run.owner, summary)
            if summary.run.is_live and (
                not before.run.is_live or summary.run.state is RunState.RUNNING
            ):
                runs[summary.run.owner] = summary
        return [Place(member, runs.get(member.id)) for member in seen]

    # Every fragment of the page needs them.
    return get_cached_store().cached(("places", seen), find)


def show_curves(every: int) -> None:
    """Draw a curve for each student with a run, against the axis that is chosen below."""
    place = st.container()
    x = st.segmented_control(
        "Against",
        list(AXIS_NAMES),
        format_func=lambda name: AXIS_NAMES[name],
        default="epochs",
        required=True,
        key=session_keys.WALL_AXIS,
        persist_state="session",
        label_visibility="collapsed",
    )
    with place:
        fragment(_draw_curves, run_every=every)(Axes(x or "epochs"))


def _draw_curves(axes: Axes) -> None:
    shown = [(p.member.name, p.run.run) for p in places() if p.run is not None]
    if not shown:
        st.text("No run yet: the latest curve of each student appears here.")
        return

    def draw() -> tuple[str, str]:
        record = get_cached_store()
        curves = [
            Curve(name, numbers_frame(record.evaluations(run.id), run)) for name, run in shown
        ]
        revision = " ".join([*(run.id for _, run in shown), str(axes)])
        figure = comparison_chart(curves, ["val_loss"], axes, revision)
        return to_json(figure), describe_comparison(curves, ["val_loss"])

    key = ("wall", axes, tuple((name, run.id) for name, run in shown))
    figure, description = get_cached_store().cached(key, draw)  # drawn once for all visitors
    live_chart(figure, description, key="wall", save_as="class", title="The class")


def show_who() -> None:
    """Show which page each student is on, and how far their run is."""
    rows = []
    for place in places():
        seen, summary = get_class_roster().presence(place.member.id), place.run
        row = {"Student": place.member.name, "Page": seen.page if seen else "away"}
        if summary is not None:
            run = summary.run
            row |= {
                "State": run.state,
                "Steps": f"{summary.steps_done:,} of {run.total_steps:,}",
                "Validation loss": format_loss(summary.val_loss),
                "Run": run.name or describe_run(run),
            }
        rows.append(row)
    if not rows:
        st.text("No student has joined since the server was started.")
        return
    st.dataframe(pd.DataFrame(rows).fillna("–"), hide_index=True, alt="Who is where")


def show_queue() -> None:
    """Show the waiting runs and when they start; the teacher may reorder or hold them."""
    runner = get_runner()
    live = get_visible_runs().live_runs()
    running = [run for run in live if run.state in (RunState.RUNNING, RunState.PAUSED)]
    queue = expected_queue(get_cached_store(), runner)
    if not is_restricted():
        st.button(
            "Release the queue" if runner.is_held else "Hold the queue",
            on_click=_hold,
            args=(not runner.is_held,),
            help="While it is held, no student's run starts. Running ones continue.",
        )
    elif runner.is_held:
        st.text("Your teacher holds the queue: running runs continue, no new one starts.")
    for run in running:
        with st.container(horizontal=True, vertical_alignment="center"):
            state_badge(run)
            st.text(run_title(run))
            run_buttons(run, "queue")
    if not queue:
        st.text("No run is waiting.")
    for place, waiting in enumerate(queue):
        _show_waiting(place, waiting, len(queue))


def _show_waiting(place: int, waiting: QueuePlace, length: int) -> None:
    run = waiting.run
    with st.container(horizontal=True, vertical_alignment="center"):
        wait = describe_wait(waiting.starts_in) if not get_runner().is_held else ""
        seen = get_visible_runs().run(run.id) or run
        mine = " (yours)" if run.owner == current_actor() else ""
        st.text(f"{place + 1}. {run_title(seen)}{mine}{wait}")
        if not is_restricted():
            for label, to, useless in (
                ("Next", 0, place == 0),
                ("Up", place - 1, place == 0),
                ("Down", place + 1, place == length - 1),
            ):
                st.button(
                    label,
                    key=f"{label} {run.id}",
                    type="tertiary",
                    disabled=useless,
                    on_click=_move,
                    args=(run.id, to),
                )
        run_buttons(run, "queue")


def _hold(held: bool) -> None:
    attempt(get_runner().hold, held, actor=current_actor())


def _move(run_id: str, place: int) -> None:
    attempt(get_runner().move, run_id, place, actor=current_actor())


def show_samples() -> None:
    """Show the latest sample of each student's run; private ones are folded away."""
    runs = [(place.member.name, place.run.run) for place in places() if place.run is not None]
    entries = _last_samples([(name, run.id) for name, run in runs if not run.is_redacted])
    if entries:
        sample_list(entries, "The latest sample of each student", key="wall-samples")
    else:
        st.text("After each epoch a run writes a sample: each student's latest appears here.")
    private = [(name, run.id) for name, run in runs if run.is_redacted]
    if private and not is_restricted() and hides_private():
        st.caption(
            f"{count(len(private), 'private sample')} not shown: “Show private texts” in the "
            "sidebar shows them, on your screen alone."
        )
    private = [(name, run_id) for name, run_id in private if _may_read(run_id)]
    if not private:
        return
    fold = st.expander(
        f"Private, not for the projector: {len(private)}",
        key=session_keys.PRIVATE_SAMPLES,
        on_change="rerun",
    )
    if fold.open:  # built only when open
        with fold:
            entries = _last_samples(private)
            st.caption("What these runs write may reveal their texts, which are not shared.")
            sample_list(entries, "The latest private samples", key="wall-private")


def _may_read(run_id: str) -> bool:
    """Tell whether this visitor may read what a run writes."""
    run = get_visible_runs().run(run_id)
    return run is not None and not run.is_redacted


def _last_samples(runs: list[tuple[str, str]]) -> list[Entry]:
    """Return the latest sample of each run that has one, under its student's name."""
    found = [last_sample(get_visible_runs().history(run_id), name) for name, run_id in runs]
    return [entry for entry in found if entry is not None]
