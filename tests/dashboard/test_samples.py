"""How samples are marked."""

from dashboard.components.sample_list import marked, marked_answers
from dashboard.components.token_chips import readable_text
from gpt_core.analysis import measure_copying
from gpt_core.vocabularies import learn_vocabulary, read_vocabulary


def test_wrong_and_missing_characters_of_answers_are_marked() -> None:
    pieces = marked_answers("abc<cbz\n12+3=15\nba>a\nxy<y", "abc<")
    assert "".join(piece.text for piece in pieces) == "abc<cbz\n12+3=15\nba>a·\nxy<y"
    assert pieces[0].kind == "prompt"
    wrong = [piece.text for piece in pieces if piece.kind == "wrong"]
    assert wrong == ["z", "·"]  # the last line may go on


def test_characters_after_the_right_answer_are_wrong() -> None:
    pieces = marked_answers("ab=abq\nwhat is this\n", "ab=")
    assert [piece.text for piece in pieces if piece.kind == "wrong"] == ["q"]


def test_an_answer_in_other_characters_is_wrong_throughout() -> None:
    pieces = marked_answers("ab< the\n", "ab<")
    assert [(piece.text, piece.kind) for piece in pieces[:1]] == [("ab<", "prompt")]
    assert "".join(piece.text for piece in pieces if piece.kind == "wrong") == " the"


def test_a_copied_span_that_ends_within_a_character_leaves_it_whole() -> None:
    text = "中文字中文字中文字中文字"  # three bytes each
    tokenizer = read_vocabulary(learn_vocabulary("bytes", "", 0))
    pieces = marked(text, measure_copying(text, "中", [(8, 28)], tokenizer))
    assert [(piece.text, piece.kind) for piece in pieces] == [
        ("中", "prompt"),
        ("文", ""),
        ("字中文字中文字", "copied"),
        ("中文字", ""),
    ]


def test_bytes_that_form_no_character_are_shown_as_on_chips() -> None:
    tokenizer = read_vocabulary(learn_vocabulary("bytes", "", 0))
    assert readable_text(b"\xb8 a\xe4\xb8\xad b\xe4\xb8", tokenizer) == "⟨B8⟩ a中 b⟨E4⟩⟨B8⟩"
