"""A class on one machine: ``streamlit run classroom.py`` opens the app to the network."""

import streamlit as st

from dashboard.classroom import MIDDLEWARE, ROUTES, open_to_the_network

app = st.App("main.py", lifespan=open_to_the_network, routes=ROUTES, middleware=MIDDLEWARE)
