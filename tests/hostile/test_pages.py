"""Hostile addresses, input and names on every page: a page or a sentence, and text as text.

How many examples each test tries is in conftest.py: few, for a page takes its time, and hundreds
with --whole-run.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime, session_keys
from gpt_core.library import TextLibrary, label_run
from gpt_core.model import build_model
from gpt_core.presets import Preset
from gpt_core.store import Run
from gpt_core.text import Corpus
from gpt_core.weights import InitialWeights
from tests.conftest import TINY, TINY_TRAINING
from tests.support.app_driver import button, components, open_app
from tests.support.hostile import FILE_NAMES, HOSTILE, fewer, record_run, sendable
from tests.support.lesson import CODE, PASSPHRASE, Class
from tests.support.paths import ROOT

pytestmark = pytest.mark.usefixtures("own_runtime")

PAGES = (
    "home",
    "runs",
    "tokens",
    "model",
    "loss",
    "data",
    "train",
    "generate",
    "weights",
    "inside",
)
SMALL = {"walk_model": "pocket", "write_tokens": 1}  # so that tests need not wait
NAME = "<img src=x onerror=h()> **b** $x$ [l](javascript:h()) :red[r]"  # as long as names may be
STUDENT = "<img src=x onerror=h()> **b** :red[r]"
# What would be markup in markdown, and in HTML.
MARKDOWN = ("<script", "<img", "**b**", "$x$", "](", ":material/home:", ":red[r]")
HTML = ("<script", "<img src=x")
# The fields of Streamlit's messages that a browser shows as markdown, and in whose they are text.
MARKED = ("body", "label", "help", "title", "caption", "captions", "content")
PLAIN = ("Text", "Code", "BidiComponent")
MORE_MARKED = {"Progress": ("text",), "Spinner": ("text",), "Radio": ("options",)}


def parts(app: AppTest) -> Iterator[Message]:
    """Yield what Streamlit sends to the browser, element by element, blocks among them."""
    for block in app._tree:
        proto = getattr(block, "proto", None)
        if isinstance(proto, Message):
            yield proto


def strings(message: Message) -> Iterator[tuple[str, str]]:
    """Yield all text in a message, with the name of the field in which it stands."""
    for field, value in message.ListFields():
        values = value if not isinstance(value, str | bytes | Message) else [value]
        if field.type == FieldDescriptor.TYPE_STRING:
            yield from ((field.name, text) for text in values)
        elif field.type == FieldDescriptor.TYPE_MESSAGE and not hasattr(values, "items"):
            for inner in values:
                yield from strings(inner)


def check(app: AppTest) -> None:
    """Check that a page came up, and tells nothing of the server's inside."""
    assert not app.exception, app.exception
    for message in parts(app):
        for _, text in strings(message):
            assert "Traceback" not in text
            assert str(ROOT) not in text
            assert "site-packages" not in text


def check_markup(app: AppTest) -> None:
    """Check that nothing a user wrote stands where a browser would read it as markup."""
    check(app)
    for message in parts(app):
        kind = message.DESCRIPTOR.name
        marked = () if kind in PLAIN else (*MARKED, *MORE_MARKED.get(kind, ()))
        for name, text in strings(message):
            markup = HTML if kind == "Html" else MARKDOWN
            found = [piece for piece in markup if name in marked and piece in text]
            assert not found, (kind, name, text)
    for chart in components(app, "live_chart"):
        assert not [piece for piece in HTML if piece in json.dumps(chart.get("figure"))]
        assert not [piece for piece in HTML if piece in chart.get("title", "")]


@pytest.fixture
def app(page: str, own_runtime: None, run: Run) -> AppTest:
    """A page over a store with one run, the same for all examples of a test."""
    record_run(runtime.get_store(), run)
    address = {session_keys.RUN: run.id} if page in ("runs", "train") else {}
    return open_app(
        page,
        state={**SMALL, session_keys.START: True, session_keys.OTHER_SETTINGS: True},
        **address,
    )


# Addresses


def visit(app: AppTest, **query: str | list[str]) -> None:
    """Come back to a page by another address."""
    app.query_params.clear()
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    check(app)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
@fewer(20)
@given(data=st.data())
def test_any_address_is_a_page(app: AppTest, run: Run, data: Any) -> None:
    run_ids = st.just(run.id) | st.sampled_from(FILE_NAMES) | sendable
    moments = st.sampled_from(("nan", "inf", "-1e999", "0", "1e308", f"{time.time()}")) | sendable
    query: dict[str, Any] = {}
    if data.draw(st.booleans()):
        query[session_keys.RUN] = data.draw(run_ids | st.lists(run_ids, min_size=2, max_size=4))
    if data.draw(st.booleans()):
        query[session_keys.REPLAY] = data.draw(moments)
    if data.draw(st.integers(0, 3)) == 0:
        query[session_keys.PROJECTOR] = data.draw(sendable)
    visit(app, **query)


# What is typed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "press"),
    [
        ("tokens", ()),
        ("loss", ("Clear the table",)),
        ("data", ("Save this text",)),
        ("train", ()),
        ("generate", ("Write",)),
        ("runs", ("Save",)),
    ],
)
@fewer(20)
@given(data=st.data())
def test_anything_may_be_typed_into_each_field(
    app: AppTest, press: tuple[str, ...], data: Any
) -> None:
    fields = [*app.text_input, *app.text_area]
    assert fields
    for field in fields:
        if data.draw(st.booleans()):
            field.set_value(data.draw(sendable))
    for label in press:
        found = [button for button in app.button if button.label == label]
        if found and not found[0].disabled:
            found[0].click()
    app.run()
    check(app)


# Markup


def plant() -> str:
    """Plant hostile words in all that a user can name or write; return a run's ID."""
    store, models = runtime.get_store(), runtime.get_models()
    corpus = Corpus(NAME, f"{HOSTILE}\n" * 12)
    model = build_model(replace(TINY, qkv_bias=True), seed=4)
    models.keep(model, NAME, actor="local")
    TextLibrary(store, actor="local").keep(corpus, "pasted")
    training = replace(
        TINY_TRAINING, num_epochs=1, start_context=HOSTILE, probes=("**b** $x$", "<img src=x")
    )
    preset = Preset("pocket", "", replace(TINY, qkv_bias=True), training)
    runner = runtime.get_runner()
    run_ids = [
        runner.start(preset, corpus, initial=InitialWeights(NAME, model), actor="local"),
        runner.start(replace(preset, training=replace(training, seed=1)), corpus, actor="local"),
    ]
    for run_id in run_ids:
        assert runner.wait(run_id, 60)
        label_run(store, run_id, NAME, HOSTILE, actor="local")
    return run_ids[0]


FIELDS = {
    session_keys.TOKENS_TEXT: HOSTILE,
    session_keys.IDS_TEXT: HOSTILE,
    session_keys.WALK_ROWS: "**b** $x$\n<img src=x",
    session_keys.WRITE_PROMPT: HOSTILE,
    session_keys.OWN_PROBES: "<script\n:red[r]",
    session_keys.PASTED: HOSTILE,
    session_keys.START: True,
    "measures": True,
}


def everything(app: AppTest) -> str:
    return "\n".join(text for message in parts(app) for _, text in strings(message))


@pytest.mark.slow
def test_what_a_user_writes_is_never_markup_on_any_page() -> None:
    run_id = plant()
    others = [other.id for other in runtime.get_store().runs() if other.id != run_id]
    for model in (run_id, f"model:{runtime.get_models().models(actor='local')[0].key}"):
        session = {**FIELDS, session_keys.WALK_MODEL: model, session_keys.WRITE_TOKENS: 2}
        for page in PAGES:
            app = open_app(page, state=session, run=run_id)
            check_markup(app)
            assert NAME in everything(app), page  # as text
            if page == "generate":
                button(app, "Write").click().run()
            if page == "loss":
                button(app, "Measure its loss").click().run()
            if page == "train":
                visit(app, run=HOSTILE)
                check_markup(app)
                visit(app, run=run_id, projector=HOSTILE, replay=HOSTILE)
            if page == "runs":
                visit(app, run=[run_id, *others, HOSTILE])
                check_markup(app)
                visit(app, run=run_id)
                app.button_group(key=session_keys.EXPORT).set_value("text").run()
                check_markup(app)
                button(app, "Run again with changes").click().run()
            check_markup(app)


@pytest.mark.parametrize(
    ("page", "name", "content"),
    [
        ("data", f"{HOSTILE}.docx", b"x"),
        ("data", f"{HOSTILE}.txt", HOSTILE.encode()),
        ("weights", f"{NAME}.pth", b"x"),
        ("weights", f"{HOSTILE}.zip", b"PK\x03\x04"),
    ],
)
def test_the_name_of_an_uploaded_file_is_never_markup(page: str, name: str, content: bytes) -> None:
    app = open_app(page)
    app.file_uploader[0].set_value([(name, content, "text/plain")]).run()
    check_markup(app)
    labels = [button.label for button in app.button]
    for label in {"Add this model", "Save this text"} & set(labels):
        button(app, label).click().run()
        check_markup(app)
    assert "<script" in everything(app) or NAME in everything(app)


@pytest.mark.slow
def test_the_name_of_a_student_is_never_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(runtime.CLASS_MODE, "1")
    monkeypatch.setenv(runtime.JOIN_CODE, CODE)
    monkeypatch.setenv(runtime.PASSPHRASE, PASSPHRASE)
    lesson = Class(monkeypatch)
    lesson.tokens[STUDENT] = lesson.roster.join(STUDENT, CODE, "here")
    owner = lesson.id(STUDENT)
    run_id = lesson.train(STUDENT, Corpus(NAME, f"{HOSTILE}\n" * 12))
    label_run(runtime.get_store(), run_id, NAME, HOSTILE, actor=owner)
    TextLibrary(runtime.get_store(), actor=owner).keep(Corpus(NAME, HOSTILE), "pasted")
    runtime.get_models().keep(build_model(replace(TINY, qkv_bias=True), seed=4), NAME, actor=owner)
    lesson.visit(STUDENT, "classroom")
    for name in (STUDENT, "Teacher"):
        for page in ("classroom", *PAGES):
            app = lesson.visit(name, page, run=run_id)
            check_markup(app)
            if name == "Teacher" and page in ("classroom", "runs", "data", "weights"):
                assert STUDENT in everything(app), page


MARKING = """
st.markdown(NAME) · st.caption(NAME) · st.header(NAME) · st.badge(NAME) · st.html(NAME)
st.toast(NAME) · st.expander(NAME).text("x") · st.popover(NAME).text("x") · st.tabs([NAME])
st.button(NAME) · st.button("x", help=NAME) · st.download_button(NAME, "x") · st.checkbox(NAME)
st.pills("x", [NAME]) · st.radio("x", [NAME]) · st.selectbox(NAME, ["x"]) · st.text_input(NAME)
st.progress(0.5, NAME) · st.metric(NAME, 1) · st.file_uploader(NAME)
"""
PLAINLY = "st.text(NAME)\nst.code(NAME)\nst.selectbox('x', [NAME])\nst.text_input('x', NAME)"


@pytest.mark.slow
def test_the_check_itself_finds_markup_wherever_it_stands() -> None:
    begin = f"import streamlit as st\nNAME = {NAME!r}\n"
    for call in MARKING.replace("\n", " · ").strip(" ·").split(" · "):
        app = AppTest.from_string(begin + call).run()
        assert not app.exception, call
        with pytest.raises(AssertionError, match="img"):
            check_markup(app)
    check_markup(AppTest.from_string(begin + PLAINLY).run())
