"""How samples are marked."""

from dashboard.components.sample_list import marked_answers


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
