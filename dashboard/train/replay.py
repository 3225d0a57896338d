"""The replay of a run that has ended: a view of its history up to a step. It writes nothing.

The address holds where the replay is: a reload, or another browser with the same address, shows
the same. While it plays, that is the time at which it was at its start, and its speed
("1753000000.000,10"); while it is paused, the step and the speed ("step-41,10").
"""

import re
import time
from dataclasses import dataclass

import numpy as np
import streamlit as st

from dashboard.app import session_keys
from dashboard.components.seek_bar import seek_bar
from gpt_core.analysis import CachedHistory, RunHistory
from gpt_core.store import Run

SPEEDS = (1, 5, 10, 50)  # times as fast as the run was
SPEED = 10
PLAY_WIDTH = 110  # pixels: of its longest label, so that the bar keeps its place
EARLY = 10  # seconds that another machine's clock may be ahead
ADDRESS = re.compile(r"(?:step-([0-9]{1,12})|([0-9]{1,12}(?:\.[0-9]+)?))(?:,([0-9]{1,3}))?")


@dataclass(frozen=True)
class Playback:
    """Where a replay is."""

    step: int  # the last step that is shown
    last_step: int  # of the run
    speed: int
    is_playing: bool


def begin() -> None:
    """Begin the replay of the run that is shown."""
    st.query_params[session_keys.REPLAY] = playing_since(time.time())


def end() -> None:
    """Show the whole run again."""
    st.query_params.pop(session_keys.REPLAY, None)


def playing_since(began: float, speed: int = SPEED) -> str:
    """Return the address of a replay that plays.

    Args:
        began: when it was at its start, in seconds since 1970.
        speed: one of SPEEDS.
    """
    return f"{began:.3f},{speed}"


def is_playing() -> bool:
    """Tell whether the address is that of a replay that plays."""
    return not st.query_params.get(session_keys.REPLAY, "step-").startswith("step-")


def playback(run: Run, history: CachedHistory) -> Playback | None:
    """Return where the replay of a run is; None if it is not replayed.

    At its end it pauses, so that it can be moved back. An invalid address ends it.
    """
    address = st.query_params.get(session_keys.REPLAY)
    steps = history.recorded.steps
    if address is None or run.is_live or not len(steps):
        return None
    found = ADDRESS.fullmatch(address)
    now, last_step = time.time(), int(steps["global_step"][-1])
    speed = int(found[3] or SPEED) if found else 0
    if found is None or speed not in SPEEDS or float(found[2] or 0) > now + EARLY:
        end()
        st.rerun()  # the whole page, not only this fragment
    if found[1] is not None:
        return Playback(min(int(found[1]), last_step), last_step, speed, is_playing=False)
    seconds = speed * (now - float(found[2]))
    if seconds >= history.recorded.seconds:
        _pause(last_step, speed)
        st.rerun()
    done = int(np.searchsorted(steps["seconds"], seconds, "right"))
    step = int(steps["global_step"][max(done - 1, 0)])  # never nothing: its first step at least
    return Playback(step, last_step, speed, is_playing=True)


def show_controls(run: Run, recorded: RunHistory, shown: Playback) -> None:
    """Show the buttons and the bar that pause, move and speed up a replay.

    Args:
        run: the run that is replayed.
        recorded: what it recorded up to the step that is shown.
        shown: where the replay is.
    """
    seconds = float(recorded.steps["seconds"][-1])
    is_over = shown.step == shown.last_step and not shown.is_playing
    speed_key = f"{session_keys.SPEED}-{run.id}"

    def play_or_pause() -> None:
        if shown.is_playing:
            _pause(shown.step, shown.speed)
        else:
            _play(0 if is_over else seconds, shown.speed)

    def change_speed() -> None:
        if shown.is_playing:
            _play(seconds, st.session_state[speed_key])
        else:
            _pause(shown.step, st.session_state[speed_key])

    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        label = "Pause" if shown.is_playing else "Play again" if is_over else "Play"
        st.button(label, key=f"play-{run.id}", on_click=play_or_pause, width=PLAY_WIDTH)
        moved = seek_bar(shown.step, shown.last_step, "Replayed up to step", key=f"seek-{run.id}")
        st.session_state[speed_key] = shown.speed
        st.segmented_control(
            "Speed",
            list(SPEEDS),
            format_func=lambda speed: f"{speed} ×",
            required=True,
            key=speed_key,
            label_visibility="collapsed",
            on_change=change_speed,
        )
    if moved is not None:
        _pause(moved, shown.speed)
        st.rerun()  # the whole page: its samples and probes too


def _play(seconds: float, speed: int) -> None:
    """Play from the moment at which so many seconds had been spent on the run."""
    began = time.time() - seconds / speed - 0.001  # rounded, it must not fall back by a step
    st.query_params[session_keys.REPLAY] = playing_since(began, speed)


def _pause(step: int, speed: int) -> None:
    """Show the run as it was after a step."""
    st.query_params[session_keys.REPLAY] = f"step-{step},{speed}"
