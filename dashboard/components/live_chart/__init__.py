"""A plotly chart that is mounted once and redrawn in place.

``st.plotly_chart`` mounts anew whenever its figure changes, and so loses zoom and legend choices
at each tick. This component takes an ordinary plotly figure and hands it to ``Plotly.react``,
which keeps what the user has set as long as the figure's ``uirevision`` stays the same.
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

from dashboard.app import SITE_DIR

HERE = Path(__file__).parent
STATIC = SITE_DIR / "static"  # what Streamlit serves at app/static

# Registered once: an instance that is mounted belongs to the registration it came from.
_component = st.components.v2.component(
    "live_chart",
    html='<div class="live-chart" role="figure"></div><div class="live-chart-save" hidden></div>',
    css=(HERE / "live_chart.css").read_text(),
    js=(HERE / "live_chart.js").read_text(),
    isolate_styles=False,  # plotly's own styles go to the head, not into a shadow root
)


def live_chart(
    figure: go.Figure | str, description: str, key: str, save_as: str | None = None, title: str = ""
) -> None:
    """Draw a figure that changes while one watches.

    Args:
        figure: drawn in the page's colours; its ``uirevision`` says how long zoom is kept. As JSON,
            if it was made once for many who look.
        description: what a screen reader says instead of the chart.
        key: identifies the chart on its page.
        save_as: offers it as a picture, PNG or SVG, in a file of this name.
        title: what stands above that picture; text, not markup.
    """
    url = _plotly_url()
    text = figure if isinstance(figure, str) else figure.to_json()
    if url is None:
        st.plotly_chart(go.Figure(json.loads(text)), key=key)
        st.caption(f"{STATIC} cannot be written to: zoom is lost at each update.")
        return
    data = {
        "plotly": url,
        "description": description,
        "figure": text,
        "save_as": save_as,
        "title": html.escape(title, quote=False),  # plotly takes it for markup
    }
    _component(data=data, key=key)


def preload() -> None:
    """Let the browser fetch plotly already, on a page that leads to a chart."""
    url = _plotly_url()
    if url is not None:
        _component(data={"plotly": url, "figure": None}, key="preload")


@cache  # it is copied once per process at most
def _plotly_url() -> str | None:
    """Put the installed plotly.js where the server can serve it; return its address.

    It is 5 MB: sent with the component it would be sent with each tick. None where the folder
    cannot be written to.
    """
    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    target = STATIC / "plotly.min.js"
    if not target.exists() or target.stat().st_size != source.stat().st_size:
        part = target.with_suffix(f".{os.getpid()}")
        try:
            STATIC.mkdir(exist_ok=True)
            shutil.copy2(source, part)  # with its time, which is what browsers' caches go by
            part.replace(target)
        except OSError:
            return None
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"{'/' + base if base else ''}/app/static/plotly.min.js?v={plotly.__version__}"
