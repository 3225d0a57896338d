"""The glossary, held to what stands on the pages."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime
from dashboard.ui import STEPS
from dashboard.ui.glossary import ON_PAGE, find_terms
from dashboard.ui.glossary_terms import TERMS
from gpt_core.export import import_recorded_run
from tests.support.app_driver import open_app

SHOWN = ("body", "label", "help", "value", "text")  # fields of an element that people read


def written(block: Any) -> Iterator[str]:
    """Yield all that people read on a page, but for the list of its words and code."""
    for child in block.children.values():
        if hasattr(child, "children"):
            yield from written(child)
        elif child.type != "code":
            texts = [getattr(child.proto, name, None) for name in SHOWN]
            texts += getattr(child.proto, "options", None) or []
            for text in texts:
                if isinstance(text, str) and "gpt-words" not in text:
                    yield re.sub(r"<[^|][^>]*>", " ", text)


def words_of(app: AppTest) -> set[str]:
    return {term.name for term in find_terms("\n".join(written(app.main)))}


def test_each_word_is_explained_in_one_sentence_and_has_its_page() -> None:
    titles = {title for step in STEPS for title in step.pages} | {"Runs", "Inside"}
    for term in TERMS.values():
        assert term.meaning[0].isupper() or not term.meaning[0].isalpha(), term
        assert term.meaning.endswith((".", ".)")), term
        assert len(term.meaning) < 200, term
        assert term.page in titles, term


def test_a_term_is_found_in_its_forms_and_not_within_other_words() -> None:
    def names(text: str) -> list[str]:
        return [term.name for term in find_terms(text)]

    assert names("Token IDs of two batches") == ["token", "token ID", "batch"]
    assert names("tokenizer, training, header") == []
    assert names("<|endoftext|>") == ["end of text"]
    assert names("n_layers=3") == ["transformer block"]


@pytest.mark.usefixtures("own_runtime")
@pytest.mark.parametrize("title", [title for title in ON_PAGE if title != "Classroom"])
def test_every_term_that_stands_on_a_page_is_among_its_words(title: str) -> None:
    app = open_app()
    if title != "Home":  # where the first visit is
        import_recorded_run(runtime.get_store())
        state = {"walk_model": "pocket", "start": True, "other_settings": True}
        app = open_app(title.lower(), state=state, run="lamp-room-124m")
    assert words_of(app) <= set(ON_PAGE[title])
    assert any("gpt-words" in element.proto.body for element in app.get("html"))


@pytest.mark.usefixtures("own_runtime")
def test_the_glossary_has_all_words() -> None:
    app = open_app("glossary")
    shown = "".join(element.proto.body for element in app.get("html"))
    assert all(f"<dt>{name}</dt>" in shown for name in TERMS)
