"""What each visitor sees: the frame around the pages. ``streamlit run app.py`` serves it."""

from pathlib import Path

import streamlit as st

import dashboard
from dashboard.app import (
    MACHINE_ERRORS,
    errors_in_words,
    get_uploads,
    is_class,
    page_turn,
    require_member,
    show_refusal,
)
from dashboard.classroom import show_member
from dashboard.components.accessibility import improve_markup
from dashboard.ui import apply_look, show_current_run, show_notices

ICON = Path(dashboard.__file__).parent / "icon.svg"
PAGES = ("Tokens", "Model", "Loss", "Data", "Train", "Generate", "Weights")  # by lecture

st.set_page_config(page_title="GPT Pretraining Lab", page_icon=ICON, layout="wide")
st.logo(ICON, size="large")
apply_look()
general = [
    st.Page("pages/home.py", title="Home", default=True),
    st.Page("pages/runs.py", title="Runs"),
    *([st.Page("pages/classroom.py", title="Classroom")] if is_class() else []),
    st.Page("pages/glossary.py", title="Glossary"),
]
steps = [st.Page(f"pages/{title.lower()}.py", title=title) for title in PAGES]
beyond = [st.Page("pages/inside.py", title="Inside")]
page = st.navigation({"": general, "The seven steps": steps, "Beyond the chapter": beyond})
try:
    uploads = get_uploads()  # created on the first visit, as all services
    require_member()
except (ValueError, *MACHINE_ERRORS) as error:
    show_refusal(error)
else:
    with page_turn():
        with st.sidebar, errors_in_words():
            show_current_run(getattr(page, "title", ""))  # none without a server, as in a test
            if is_class():
                show_member()
            improve_markup()
        with errors_in_words(), uploads.freeing_unshown():
            show_notices()
            page.run()
