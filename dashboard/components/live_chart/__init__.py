"""A Plotly chart that is mounted once and redrawn in place.

``st.plotly_chart`` mounts anew whenever its figure changes, and so loses zoom and legend choices
at each redraw. This component passes an ordinary Plotly figure to ``Plotly.react``, which keeps
what the user has set while the figure's ``uirevision`` stays the same.
"""

import html
import json
import os
import shutil
from functools import cache
from pathlib import Path

import plotly
import plotly.graph_objects as go
import streamlit as st

from dashboard import SITE_DIR
from dashboard.components.registration import register

STATIC = SITE_DIR / "static"  # served by Streamlit at app/static

# Registered once: a mounted instance belongs to its registration.
_component = register(
    "live_chart",
    html='<div class="live-chart" role="figure"></div><div class="live-chart-save" hidden></div>',
)


def live_chart(
    figure: go.Figure | str, description: str, key: str, save_as: str | None = None, title: str = ""
) -> None:
    """Draw a figure that is updated in place.

    Args:
        figure: drawn in the page's colours; zoom is kept while its ``uirevision`` stays the same.
            As JSON if it was computed once for many viewers.
        description: the text that screen readers read instead of the chart.
        key: identifies the chart on its page.
        save_as: the file name, without extension, of the PNG or SVG image that can be saved.
        title: the title of that image; text, not markup.
    """
    url = _plotly_url()
    text = figure if isinstance(figure, str) else figure.to_json()
    if url is None:
        st.plotly_chart(go.Figure(json.loads(text)), key=key)
        st.caption(f"{STATIC} cannot be written to, so zoom is lost at each update.")
        return
    data = {
        "plotly": url,
        "description": description,
        "figure": text,
        "save_as": save_as,
        "title": html.escape(title, quote=False),  # Plotly reads it as markup
    }
    _component(data=data, key=key)


def preload() -> None:
    """Let the browser load plotly.js early, on a page that leads to a chart."""
    url = _plotly_url()
    if url is not None:
        _component(data={"plotly": url, "figure": None}, key="preload")


@cache  # copies the file at most once per process
def _plotly_url() -> str | None:
    """Copy the installed plotly.js into the static folder; return its URL.

    It has 5 MB, which a component would send with each update. Return None if the folder cannot
    be written to.
    """
    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    target = STATIC / "plotly.min.js"
    if not target.exists() or target.stat().st_size != source.stat().st_size:
        part = target.with_suffix(f".{os.getpid()}")
        try:
            STATIC.mkdir(exist_ok=True)
            shutil.copy2(source, part)  # with its time, which browsers' caches check
            part.replace(target)
        except OSError:
            return None
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"{'/' + base if base else ''}/app/static/plotly.min.js?v={plotly.__version__}"
