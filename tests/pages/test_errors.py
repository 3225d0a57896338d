"""What the machine does to the app, in words on the page: no tracebacks, no error boxes."""

import sqlite3
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.app import errors_in_words, fragments, runtime
from gpt_core.export import import_recorded_run
from tests.support.app_driver import button, open_app, texts

pytestmark = pytest.mark.usefixtures("own_runtime")
PAGES = ("home", "runs", "train", "loss", "weights", "generate", "data", "inside")


def test_a_record_that_was_damaged_is_told_on_every_page_until_it_is_read(runs_dir: Path) -> None:
    runs_dir.mkdir()
    (runs_dir / "runs.sqlite").write_bytes(b"this is no database " * 1000)
    app = open_app()
    assert "was damaged when it was opened" in texts(app)
    app.switch_page("pages/tokens.py").run()
    assert "was damaged when it was opened" in texts(app)
    button(app, "Dismiss").click().run()
    assert "damaged" not in texts(app)
    assert list(runs_dir.glob("*.damaged.sqlite"))  # only the notice is gone


def test_a_record_damaged_while_the_app_runs_is_a_sentence_on_every_page(runs_dir: Path) -> None:
    app = open_app()
    import_recorded_run(runtime.get_store())
    path = runs_dir / "runs.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 4096 * 20)
    for page in PAGES:
        app.switch_page(f"pages/{page}.py").run()
        assert not app.exception, page
        assert "The record of the runs is damaged" in texts(app), page


def test_what_goes_wrong_in_a_callback_is_said_above_the_page() -> None:
    def script() -> None:
        import errno

        import streamlit as st

        from dashboard.app import attempt, errors_in_words

        def fail(error: Exception) -> None:
            raise error

        full = OSError(errno.ENOSPC, "No space left on device", "/secret/place")
        st.button("full", on_click=lambda: attempt(fail, full))
        st.button("refused", on_click=lambda: attempt(fail, ValueError("<b>no</b>")))
        with errors_in_words():
            fail(PermissionError(errno.EACCES, "Permission denied", "/secret/place"))

    app = AppTest.from_function(script, default_timeout=60).run()
    assert "The machine reports an error (Permission denied)" in texts(app)
    assert "/secret" not in texts(app)
    app.button[0].click().run()
    assert "The disk is full" in app.toast[0].value
    app.button[1].click().run()
    assert "\\<b\\>no\\</b\\>" in app.toast[0].value


def test_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(KeyError), errors_in_words():
        raise KeyError("a bug")


def test_for_who_was_sent_out_a_part_of_a_page_redraws_the_whole_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def page() -> None:
        import streamlit as st

        from dashboard.app import fragment

        st.session_state["runs"] = st.session_state.get("runs", 0) + 1
        fragment(lambda: st.text("a part"))()

    answers = iter((True, False))
    monkeypatch.setattr(fragments, "was_sent_out", lambda: next(answers))
    app = AppTest.from_function(page).run()
    assert not app.exception
    assert app.session_state["runs"] == 2
    assert [text.value for text in app.text] == ["a part"]
