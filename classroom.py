"""A class on one machine: ``streamlit run classroom.py`` opens the app to the network."""

import streamlit as st

from dashboard.classroom import MIDDLEWARE, ROUTES, open_to_the_network
from dashboard.publishing import PUBLISHING_ROUTES

routes = [*ROUTES, *PUBLISHING_ROUTES]
app = st.App("main.py", lifespan=open_to_the_network, routes=routes, middleware=MIDDLEWARE)
