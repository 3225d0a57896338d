"""What shows at a glance whether a file was read right."""

from gpt_core.text import count_odd_characters, passages, words_beyond_ascii

LONG = "".join(f"Sentence number {number} of the tale.\n" for number in range(1000))


def test_a_long_text_shows_its_beginning_and_two_places_from_its_middle() -> None:
    first, second, third = passages(LONG)
    assert first.startswith("Sentence number 0 of the tale. Sentence number 1")
    assert all(passage.endswith("…") and len(passage) <= 161 for passage in passages(LONG))
    flat = " ".join(LONG.split())
    for passage, at in ((second, 1 / 3), (third, 2 / 3)):
        place = flat.index(passage.removesuffix("…"))
        assert abs(place / len(flat) - at) < 0.02
        assert flat[place - 1] == " "  # begins with a word


def test_a_short_text_is_shown_whole_and_once() -> None:
    assert passages("One.\n\nTwo.\n") == ["One. Two."]


def test_a_text_without_blanks_has_passages_too() -> None:
    chinese = "老人每天早晨走到水边看渔船一条一条出港" * 100
    assert [len(passage) for passage in passages(chinese)] == [161] * 3


def test_the_words_that_show_an_encoding_are_whole_and_each_once() -> None:
    text = "The café in Łódź, the café again; naïve. Über-Gebäude 10½ “quoted” plain"
    assert words_beyond_ascii(text) == ["café", "Łódź", "naïve", "Über", "Gebäude", "10½"]
    assert words_beyond_ascii("only plain words — and a dash") == []


def test_odd_characters_are_counted_by_kind() -> None:
    assert count_odd_characters("plain\ttext\r\n\f with ü, 漢, 🙂 and \u200d") == {}
    assert count_odd_characters("a\x81\x00b\ufffdc\ue000\uf8ff\U0010fffd") == {
        "control character": 2,
        "replacement sign": 1,
        "private-use character": 3,
    }
