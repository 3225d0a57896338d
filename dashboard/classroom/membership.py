"""Who a visitor of the class is, in the sidebar: name, role, what is left, and a way to leave."""

import streamlit as st

from dashboard.app import (
    current_member,
    current_rejoin_code,
    fragment,
    get_runner,
    get_store,
    is_projected,
    refresh_seconds,
    session_keys,
)
from dashboard.charts import count, format_bytes, format_duration
from dashboard.components.door_watch import watch_for_the_door
from gpt_core.access import MEGABYTE, Member, bytes_used, seconds_left

EVERY_SECONDS = 20  # what is left changes slowly


def show_member() -> None:
    """Show who this visitor is in the class; redraw regularly what is left of their limits."""
    watch_for_the_door()
    if not is_projected():
        shows = bool(st.session_state.get(session_keys.SHOWS_PRIVATE, False))
        fragment(_show, run_every=EVERY_SECONDS * refresh_seconds())(shows)


def _show(shows_private: bool) -> None:
    member = current_member()
    if member is None:
        return
    with st.container(gap="xsmall", key="member"):
        st.text(member.name if member.is_teacher else f"{member.name} · student")
        if not member.is_teacher and (left := _what_is_left(member)):
            st.caption(f"Left for you: {left}.")
        if member.is_teacher and shows_private != st.toggle(
            "Show private texts",
            key=session_keys.SHOWS_PRIVATE,
            persist_state="session",
            help="Students' texts, samples and weights that they do not share. Off, your pages "
            "can be projected.",
        ):
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="center"):
            if not member.is_teacher:
                with st.popover("Rejoin code", type="tertiary"):
                    _show_rejoin_code(member)
            st.html('<a class="gpt-leave" href="leave">Leave the class</a>')


def _what_is_left(member: Member) -> str:
    """Return what is left of a student's limits, in words; empty without limits."""
    rules, store, left = get_runner().rules, get_store(), []
    if rules.most_minutes is not None:
        seconds = max(0.0, seconds_left(store, rules, member.id))
        left.append(
            f"{format_duration(seconds)} of {count(rules.most_minutes, 'minute')} of training"
        )
    if rules.most_megabytes is not None:
        free = max(0, rules.most_megabytes * MEGABYTE - bytes_used(store, member.id))
        left.append(f"{format_bytes(free)} of {rules.most_megabytes:,} MB of disk")
    return " and ".join(left)


def _show_rejoin_code(member: Member) -> None:
    code = current_rejoin_code()
    if code is None:
        st.text("Your teacher has issued a newer rejoin code: it has replaced this browser's.")
        return
    st.text("From another browser, join with your name and this code in place of the join code:")
    st.code(f"{member.name}\n{code}", language=None)
    st.caption("It opens your runs and texts: keep it to yourself.")
