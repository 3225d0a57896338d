"""The prompt of a run follows its text."""

import pytest

from gpt_core.text import BUNDLED_TEXTS, CHAPTER_PROMPT, Corpus, load_text, prompt_of
from gpt_core.vocabularies import get_tokenizer

CHINESE = "老人每天早晨走到水边,看渔船一条一条出港,很少有人同他说话。\n" * 20


def prompt(text: str) -> str:
    return prompt_of(Corpus("a text", text), get_tokenizer())


def test_the_story_that_stands_in_for_the_chapters_text_has_the_chapters_prompt() -> None:
    assert prompt_of(load_text("the-lamp-room"), get_tokenizer()) == CHAPTER_PROMPT


def test_another_text_has_the_first_words_of_its_first_long_line() -> None:
    text = "A TITLE\n\n   The miller of the village had counted his geese twice before it rained."
    assert prompt(text) == "The miller of"
    assert prompt("def area(width, height):\n    return width * height\n" * 9) == "def area(width"


def test_a_text_of_short_lines_has_the_beginning_of_a_short_one() -> None:
    assert prompt_of(load_text("nine-small-boats"), get_tokenizer()) == "Nine small boats went"


def test_a_prompt_ends_with_a_word() -> None:
    line = "Unquestionably antediluvian circumnavigators overcompensated, as ever.\n"
    assert line[len(prompt(line))] == " "


def test_a_chinese_text_has_a_chinese_prompt_of_whole_characters() -> None:
    words = prompt(CHINESE)
    assert CHINESE.startswith(words)
    assert 2 <= len(words) <= 8


@pytest.mark.parametrize("text", ["One.\nTwo.\nThree.\n" * 50, "\n\n.", "🙂" * 2])
def test_a_text_without_a_long_line_has_the_chapters_prompt(text: str) -> None:
    assert prompt(text) == CHAPTER_PROMPT


@pytest.mark.parametrize("name", list(BUNDLED_TEXTS))
def test_each_bundled_text_has_a_prompt_of_its_own_words_or_the_chapters(name: str) -> None:
    corpus = load_text(name)
    words = prompt_of(corpus, get_tokenizer())
    assert words == CHAPTER_PROMPT or words in corpus.text
