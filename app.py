"""GPT Pretraining Lab: ``streamlit run app.py`` serves main.py to this machine."""

import streamlit as st

from dashboard.app import MIDDLEWARE

app = st.App("main.py", middleware=MIDDLEWARE)
