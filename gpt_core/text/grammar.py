"""Simple stories from a probabilistic grammar, whose probability is therefore known exactly.

A story is written by a number of choices, each among n equally likely alternatives, so its
probability is the product of all 1/n. It can be read in one way only (no alternative is how another
one of its rule begins), so the choices, and with them the probability, are found again in its text.
On average no model predicts such stories better than the grammar itself: −log₂ p is the floor.

``data/story-grammar.txt`` holds the rules and explains their notation.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from statistics import fmean

from gpt_core.documents import END_OF_TEXT
from gpt_core.system import DATA_DIR

GRAMMAR_FILE = DATA_DIR / "story-grammar.txt"
SLOT = re.compile(r"<(?:([a-z_]+)(?:-([A-Z]\w*))?(?::([A-Z]\w*))?|([A-Z]\w*)(?:\.(\w+))?)>")
STORIES_BYTES = 4_000_000  # of the bundled text: of a quarter, much is learnt by heart
MAX_STORY = 2_000  # characters; no story is as long


@dataclass(frozen=True)
class Choose:
    """``<rule-Other:Name>``: one of a rule's alternatives."""

    rule: str
    other: str | None  # what is remembered under this name is left out
    name: str | None  # under which the alternative is remembered


@dataclass(frozen=True)
class Recall:
    """``<Name.form>``: what is remembered under a name, or one of its forms."""

    name: str
    form: str  # "" for the word itself


Parts = tuple[str | Choose | Recall, ...]


@dataclass(frozen=True, eq=False)
class Alternative:
    """One way to expand a rule: its parts in order and, of a word, its forms."""

    parts: Parts
    forms: Mapping[str, str]


Rules = dict[str, list[Alternative]]
Remembered = dict[str, Alternative]


class Draws:
    """Random whole numbers, the same on every platform and in every version of Python.

    ``bits`` is the −log₂ of the probability of all draws so far.

    Source: SplitMix64, Steele et al. (2014), "Fast splittable pseudorandom number generators".
    """

    def __init__(self, seed: int) -> None:
        self._state = seed
        self.bits = 0.0

    def below(self, n: int) -> int:
        """Return a number from 0 to n - 1, all equally likely (to one part in 2^58)."""
        self.bits += math.log2(n)
        self._state = (self._state + 0x9E3779B97F4A7C15) % 2**64
        bits = self._state
        bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB % 2**64
        return (bits ^ (bits >> 31)) * n >> 64


def write(rules: Rules, parts: Parts, draws: Draws, known: Remembered) -> str:
    """Write parts of a story, drawing one alternative at each choice; ``known`` is added to."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
        elif isinstance(part, Recall):
            text += known[part.name].forms[part.form]
        else:
            options = options_of(rules, part, known)
            chosen = options[draws.below(len(options))]
            text += write(rules, chosen.parts, draws, known)
            if part.name:
                known[part.name] = chosen
    return text


def read(
    rules: Rules, parts: Parts, text: str, at: int, known: Remembered
) -> Iterator[tuple[int, float, Remembered]]:
    """Yield every way to read parts of a story in a text, from the position ``at`` on.

    A way is the position at its end, −log₂ of its probability, and what is remembered there.
    """
    if not parts:
        yield at, 0.0, known
        return
    part, rest = parts[0], parts[1:]
    if isinstance(part, Choose):
        options = options_of(rules, part, known)
        for option in options:
            for end, bits, after in read(rules, option.parts, text, at, known):
                now = {**after, part.name: option} if part.name else after
                for last, more, finally_known in read(rules, rest, text, end, now):
                    yield last, math.log2(len(options)) + bits + more, finally_known
        return
    literal = part if isinstance(part, str) else known[part.name].forms[part.form]
    if text.startswith(literal, at):
        yield from read(rules, rest, text, at + len(literal), known)


def options_of(rules: Rules, choice: Choose, known: Remembered) -> list[Alternative]:
    """Return what can be chosen: the rule's alternatives, without the one that is left out."""
    options = rules[choice.rule]
    return [o for o in options if o is not known[choice.other]] if choice.other else options


def entropy(rules: Rules, parts: Parts) -> float:
    """Return the mean of −log₂ p over all that the parts can become, in bits.

    A choice among n costs log₂ n bits, and then, on average, the mean of what its alternatives
    cost. What is remembered decides which words are written, not how many can be chosen.
    """
    return sum(
        math.log2(len(rules[part.rule]) - (part.other is not None))
        + fmean(entropy(rules, option.parts) for option in rules[part.rule])
        for part in parts
        if isinstance(part, Choose)
    )


@cache
def story_rules() -> Rules:
    """Return the rules of the simple stories, from their file."""
    rules: Rules = {}
    lines = GRAMMAR_FILE.read_text(encoding="utf-8").splitlines()
    for line in lines:
        if not line or line.startswith("#"):
            continue
        if not line.startswith(" "):  # rule = …, or rule [forms] = …
            head, _, line = line.partition("=")
            name, _, forms = head.partition("[")
            alternatives = rules[name.strip()] = []
        for text in filter(None, map(str.strip, line.split("|"))):
            words = text.split("/") if forms else [text]
            alternatives.append(_alternative(words, forms.strip(" ]").split()))
    return rules


def _alternative(words: list[str], forms: list[str]) -> Alternative:
    """Return an alternative: a text with slots, or a word and its forms."""
    parts: list[str | Choose | Recall] = []
    text, at = words[0].replace("\\n", "\n"), 0
    for slot in SLOT.finditer(text):
        rule, other, name, recalled, form = slot.groups()
        parts += [text[at : slot.start()]] if slot.start() > at else []
        parts.append(Choose(rule, other, name) if rule else Recall(recalled, form or ""))
        at = slot.end()
    parts += [text[at:]] if at < len(text) else []
    named = dict(zip(forms, words[1:], strict=True))
    capitals = {form.capitalize(): word.capitalize() for form, word in named.items()}
    return Alternative(tuple(parts), {"": text, **named, **capitals})


STORY: Parts = (Choose("story", None, None),)


def write_story(draws: Draws) -> str:
    """Write one story."""
    return write(story_rules(), STORY, draws, {})


def write_stories(seed: int = 0, size: int = STORIES_BYTES) -> str:
    """Write stories of at least ``size`` bytes together, each followed by ``<|endoftext|>``."""
    draws, stories, length = Draws(seed), [], 0
    while length < size:
        stories.append(write_story(draws) + END_OF_TEXT)
        length += len(stories[-1])  # ASCII: a byte a character
    return "".join(stories)


def story_bits(story: str) -> float | None:
    """Return −log₂ of a story's probability; None if the grammar cannot write it."""
    ways = read(story_rules(), STORY, story, 0, {})
    probability = sum(2.0**-bits for end, bits, _ in ways if end == len(story))
    return -math.log2(probability) if probability else None


def stories_bits(text: str) -> list[float] | None:
    """Return −log₂ p of each story of a text; None if it does not consist of whole stories."""
    if not has_stories(text):
        return None
    *stories, rest = text.split(END_OF_TEXT)
    bits = [story_bits(story) for story in stories]
    known = [b for b in bits if b is not None]
    return None if rest or len(known) < len(bits) else known


def story_entropy() -> float:
    """Return the entropy of a story, in bits: what −log₂ p is on average."""
    return entropy(story_rules(), STORY)


def has_stories(text: str) -> bool:
    """Tell whether a text begins with a whole story of the grammar."""
    story, border, _ = text[:MAX_STORY].partition(END_OF_TEXT)
    return bool(border) and story_bits(story) is not None
