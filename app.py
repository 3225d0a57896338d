"""GPT Pretraining Lab: ``streamlit run app.py`` serves main.py to this machine."""

import streamlit as st

from dashboard.app import MIDDLEWARE
from dashboard.publishing import PUBLISHING_ROUTES

app = st.App("main.py", routes=PUBLISHING_ROUTES, middleware=MIDDLEWARE)
