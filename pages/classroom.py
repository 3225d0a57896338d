"""Classroom: how to join, all curves on one chart, who is where, the queue, the rules."""

import streamlit as st

from dashboard.app import fragment, get_class_roster, is_restricted, refresh_seconds
from dashboard.classroom import rules, wall
from dashboard.ui import page_title

page_title(
    "Classroom",
    "Everybody trains on this one machine, in turn. Here is the latest curve of each.",
)
is_teacher = not is_restricted()
every = refresh_seconds(at_least=2)

if is_teacher:
    with st.expander("How to join", expanded=not get_class_roster().seen()):
        rules.show_how_to_join()
st.header("The class's curves")
fragment(wall.show_curves)(every)
if is_teacher:
    st.header("Who is where")
    fragment(wall.show_who, run_every=every)()
    fragment(rules.show_door, run_every=every)()
    rules.show_members()
st.header("The queue")
fragment(wall.show_queue, run_every=every)()
st.header("What they write")
fragment(wall.show_samples, run_every=2 * every)()
if is_teacher:
    st.header("What students may do")
    rules.show_rules()
