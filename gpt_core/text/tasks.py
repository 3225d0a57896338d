"""Tasks with an exact answer: copy, reverse, sort, and addition.

A problem is one line, which says itself what is asked:

    copy  kxqzjmab=kxqzjmab      sort      kxqzjmab>abjkmqxz
    reverse  kxqzjmab<bamjzqxk   addition  37+485=522

All problems of a text are different, and it is split between two of them, so what a model answers
in the validation text it has never seen.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from gpt_core.text.grammar import Draws

TASK_BYTES = 500_000  # of a bundled text
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LENGTH = 8  # letters of a problem
MAX_NUMBER = 999  # of two that are added
LINE = re.compile(r"(?P<question>[a-z]{1,64}|\d{1,9}\+\d{1,9})(?P<sign>[=<>])(?P<answer>.*)")
RECOGNISED_BY = 3  # lines


@dataclass(frozen=True)
class Task:
    """One kind of problem: how it is drawn, the sign after it, and its right answer."""

    draw: Callable[[Draws], str]
    sign: str
    solve: Callable[[str], str]


def draw_letters(draws: Draws) -> str:
    """Return some letters, each of the alphabet's 26 equally likely."""
    return "".join(LETTERS[draws.below(len(LETTERS))] for _ in range(LENGTH))


def draw_sum(draws: Draws) -> str:
    """Return two numbers to be added."""
    return f"{draws.below(MAX_NUMBER + 1)}+{draws.below(MAX_NUMBER + 1)}"


def add(question: str) -> str:
    """Return the sum of the two numbers in a question."""
    return str(sum(map(int, question.split("+"))))


TASKS = {
    "copy": Task(draw_letters, "=", lambda letters: letters),
    "reverse": Task(draw_letters, "<", lambda letters: letters[::-1]),
    "sort": Task(draw_letters, ">", lambda letters: "".join(sorted(letters))),
    "addition": Task(draw_sum, "=", add),
}


def write_problems(name: str, seed: int = 0, size: int = TASK_BYTES) -> str:
    """Write different problems of a task with their answers, a line each.

    Args:
        name: one of :data:`TASKS`.
        seed: equal seeds give equal problems.
        size: at least so many bytes, unless there are not so many different problems.
    """
    task, draws = TASKS[name], Draws(seed)
    lines: dict[str, None] = {}  # a set that keeps the order
    length, failed = 0, 0
    while length < size and failed < 1_000:
        question = task.draw(draws)
        line = f"{question}{task.sign}{task.solve(question)}\n"
        failed = failed + 1 if line in lines else 0
        length += len(line) if line not in lines else 0
        lines[line] = None
    return "".join(lines)


def right_answer(line: str) -> tuple[int, str] | None:
    """Return where the answer of a line begins, and the right answer; None if it asks nothing."""
    problem = LINE.fullmatch(line)
    if problem is None:
        return None
    question, sign = problem["question"], problem["sign"]
    name = "addition" if "+" in question else {"=": "copy", "<": "reverse", ">": "sort"}[sign]
    return problem.start("answer"), TASKS[name].solve(question)


def has_problems(text: str) -> bool:
    """Tell whether a text begins with problems and their right answers."""
    lines = text[:1_000].split("\n")[:RECOGNISED_BY]
    return len(lines) == RECOGNISED_BY and all(map(_is_right, lines))


def _is_right(line: str) -> bool:
    found = right_answer(line)
    return found is not None and line[found[0] :] == found[1]
