"""GPT Pretraining Lab: ``streamlit run app.py``."""

from pathlib import Path

import streamlit as st

import dashboard
from dashboard.app import (
    MACHINE_ERRORS,
    errors_in_words,
    get_runner,
    is_class,
    require_member,
    show_refusal,
)
from dashboard.classroom import show_member
from dashboard.components.accessibility import improve_markup
from dashboard.ui import apply_look, section, show_current_run, show_notices

ICON = Path(dashboard.__file__).parent / "icon.svg"
# In the order of the lecture's steps; the other pages come below Home.
PAGES = ("Runs", "Tokens", "Model", "Loss", "Data", "Train", "Generate", "Weights")

st.set_page_config(page_title="GPT Pretraining Lab", page_icon=ICON, layout="wide")
st.logo(ICON, size="large")
apply_look()

sections = {"": [st.Page("pages/home.py", title="Home", default=True)]}
for title in PAGES:
    pages = sections.setdefault(section(title), [])
    pages.append(st.Page(f"pages/{title.lower()}.py", title=title))
if is_class():
    sections[""].append(st.Page("pages/classroom.py", title="Classroom"))
sections[""].append(st.Page("pages/glossary.py", title="Glossary"))
page = st.navigation(sections)
try:
    get_runner()  # created on the first visit
    require_member()
except (ValueError, *MACHINE_ERRORS) as error:
    show_refusal(error)
else:
    with st.sidebar, errors_in_words():
        # Imported without a server, as in a test, the page has no title.
        show_current_run(getattr(page, "title", ""))
        if is_class():
            show_member()
        improve_markup()
    with errors_in_words():
        show_notices()
        page.run()
