"""A run that another machine trains, on the pages: live, silent, ended. Its text is not here."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dashboard.app import runtime
from dashboard.ui import STEPS
from gpt_core.publishing import SentRows, receive_run
from gpt_core.publishing.outgoing import introduce, read_batch
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunState, RunStore
from gpt_core.store.run import SILENT_SECONDS
from gpt_core.text import Corpus
from tests.support.app_driver import open_app, texts
from tests.support.runs import PRESET

pytestmark = pytest.mark.usefixtures("own_runtime")
TEXT = Corpus("A private text", "".join(f"The lamp {i} burns until morning. " for i in range(400)))
EVERY_PAGE = ("home", "runs", "glossary", *{p.lower() for step in STEPS for p in step.pages})


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunStore]:
    """The store of another machine, where a run has ended."""
    with closing(RunStore(tmp_path_factory.mktemp("origin"))) as store:
        runner = TrainingRunner(store, threads=1)
        assert runner.wait(runner.start(PRESET, TEXT, run_id="far", actor="local"), 120)
        runner.close()
        yield store


def publish(origin: RunStore, is_live: bool) -> RunStore:
    """Bring the run into the app's store, up to its end or just before it."""
    app, run = runtime.get_store(), origin.run("far")
    assert run is not None
    cursors = receive_run(app, "far", introduce(origin, run), "local")
    sent = SentRows.read(read_batch(origin, "far", cursors).body, "local")
    if is_live:
        sent.rows["transitions"] = sent.rows["transitions"][:-1]
    sent.add_to(app, "far")
    return app


@pytest.mark.slow
@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize("page", sorted(EVERY_PAGE))
def test_every_page_shows_it_without_its_text(origin: RunStore, page: str, is_live: bool) -> None:
    publish(origin, is_live)
    app = open_app(page, state={"walk_model": "pocket"}, run="far")
    assert app.title
    assert "tiny on A private text · on" in app.sidebar.text[0].value


def test_the_page_names_the_machine_of_a_live_one(origin: RunStore) -> None:
    store = publish(origin, is_live=True)
    run = store.run("far")
    assert run is not None
    app = open_app("train", run="far")
    assert f"It trains on {run.origin}, which sends what it records" in texts(app)
    assert "Still live" in texts(open_app("runs", run="far"))  # it cannot be deleted
    assert store.live_runs()  # no page has marked it as interrupted


def test_the_page_says_since_when_nothing_has_come(origin: RunStore) -> None:
    store = publish(origin, is_live=True)
    with closing(sqlite3.connect(store.runs_dir / "runs.sqlite")) as database:
        sql = "UPDATE published_runs SET received_at = received_at - ?"
        database.execute(sql, (SILENT_SECONDS + 100,))
        database.commit()
    shown = texts(open_app("train", run="far"))
    assert "from where nothing has come since" in shown
    assert "for 2 min 1" in shown
    assert "Still live" not in texts(open_app("runs", run="far"))  # it can be deleted


def test_one_that_was_stopped_is_resumed_only_where_it_trains(
    origin: RunStore, tmp_path: Path
) -> None:
    store = publish(origin, is_live=True)
    store.set_state("far", RunState.STOPPED, "local")
    app = open_app("train", run="far")
    assert "Resume" not in [b.label for b in app.main.button]
    with pytest.raises(ValueError, match=r"Run far trains on .*: resume it there"):
        runtime.get_runner().resume("far", actor="local")
