"""What the pages share; beside ``pages/`` and ``app.py`` the only place that knows Streamlit."""
