"""The app as AppTest runs it: opening a page, and reading what is on it."""

import json
import time
from dataclasses import replace
from typing import Any

from streamlit.testing.v1 import AppTest

from dashboard.app import runtime
from gpt_core.presets import Preset
from gpt_core.text import load_text
from tests.conftest import TINY, TINY_TRAINING
from tests.support.paths import ROOT

TIMEOUT = 60
# Named as the real one, but tiny, so that a test need not wait; it trains until it is stopped.
POCKET = Preset("pocket", "Two layers.", TINY, replace(TINY_TRAINING, num_epochs=500))


def open_app(
    page: str | None = None, *, state: dict[str, Any] | None = None, **query: str
) -> AppTest:
    """Open a page; ``state`` is what its widgets hold from before."""
    app = AppTest.from_file(str(ROOT / "main.py"), default_timeout=TIMEOUT)
    for name, value in query.items():
        app.query_params[name] = value
    for name, value in (state or {}).items():
        app.session_state[name] = value
    app.run()
    if page:
        app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


def start_pocket_run(steps: int = 11) -> str:
    runner = runtime.get_runner()
    run_id = runner.start(POCKET, load_text("counting"), actor="local")
    deadline = time.monotonic() + 60
    while len(runtime.get_store().steps(run_id)) < steps:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return run_id


def finish(run_id: str) -> None:
    runtime.get_runner().stop(run_id, actor="local").result(timeout=30)


def wait_for_state(run_id: str, state: str) -> None:
    deadline = time.monotonic() + 30
    while (run := runtime.get_store().run(run_id)) is None or run.state != state:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def button(app: AppTest, label: str):
    found = [button for button in app.main.button if button.label == label]
    assert found, [button.label for button in app.main.button]
    return found[0]


def choose(app: AppTest, label: str, option: str) -> None:
    next(box for box in app.selectbox if box.label == label).select(option).run()


def components(app: AppTest, name: str) -> list[dict]:
    """Return the data of a page's components of one kind."""
    found = [e for e in app.get("bidi_component") if e.proto.component_name.endswith(name)]
    data = [json.loads(element.proto.json) for element in found]
    for chart in data:
        if isinstance(chart.get("figure"), str):
            chart["figure"] = json.loads(chart["figure"])
    return data


def texts(app: AppTest) -> str:
    kinds = (app.text, app.markdown, app.caption, app.title, app.header, app.subheader, app.code)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


def html(app: AppTest) -> str:
    """Return all that a page shows as HTML of our own."""
    return "\n".join(element.proto.body for element in app.get("html"))


def metric(app: AppTest, label: str) -> str:
    return next(metric.value for metric in app.metric if metric.label == label)


def chips(app: AppTest, label: str) -> dict:
    """Return the data of the chips whose label begins so."""
    return next(d for d in components(app, "token_chips") if d["label"].startswith(label))
