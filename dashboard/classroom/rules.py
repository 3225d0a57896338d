"""The teacher's rules: how to join the class, what students may do, who is sent out."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import segno
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.app import (
    attempt,
    current_actor,
    get_cached_store,
    get_class_roster,
    get_runner,
    session_keys,
    show_refusal,
)
from dashboard.charts import count
from dashboard.classroom.network import class_urls
from gpt_core.access import CONTROLS, FIRST_LESSON, ClassRules, is_student
from gpt_core.presets import PRESETS

EVERYTHING, THREE, CHOICE = SHOWN = ("Every setting", "Three settings", "A choice")


@dataclass(frozen=True)
class Limit:
    """A limit of ClassRules in the form: its label, its help text and its unit."""

    label: str
    helped: str
    unit: int = 1


LIMITS = {
    "most_runs": Limit("Runs at once", "Of each student: waiting, training or paused."),
    "most_minutes": Limit("Minutes of training", "Of each student, all their runs together."),
    "most_megabytes": Limit("Megabytes of disk", "Of each student: checkpoints, texts and models."),
    "most_upload_megabytes": Limit(
        "Megabytes of uploads", "Of each student: files that they have not saved yet."
    ),
    "most_steps": Limit("Steps of a run", "Of each single run."),
    "most_parameters": Limit(
        "Million parameters", "Of each single run's model: the chapter's has 162 million.", 10**6
    ),
}
QR_PIXELS = 220
WHY = (
    "A new class begins with limits for thirty students on a laptop with two cores, where one run "
    "trains at a time. The preset pocket has 13 million parameters, minute 0.7, evening 49 and "
    "book-124m 162: the limit of 20 million allows pocket and minute alone. A run of either takes "
    "about a minute on such a laptop. One of pocket needs up to 485 MB of disk and keeps 108 MB; "
    "one of evening needs up to 1.8 GB."
)


def show_how_to_join() -> None:
    """Show the address and the code, large enough for the last row, and a QR code of both."""
    roster, urls = get_class_roster(), class_urls()
    if not urls:
        st.text("This machine is in no network: connect it, then start the class again.")
        return
    words, picture = st.columns([3, 1], vertical_alignment="center")
    with words:
        st.html(
            f'<p class="gpt-join">Open <strong>{urls[0]}</strong><br>'
            f"Code <strong>{html.escape(roster.join_code)}</strong></p>"
        )
        if urls[1:]:
            st.caption("If that address does not open: " + ", ".join(urls[1:]))
    with picture:
        link = f"{urls[0]}/join?{urlencode({'code': roster.join_code})}"
        drawing = segno.make(link, micro=False).svg_inline(scale=6, border=3, light="white")
        st.image(drawing, width=QR_PIXELS, alt=f"QR code of {link}")


def show_door() -> None:
    """Show the teacher how many join, and let them close the class to new students."""
    roster = get_class_roster()
    joined = roster.count_joined()
    with st.container(horizontal=True, vertical_alignment="center"):
        if not roster.is_open:
            st.text("Closed to new students: those who were here return with their rejoin codes.")
        else:
            st.text(f"{count(joined, 'student')} joined in the last half minute.")
        st.button(
            "No more joins" if roster.is_open else "Let students join",
            on_click=_set_open,
            args=(not roster.is_open,),
        )


def _set_open(is_open: bool) -> None:
    attempt(get_class_roster().set_open, is_open, actor=current_actor())


def show_rules() -> None:
    """Let the teacher set the rules, which hold for each student."""
    rules = get_runner().rules
    how = _how_much(rules)
    chosen = st.segmented_control(
        "Settings that students see",
        SHOWN,
        default=how,
        required=True,
        help=f"The others stay as in the preset. Three settings: {', '.join(FIRST_LESSON)}.",
        key=_key("how", rules),
    )
    st.caption(WHY)
    with st.form("rules", border=False):
        shown = [name for name in CONTROLS if name not in rules.hidden]
        if chosen == CHOICE:
            shown = st.multiselect("Settings to show", CONTROLS, shown, key=_key("shown", rules))
        presets = st.multiselect(
            "Presets that students may use",
            list(PRESETS),
            rules.allowed_presets(),
            key=_key("presets", rules),
        )
        limits: dict[str, Any] = {}
        for column, (name, limit) in zip(_columns(), LIMITS.items(), strict=False):
            before = getattr(rules, name)
            entered = column.number_input(
                limit.label,
                1,
                value=None if before is None else max(1, before // limit.unit),
                step=1,
                placeholder="no limit",
                help=limit.helped,
                key=_key(name, rules),
            )
            limits[name] = None if entered is None else entered * limit.unit
        if st.form_submit_button("Save rules", type="primary"):
            allowed = () if len(presets) in (0, len(PRESETS)) else tuple(presets)
            try:
                wanted = _with_shown(replace(rules, **limits, presets=allowed), shown)
            except ValueError as error:  # a limit that is too large
                show_refusal(error)
            else:
                if _set(wanted):
                    st.rerun()
    # Below the form: a redraw that ends before it would lose what is not saved in it.
    if chosen not in (how, CHOICE) and _set(
        _with_shown(rules, FIRST_LESSON if chosen == THREE else CONTROLS)
    ):
        st.rerun()


def _how_much(rules: ClassRules) -> str:
    """Return which settings students see: one of SHOWN."""
    if not rules.hidden:
        return EVERYTHING
    return THREE if set(rules.hidden) == {*CONTROLS} - {*FIRST_LESSON} else CHOICE


def show_members() -> None:
    """Let the teacher send a student out of the class, or give one a new rejoin code."""
    with st.container(horizontal=True):
        if present := {member.id: member.name for member in get_class_roster().members()}:
            with st.popover("Remove a student"):
                who = _choose_student("Who", present, session_keys.SENT_OUT)
                st.caption(
                    "Their browser is signed out, and their rejoin code no longer works. With the "
                    "join code they can join again, but as a new student: without their runs, "
                    "which stay on this machine. The queue below stops what trains or waits."
                )
                st.button("Remove", disabled=who is None, on_click=_send_out, args=(who,))
        names = get_cached_store().names()  # also of those who are not here
        if students := {key: name for key, name in names.items() if is_student(key)}:
            with st.popover("A new rejoin code"):
                who = _choose_student("For whom", students, session_keys.REJOINING)
                st.caption(
                    "For a student who has lost theirs: the lost one ends. With their name and the "
                    "new code they join again and have their runs and texts. Do not project it."
                )
                st.button("Issue a code", disabled=who is None, on_click=_issue_code, args=(who,))
                issued, code = st.session_state.get(session_keys.REJOIN_CODE, (None, ""))
                if who is not None and issued == who:
                    st.code(f"{students[who]}\n{code}", language=None)


def _choose_student(label: str, names: dict[str, str], key: str) -> str | None:
    return st.selectbox(
        label, list(names), format_func=lambda member: names[member], index=None, key=key
    )


def _issue_code(member_id: str) -> None:
    def issue() -> None:
        code = get_class_roster().issue_rejoin_code(member_id, actor=current_actor())
        st.session_state[session_keys.REJOIN_CODE] = (member_id, code)

    attempt(issue)


def _columns() -> Iterator[DeltaGenerator]:
    for _ in range(2):
        yield from st.columns(3, gap="medium")


def _key(name: str, rules: ClassRules) -> str:
    """Return a widget's key, which changes with the rules: the new ones show at once.

    Which settings are shown takes effect without "Save rules", and must not undo what is not
    saved yet.
    """
    decisive = rules if name in ("how", "shown") else replace(rules, hidden=())
    return f"{session_keys.RULE}-{name}-{hash(decisive)}"


def _with_shown(rules: ClassRules, shown: Sequence[str]) -> ClassRules:
    return replace(rules, hidden=tuple(name for name in CONTROLS if name not in shown))


def _set(rules: ClassRules) -> bool:
    done = attempt(get_runner().set_rules, rules, actor=current_actor())
    if done:
        st.toast("These rules now apply.")
    return done


def _send_out(member_id: str) -> None:
    attempt(get_class_roster().revoke, member_id, actor=current_actor())
