"""What the pages share; beside ``pages/`` and ``app.py`` the only place that knows Streamlit."""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

# Streamlit takes a folder named pages/ for its older kind of app until st.navigation has run
# once in the process: were a page's own address the first to be opened, it would come up
# without app.py around it. Whatever runs first imports this, and is run again as it should be.
if PagesManager.uses_pages_directory:
    PagesManager.uses_pages_directory = False
    st.rerun()
