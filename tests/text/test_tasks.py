"""Tasks with an exact answer."""

import pytest
import tiktoken

from gpt_core.text import (
    GENERATED_TEXTS,
    TASKS,
    has_problems,
    load_text,
    prompt_of,
    right_answer,
    split_text,
    write_problems,
)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("kxqz=", "kxqz"),
        ("kxqz<", "zqxk"),
        ("kxqz>kq", "kqxz"),
        ("37+485=9", "522"),
    ],
)
def test_a_line_says_what_is_asked_and_has_one_right_answer(line: str, answer: str) -> None:
    found = right_answer(line)
    assert found is not None
    assert found[1] == answer
    assert line[found[0] - 1] in "=<>"


@pytest.mark.parametrize("line", ["", "kxqz", "It was a sunny day", "1+1", "+=", "=a"])
def test_other_lines_ask_nothing(line: str) -> None:
    assert right_answer(line) is None


@pytest.mark.parametrize("name", TASKS)
def test_all_answers_are_right_and_no_problem_is_in_both_parts(name: str) -> None:
    text = write_problems(name, seed=1, size=30_000)
    assert text == write_problems(name, seed=1, size=30_000) != write_problems(name, 2, 30_000)
    assert has_problems(text)
    train, val = (part.splitlines() for part in split_text(text, 0.9))
    for line in (*train, *val):
        found = right_answer(line)
        assert found is not None
        assert line[found[0] :] == found[1]
    assert len(set(train)) == len(train) > 5 * len(val) > 0
    assert not {*train} & {*val}
    assert "".join(f"{line}\n" for line in (*train, *val)) == text


def test_texts_that_only_look_alike_are_split_by_characters() -> None:
    assert not has_problems("ab=cd\n" * 20)
    assert not has_problems(load_text("counting").text)
    assert split_text("ab=cd\n" * 20, 0.99) == ("ab=cd\n" * 19 + "ab=c", "d\n")


@pytest.mark.parametrize("name", TASKS)
def test_the_prompt_is_a_problem_that_the_model_never_saw(
    name: str, tokenizer: tiktoken.Encoding
) -> None:
    corpus = load_text(name)
    assert name in GENERATED_TEXTS
    prompt = prompt_of(corpus, tokenizer)
    assert right_answer(prompt) is not None
    train, val = split_text(corpus.text, 0.9)
    assert prompt not in train
    assert prompt in val
