"""A run in words: its title, its description, its place in the queue."""

from datetime import datetime

from dashboard.app import (
    get_cached_store,
    get_class_runs,
    get_runner,
    get_store,
    hidden_controls,
    is_restricted,
    owner_name,
)
from dashboard.charts import changes_from_preset, describe_wait, format_duration
from gpt_core.access import LOCAL, TEACHER, TIME_USED_UP, is_student
from gpt_core.presets import PRESETS, Preset
from gpt_core.runner import expected_queue
from gpt_core.store import Run, RunState


def run_title(run: Run) -> str:
    """Return a run's name or else its description, and its owner, on one line.

    A student's private text is not named: a teacher may be projecting the page.
    """
    whose = owner_name(run.owner)
    if whose:
        run = get_class_runs().run(run.id) or run
    where = f" · on {run.origin}" if run.origin else ""
    return (run.name or describe_run(run)) + (f" · {whose}" if whose else "") + where


def describe_run(run: Run) -> str:
    """Return a run's preset and text on one line."""
    changed = ", changed," if changes_from_preset(run) else ""
    return f"{run.preset}{changed} on {run.text_name}"


def describe_process(run: Run) -> str:
    """Return where a live run trains, if that is not this process; else an empty text."""
    if not run.is_live or get_runner().owns(run.id):
        return ""
    if not run.origin:
        processes = run.processes
        who = "Another process trains it, such as a terminal: it does"
        return (
            f"{who if processes == 1 else f'{processes} processes train it together: they do'} "
            "what these buttons ask after the current step."
        )
    if silent := get_store().seconds_silent(run):
        since = datetime.fromtimestamp(run.received_at)
        return (
            f"It trains on {run.origin}, from where nothing has come since {since:%H:%M:%S}, for "
            f"{format_duration(silent)}: its line is down, or it has ended. What it has recorded "
            "comes when the line is back."
        )
    return (
        f"It trains on {run.origin}, which sends what it records, and does what these buttons ask "
        "after the current step."
    )


def describe_intervention(run: Run) -> str:
    """Return who paused or stopped a run, if that was not its owner; else an empty text.

    A run that a limit of the class stopped says so itself.
    """
    actor = run.state_actor
    if run.state not in (RunState.PAUSED, RunState.STOPPED) or actor in ("", run.owner):
        return ""
    if run.message.startswith(TIME_USED_UP):
        return ""
    who = {TEACHER: "the teacher", LOCAL: "the user of this computer"}.get(actor)
    return f"{run.state.capitalize()} by {who or get_cached_store().names().get(actor, actor)}."


def describe_seed(preset: Preset) -> str:
    """Return in a sentence that a student starts from their own seed; empty for others."""
    if not is_restricted() or preset.training.seed == PRESETS[preset.name].training.seed:
        return ""
    change = "" if "seed" in hidden_controls() else "; you can change it in the settings on Train"
    return (
        f"Your seed is {preset.training.seed}: in a class each student has a seed of their own, so "
        f"that two students' models differ{change}."
    )


def describe_place(run: Run) -> str:
    """Return a queued run's place in the queue and, if known, its waiting time."""
    queue = expected_queue(get_cached_store(), get_runner())
    place = next((i for i, waiting in enumerate(queue) if waiting.run.id == run.id), None)
    if place is None:
        return "Waiting for its turn."
    turn = "Next in the queue" if place == 0 else f"Place {place + 1} of {len(queue)} in the queue"
    if get_runner().is_held and is_student(run.owner):
        return f"{turn}, which the teacher is holding for now."
    return f"{turn}{describe_wait(queue[place].starts_in)}."
