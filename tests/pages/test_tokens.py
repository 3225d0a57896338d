"""The Tokens page: BRIEF's numbers as they are shown, and texts that mean no good."""

import pytest

from dashboard.components.token_chips import readable
from dashboard.tokens.text_and_ids import MAX_CHARACTERS, MAX_CHIPS, parse_ids
from gpt_core.text import load_text
from gpt_core.vocabularies import byte_pair_merges, learn_byte_pairs
from tests.support.app_driver import chips, choose, html, metric, open_app, texts

pytestmark = pytest.mark.usefixtures("own_runtime")


def enter(app, label: str, text: str) -> None:
    boxes = [*app.text_area, *app.text_input]
    next(box for box in boxes if box.label == label).set_value(text).run()
    assert not app.exception


def test_the_seven_words_and_what_comes_most_probably_next() -> None:
    app = open_app("tokens")
    assert "“every effort moves” is **2 1 4**" in texts(app)
    assert "**1 4 5**: “effort moves you”" in texts(app)
    table = html(app)
    for i, word in enumerate(("a", "effort", "every", "forward", "moves", "you", "zoo")):
        assert f'{word}<br><span class="id">{i}</span>' in table
    assert table.count('class="most"') == 3
    for most in ("0.60", "0.68", "0.52"):
        assert f'class="most" style="--strength: {float(most)}">{most}' in table
    assert "the largest is 6; of GPT-2's 50,257 tokens it is 50256" in table


def test_a_text_comes_as_its_tokens_with_its_counts() -> None:
    app = open_app("tokens")
    assert chips(app, "The tokens of your text")["ids"] == [6109, 3626, 6100, 345]
    assert [metric(app, name) for name in ("Characters", "Bytes (UTF-8)", "Tokens")] == [
        *("22", "22", "4")
    ]
    assert metric(app, "Tokens per word") == "1.00"
    enter(app, "Your text", "नमस्ते")
    assert metric(app, "Characters") == "6"
    assert metric(app, "Bytes (UTF-8)") == "18"
    assert int(metric(app, "Tokens")) > 6


def test_end_of_text_is_one_token_or_plain_text_by_the_switch() -> None:
    app = open_app("tokens")
    enter(app, "Your text", "one<|endoftext|>")
    assert chips(app, "The tokens of your text")["ids"] == [505, 50256]
    assert chips(app, "The tokens of your text")["marks"] == ["", "special"]
    app.toggle[0].set_value(False).run()
    assert 50256 not in chips(app, "The tokens of your text")["ids"]
    assert metric(app, "Tokens") == "8"


def test_the_chapters_ids_read_as_the_chapter_says() -> None:
    app = open_app("tokens")
    assert "Every effort moves you rentingetic wasnم refres RexMeCHicular stren" in texts(app)
    assert chips(app, "The tokens of these IDs")["ids"][4:] == [
        *(34245, 5139, 2492, 25405, 17434, 17853, 5308, 3398, 13174, 43071)
    ]


@pytest.mark.parametrize(
    ("entered", "message"),
    [
        ("50257", "Token ID 50257 does not exist: IDs go from 0 to 50256"),
        ("-1", "Token ID -1 does not exist"),
        ("12 <b>x</b>", "“<b>x</b>” is not a token ID"),
        ("१२", "is not a token ID"),
        ("9" * 30, "is not a token ID"),
        ("1 " * 1001, "1,001 IDs are more than the 1,000"),
    ],
)
def test_ids_that_do_not_exist_are_refused_in_words(entered: str, message: str) -> None:
    app = open_app("tokens")
    enter(app, "Token IDs", entered)
    assert message in texts(app)


def test_ids_may_be_copied_from_a_tensor() -> None:
    assert parse_ids("tensor([[6109, 3626]])".removeprefix("tensor")) == [6109, 3626]
    assert parse_ids("6109; 3626,\n345") == [6109, 3626, 345]
    assert parse_ids("") == []


def test_the_merges_of_a_word_come_row_by_row(tokenizer) -> None:
    app = open_app("tokens")
    data = chips(app, "The merges of “ effort”")
    merges = byte_pair_merges(" effort", tokenizer)
    assert [row["heading"] for row in data["rows"]] == [
        "7 bytes",
        *(f"merge {merge.number:,}" for merge in merges),
    ]
    assert data["ids"][-1] == 3626
    assert data["marks"].count("new") == len(merges) == 6


def test_a_window_is_as_many_tasks_as_it_has_tokens() -> None:
    app = open_app("tokens")
    enter(app, "Your text", "every effort moves you")
    data = chips(app, "The prediction tasks")
    assert data["ids"] == [*(16833, 3626), *(16833, 3626, 6100), *(16833, 3626, 6100, 345)]
    assert [i for i, mark in enumerate(data["marks"]) if mark == "target"] == [1, 4, 8]
    assert "inputs  = tensor([[16833, 3626, 6100]])" in texts(app)
    assert "targets = tensor([[3626, 6100, 345]])" in texts(app)
    app.slider[0].set_value(1).run()
    app.slider[1].set_value(2).run()
    assert chips(app, "The prediction tasks")["ids"] == [6100, 345]
    enter(app, "Your text", "two words")  # shorter than where the window began
    assert chips(app, "The prediction tasks")["ids"] == [11545, 2456]


def test_where_the_window_begins_is_kept_as_long_as_it_fits() -> None:
    app = open_app("tokens")
    enter(app, "Your text", "one two three four five six seven eight nine ten")
    app.slider[1].set_value(5).run()
    app.slider[0].set_value(2).run()
    assert app.slider[1].value == 5
    enter(app, "Your text", "one two three four five six seven eight nine ten eleven")
    assert app.slider[1].value == 5
    app.slider[0].set_value(7).run()
    assert app.slider[1].value == 3  # the last place where seven tokens and their targets fit


def test_the_special_token_is_not_merged() -> None:
    app = open_app("tokens")
    enter(app, "Your text", "hello <|endoftext|> world")
    box = next(box for box in app.selectbox if box.label == "Word")
    assert "endoftext" not in " ".join(box.options)
    app.toggle[0].set_value(False).run()
    box = next(box for box in app.selectbox if box.label == "Word")
    assert "endoftext" in box.options


def test_more_tokens_than_one_can_look_at_are_counted_but_not_drawn() -> None:
    app = open_app("tokens")
    enter(app, "Your text", "𠮷" * 2_000)
    assert len(chips(app, "The tokens of your text")["ids"]) == MAX_CHIPS
    assert metric(app, "Tokens") == "8,000"
    assert "Only the first 4,000 tokens are drawn" in texts(app)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a",
        "<script>alert(1)</script> $x$ `y` **z** [a](javascript:b)",
        "🙂🙃 مرحبا بالعالم 日本語 नमस्ते",
        "\x00\x07\u202e",
        "x" * 10_000,
        "word " * 2_000,
    ],
)
def test_any_text_leaves_the_page_whole(text: str) -> None:
    app = open_app("tokens")
    enter(app, "Your text", text)
    assert metric(app, "Characters") == f"{len(text):,}" if text else "Type something" in texts(app)


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    app = open_app("tokens")
    enter(app, "Your text", "word " * 3_000)
    assert "The text has 15,000 characters" in texts(app)
    assert metric(app, "Characters") == f"{MAX_CHARACTERS:,}"


def move_to(app, merges: int) -> None:
    app.select_slider[0].set_value(merges).run()
    assert not app.exception


def test_a_vocabulary_is_watched_as_it_is_learnt() -> None:
    app = open_app("tokens")
    text = load_text("the-lamp-room").text
    move_to(app, 0)
    sentence = chips(app, "Your sentence in the tokens learnt so far")
    assert sentence["texts"] == [readable(c.encode()) for c in "Every effort moves you"]
    assert metric(app, "Vocabulary size") == "257"
    lengths = []
    for merges in (20, 100, 500):
        move_to(app, merges)
        sentence = chips(app, "Your sentence in the tokens learnt so far")
        assert "".join(sentence["texts"]) == "Every·effort·moves·you"
        assert max(sentence["ids"]) < 256 + merges
        lengths.append(len(sentence["ids"]))
    assert 22 > lengths[0] > lengths[1] > lengths[2]
    # The list ends with the last merge that was made, and its count is the teaching version's.
    pairs = learn_byte_pairs(text, 500)
    table = app.dataframe[0].value
    assert list(table["Merge"]) == [*range(493, 501)]
    assert list(table["Times in the text"]) == [times for _, times in pairs[-8:]]


def test_a_sentence_in_three_vocabularies_and_what_the_text_lacks_is_said() -> None:
    app = open_app("tokens")
    enter(app, "Your text", "字 moves")
    own = chips(app, "Byte pairs of the chosen text: your sentence")
    assert own["texts"][:3] == ["⟨E5⟩", "⟨AD⟩", "⟨97⟩"]
    assert chips(app, "GPT-2's: your sentence")["end_of_text"] == 50256
    by_character = chips(app, "Characters of the chosen text: your sentence")
    assert by_character["texts"] == ["<|unk|>", "·", *"moves"]
    assert by_character["is_by_character"]
    assert "has 1 character that the vocabulary lacks, “字”" in texts(app)
    enter(app, "Your text", "")
    assert "it is drawn here" in texts(app)


def test_another_text_gives_another_vocabulary_and_a_short_one_fewer_merges() -> None:
    app = open_app("tokens")
    frequent = chips(app, "The most frequent tokens of the chosen text")["texts"]
    choose(app, "Text", "counting")
    assert chips(app, "The most frequent tokens of the chosen text")["texts"] != frequent
    assert [*map(int, (o.replace(",", "") for o in app.select_slider[0].options))][-1] < 2000
