"""Who looks at a page: whoever has this machine to themselves, or a member of a class."""

import streamlit as st

from dashboard.runtime import get_roll
from gpt_core import Member, Run
from gpt_core.rights import LOCAL

COOKIE = "gpt_lab_member"
NOBODY = "nobody"  # an actor who may change nothing


def current_member() -> Member | None:
    """Return the member of the class whose browser this is; None without a class, or if it is
    nobody's any more.
    """
    roll = get_roll()
    return roll.who(st.context.cookies.get(COOKIE)) if roll else None


def current_actor() -> str:
    """Return who asks, as the core knows them."""
    if get_roll() is None:
        return LOCAL
    member = current_member()
    return member.id if member else NOBODY


def require_member() -> None:
    """Show nothing but a sentence to a browser that the teacher has sent out of the class."""
    if get_roll() is not None and current_member() is None:
        st.title("You are not in this class any more")
        st.text("Reload the page to join it again, with the code that your teacher shows.")
        st.stop()


def may_change(run: Run) -> bool:
    """Tell whether a run's buttons are for this visitor: the core asks again."""
    member = current_member()
    return get_roll() is None or (
        member is not None and (member.is_teacher or member.id == run.owner)
    )
