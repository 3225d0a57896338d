"""GPT Pretraining Lab: ``streamlit run app.py``."""

from pathlib import Path

import streamlit as st

from dashboard.runtime import get_runner
from dashboard.widgets import apply_look, show_refusal

ICON = Path(__file__).parent / "dashboard" / "icon.svg"

st.set_page_config(page_title="GPT Pretraining Lab", page_icon=ICON, layout="wide")
st.logo(ICON, size="large")
apply_look()

page = st.navigation(
    [
        st.Page("pages/home.py", title="Home", default=True),
        st.Page("pages/train.py", title="Train"),
    ]
)
try:
    get_runner()  # made with the first visit
except ValueError as error:
    show_refusal(error)
else:
    page.run()
