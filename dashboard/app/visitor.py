"""The visitor of a page: the local user, or a member of a class."""

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import streamlit as st

from dashboard.app.runtime import (
    TABS_A_SECOND,
    count_viewers,
    get_cached_store,
    get_page_turns,
    get_roster,
    get_runner,
)
from dashboard.app.session_keys import PROJECTOR, SHOWS_PRIVATE
from gpt_core.access import LOCAL, NOBODY, TEACHER, Member, VisibleRuns, is_student, student_seed
from gpt_core.config import TrainingConfig
from gpt_core.library import LibraryModel, LibraryText
from gpt_core.model import count_config_parameters
from gpt_core.presets import PRESETS, Preset
from gpt_core.text import CHAPTER_PROMPT, Corpus, prompt_of
from gpt_core.vocabularies import get_tokenizer

COOKIE = "gpt_lab_member"


def current_member() -> Member | None:
    """Return the member of the class whose browser this is; None without a class, or if the
    browser is not a member's.
    """
    roster = get_roster()
    return None if roster is None else roster.who(_token())


def _token() -> str | None:
    """Return the member token in the browser's cookie."""
    return st.context.cookies.get(COOKIE)


def current_rejoin_code() -> str | None:
    """Return the rejoin code of this student's browser; None if a newer one has replaced it."""
    roster, token = get_roster(), _token()
    if roster is None or token is None:
        return None
    return get_cached_store().cached(("rejoin", token), lambda: roster.rejoin_code(token))


def current_actor() -> str:
    """Return the actor: local, teacher, or a student's ID."""
    if get_roster() is None:
        return LOCAL
    member = current_member()
    return member.id if member else NOBODY


def get_visible_runs() -> VisibleRuns:
    """Return the runs as this visitor's pages show them: see :func:`hides_private`."""
    own = not is_projected()
    return VisibleRuns(get_cached_store(), current_actor(), hides_private(), shows_own=own)


def get_class_runs() -> VisibleRuns:
    """Return the runs as the whole class may see them, for what a teacher projects."""
    return VisibleRuns(get_cached_store(), current_actor(), for_class=True)


def hides_private() -> bool:
    """Return whether the pages leave out what is private to students, and not this visitor's.

    A page for the projector does. So do the teacher's pages, which may be on the wall at any
    time, until the teacher turns private texts on in the sidebar.
    """
    if get_roster() is None:
        return False
    is_teacher = current_actor() == TEACHER
    return is_projected() or (is_teacher and not st.session_state.get(SHOWS_PRIVATE, False))


def may_show(entry: LibraryModel | LibraryText) -> bool:
    """Return whether the pages may name a text or a model of a library."""
    return not hides_private() or entry.shared or entry.owner in (current_actor(), LOCAL)


def is_projected() -> bool:
    """Return whether the page is in projector mode: larger, without side bars."""
    return PROJECTOR in st.query_params


def is_restricted() -> bool:
    """Return whether the class's rules apply to this visitor."""
    return is_student(current_actor())


def was_sent_out() -> bool:
    """Return whether there is a class and this browser is not a member's at this moment."""
    return get_roster() is not None and current_member() is None


def require_member() -> None:
    """Stop the page with a sentence if the teacher has sent this browser out of the class."""
    if was_sent_out():
        st.title("You are not in this class any more")
        st.text("Reload the page to join it again, with the code that your teacher shows.")
        st.stop()


def page_turn() -> AbstractContextManager[None]:
    """Return a block to draw in: a member's pages are drawn by turns, those of others beside."""
    member = current_member()
    return nullcontext() if member is None else get_page_turns().turn(member.id)


def allowed_presets() -> list[str]:
    """Return the presets that this visitor may use; for a student, of models that are allowed."""
    if not is_restricted():
        return list(PRESETS)
    rules = get_runner().rules
    allowed, largest = rules.allowed_presets(), rules.most_parameters or math.inf
    small = [n for n in allowed if count_config_parameters(PRESETS[n].model) <= largest]
    return small or allowed  # a run of a preset that is too large is refused in words


def own_preset(name: str, corpus: Corpus | None = None) -> Preset:
    """Return a named preset as :func:`for_visitor` does."""
    return for_visitor(PRESETS[name], corpus)


def for_visitor(preset: Preset, corpus: Corpus | None = None) -> Preset:
    """Return a preset with the prompt that suits a text and, for a student, their own seed.

    So no two students' runs are the same. The chapter's own settings keep its seed, and so its
    losses.
    """
    training = preset.training
    if is_restricted() and training != TrainingConfig():
        training = replace(training, seed=student_seed(current_actor()))
    if corpus is not None and training.start_context == CHAPTER_PROMPT:
        training = replace(training, start_context=prompt_of(corpus, get_tokenizer()))
    return replace(preset, training=training)


def hidden_controls() -> frozenset[str]:
    """Return the controls that the teacher hides from this visitor."""
    return frozenset(get_runner().rules.hidden if is_restricted() else ())


def refresh_seconds(at_least: int = 1) -> int:
    """Return the seconds between two redraws of this visitor's live content.

    Redraws are computed on the cores that train. The members of a class have an equal part of
    them, so that many tabs of one slow down their own pages, not those of the others.

    Args:
        at_least: the minimum, in seconds.
    """
    roster, member = get_roster(), current_member()
    tabs = 1 if roster is None or member is None else roster.tabs(member.id)
    return max(at_least, round(tabs * count_viewers(roster) / TABS_A_SECOND))


def note_presence(page: str) -> None:
    """Record which page this visitor is on, for the teacher."""
    roster, member = get_roster(), current_member()
    if roster is not None and member is not None:
        roster.note_presence(member.id, page)


def may_change(owner: str) -> bool:
    """Return whether this visitor may change what an owner has; the core checks again."""
    return current_actor() in (LOCAL, TEACHER, owner)


def owner_name(owner: str) -> str:
    """Return an owner's name; empty if the owner is the visitor or the local user."""
    if owner in (current_actor(), LOCAL):
        return ""
    return get_cached_store().names().get(owner, "")
