import json

import pytest

from dashboard.components.token_chips import Scale, chips_data, readable
from gpt_core.vocabularies import get_tokenizer


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (b" effort", "·effort"),
        (b"\n\n", "↵↵"),
        (b"\t\r", "⇥␍"),
        (b"\xe2\x80", "⟨E2⟩⟨80⟩"),
        (b"\x94", "⟨94⟩"),
        (b"\x00", "⟨U+0000⟩"),
        ("é".encode(), "é"),
        (b"<b>", "<b>"),
    ],
)
def test_tokens_are_readable_and_parts_of_characters_are_their_bytes(
    token: bytes, text: str
) -> None:
    assert readable(token) == text


def test_every_token_of_the_vocabulary_can_be_shown() -> None:
    data = chips_data(range(50257), label="all")
    assert len(data["texts"]) == 50257
    assert all(data["texts"])
    # U+FFFD only where it is a character of the text itself, never in place of bytes.
    shown = zip(data["texts"], data["bytes"], strict=True)
    assert all("EF BF BD" in token for text, token in shown if "�" in text)
    assert data["texts"][50256] == "<|endoftext|>"


def test_a_character_of_three_bytes_comes_as_its_tokens() -> None:
    data = chips_data(get_tokenizer().encode("—नम"), label="text")
    assert bytes.fromhex("".join(data["bytes"])).decode() == "—नम"
    assert any(text.startswith("⟨") for text in data["texts"])


def test_five_thousand_tokens_are_small_enough_to_send() -> None:
    ids = get_tokenizer().encode("Every effort moves you. " * 1000)[:5000]
    assert len(json.dumps(chips_data(ids, label="text"))) < 300_000


def test_columns_and_legend_are_passed_on() -> None:
    data = chips_data(
        [3626, 6100],
        label="targets",
        second_line=["p11", "p12"],
        details=["a", "b"],
        strengths=[0.0, 1.0],
        scale=Scale("improbable", "certain", "#123456"),
    )
    assert data["ids"] == [3626, 6100]
    assert data["bytes"][0] == "20 65 66 66 6F 72 74"
    assert data["second_line"] == ["p11", "p12"]
    words = {
        "low": "improbable",
        "high": "certain",
        "color": "#123456",
        "has_legend": True,
        "steps": (),
    }
    assert data["scale"] == words


def test_a_column_of_another_length_and_an_unknown_id_are_refused() -> None:
    with pytest.raises(ValueError, match="second_line has 1 entries for 2 tokens"):
        chips_data([1, 2], label="x", second_line=["only one"])
    with pytest.raises(ValueError, match="Token ID 50257 does not exist: IDs go from 0 to 50256"):
        chips_data([50257], label="x")
