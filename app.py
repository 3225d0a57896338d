"""GPT Pretraining Lab: ``streamlit run app.py``."""

from pathlib import Path

import streamlit as st

from dashboard.lecture import section
from dashboard.mends import mend_markup
from dashboard.people import require_member
from dashboard.refusals import TROUBLE, in_words, show_refusal
from dashboard.runtime import get_runner, is_class
from dashboard.sidebar import show_current_run
from dashboard.widgets import apply_look, show_notices

ICON = Path(__file__).parent / "dashboard" / "icon.svg"
# In the order of the lecture's steps; what belongs to none of them comes below Home.
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
    get_runner()  # made with the first visit
    require_member()
except (ValueError, *TROUBLE) as error:
    show_refusal(error)
else:
    with st.sidebar, in_words():
        # Where a test imports this file anew, without a server, the page is an empty one.
        show_current_run(getattr(page, "title", ""))
        mend_markup()
    with in_words():
        show_notices()
        page.run()
