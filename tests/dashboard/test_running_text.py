import json

import pytest

from dashboard.components.running_text import (
    SNIPPET_TOKENS,
    Colors,
    running,
    snippets_data,
    text_data,
)
from gpt_core.vocabularies import get_tokenizer

ORANGE = Colors("#ff8800", "a lot")
HOSTILE = "<b>**x**</b>\n\n $y$ नम 🙂\tend"


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (b" effort", " effort"),
        (b"\n\n  a\n", "↵↵\n  a↵\n"),
        (b"\t", "⇥"),
        (b" \xe2\x80", " ⟨E2⟩⟨80⟩"),
        ("·".encode(), "·"),
        (b"<b>", "<b>"),
    ],
)
def test_blanks_stay_blanks_and_line_breaks_break_the_line(token: bytes, text: str) -> None:
    assert running(token) == text


def test_the_tokens_side_by_side_are_the_text() -> None:
    text = "One line,\n\n\n  and another; 3 · 4 – so.\n\n"
    ids = get_tokenizer().encode(text)
    data = text_data(ids, [0.0] * len(ids), [""] * len(ids), ORANGE, "text", get_tokenizer())
    shown = "".join(data["texts"])
    assert shown == "One line,↵↵↵\n  and another; 3 · 4 – so.↵↵\n"


def test_five_thousand_tokens_are_small_enough_to_send() -> None:
    ids = get_tokenizer().encode("Every effort moves you. " * 1000)[:5000]
    details = ["loss 12.345, p 1.2e-05 · 12,345× in the training text"] * 5000
    data = text_data(ids, [-0.123456] * 5000, details, ORANGE, "text", get_tokenizer())
    assert data["strengths"][0] == -0.123
    assert len(json.dumps(data)) < 500_000


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="strengths has 1 entries for 2 tokens"):
        text_data([1, 2], [0.5], ["", ""], ORANGE, "text", get_tokenizer())


def test_a_snippet_has_the_words_around_its_token_on_one_line() -> None:
    ids = get_tokenizer().encode(HOSTILE)
    everything = range(len(ids))
    strengths, notes = [0.5] * len(ids), [f"{i}" for i in everything]
    data = snippets_data(ids, everything, strengths, notes, ORANGE, "worst", get_tokenizer())
    assert [snippet["position"] for snippet in data["snippets"]] == list(everything)
    first, last = data["snippets"][0], data["snippets"][-1]
    assert (first["before"], first["token"], first["note"]) == ("", "<", "0")
    assert first["after"].startswith("b>**x**</b>↵↵ $y$")
    assert (last["token"], last["after"]) == ("end", "")
    around = [snippet["before"] + snippet["after"] for snippet in data["snippets"]]
    assert not any("\n" in words for words in around)


def test_a_snippet_goes_only_so_far() -> None:
    ids = get_tokenizer().encode(" one two three four five six" * 20)
    data = snippets_data(ids, [60], [1.0], [""], ORANGE, "worst", get_tokenizer())
    assert len(data["snippets"][0]["before"].split()) == SNIPPET_TOKENS
    assert len(data["snippets"][0]["after"].split()) == SNIPPET_TOKENS
