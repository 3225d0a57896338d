"""Who looks at a page: whoever has this machine to themselves, or a member of a class."""

import streamlit as st

from dashboard.app.runtime import get_cached_store, get_roster, get_runner
from gpt_core.access import LOCAL, TEACHER, Member, VisibleRuns, is_student
from gpt_core.presets import PRESETS

COOKIE = "gpt_lab_member"
NOBODY = "nobody"  # an actor who may change nothing


def current_member() -> Member | None:
    """Return the member of the class whose browser this is; None without a class, or if it is
    nobody's any more.
    """
    roll, token = get_roster(), _token()
    if roll is None or token is None:
        return None
    return get_cached_store().cached(("member", token), lambda: roll.who(token))


def _token() -> str | None:
    """Return what this visitor's browser keeps."""
    return st.context.cookies.get(COOKIE)


def current_actor() -> str:
    """Return who asks, as the core knows them."""
    if get_roster() is None:
        return LOCAL
    member = current_member()
    return member.id if member else NOBODY


def get_visible_runs() -> VisibleRuns:
    """Return what is on record, as this visitor sees it."""
    return VisibleRuns(get_cached_store(), current_actor())


def is_restricted() -> bool:
    """Tell whether a class's rules hold for this visitor."""
    return is_student(current_actor())


def was_sent_out() -> bool:
    """Tell whether there is a class, and this browser is nobody's of it any more."""
    return get_roster() is not None and current_member() is None


def require_member() -> None:
    """Show nothing but a sentence to a browser that the teacher has sent out of the class."""
    if was_sent_out():
        st.title("You are not in this class any more")
        st.text("Reload the page to join it again, with the code that your teacher shows.")
        st.stop()


def allowed_presets() -> list[str]:
    """Return the presets that this visitor may use."""
    return get_runner().rules.allowed_presets() if is_restricted() else list(PRESETS)


def hidden_controls() -> frozenset[str]:
    """Return the controls that the teacher hides from this visitor."""
    return frozenset(get_runner().rules.hidden if is_restricted() else ())


def note_presence(page: str) -> None:
    """Let the teacher know on which page this visitor is."""
    roll, member = get_roster(), current_member()
    if roll is not None and member is not None:
        roll.note_presence(member.id, page)


def may_change(owner: str) -> bool:
    """Tell whether what belongs to somebody is this visitor's to change: the core asks again."""
    return current_actor() in (LOCAL, TEACHER, owner)


def owner_name(owner: str) -> str:
    """Return whose something is, in words; nothing where that goes without saying."""
    if owner in (current_actor(), LOCAL):
        return ""
    return get_cached_store().names().get(owner, "")
