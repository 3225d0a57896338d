"""The grammar of the simple stories: what it writes, reads again, and knows the probability of."""

import math
import re
from itertools import combinations, pairwise

import pytest

from gpt_core.documents import END_OF_TEXT
from gpt_core.text import (
    has_stories,
    load_text,
    split_text,
    stories_bits,
    story_entropy,
    write_stories,
)
from gpt_core.text.grammar import (
    STORY,
    Choose,
    Draws,
    Parts,
    Recall,
    read,
    story_bits,
    story_rules,
    write_story,
)

RULES = story_rules()
EVERY_PART = [part for rule in RULES.values() for option in rule for part in option.parts]


def test_a_story_is_read_with_the_probability_with_which_it_was_drawn() -> None:
    draws = Draws(seed=1)
    for _ in range(200):
        before = draws.bits
        story = write_story(draws)
        [(end, bits, _)] = read(RULES, STORY, story, 0, {})  # in one way only
        assert end == len(story)
        assert bits == pytest.approx(draws.bits - before)
        assert story_bits(story) == pytest.approx(bits)


def test_a_small_grammar_has_the_probabilities_of_its_strings() -> None:
    # Three toys and, after the first, one of the other two: each of six pairs is as likely.
    toy = Choose("toy", None, "First")
    other = Choose("toy", "First", None)
    toys = ("ball", "kite", "doll")
    texts = [f"{one} {two}" for one in toys for two in toys]
    rules = {"toy": [option for option in RULES["toy"] if option.forms[""] in toys]}
    ways = [list(read(rules, (toy, " ", other), text, 0, {})) for text in texts]
    assert sorted(2 ** -way[0][1] for way in ways if way) == pytest.approx([1 / 6] * 6)


def test_the_entropy_is_the_mean_of_minus_log_p() -> None:
    draws = Draws(seed=2)
    for _ in range(10_000):
        write_story(draws)
    assert draws.bits / 10_000 == pytest.approx(story_entropy(), rel=0.005)


def heads(parts: Parts) -> set[tuple[str, Parts]]:
    """Return each first character that the parts can have, with the parts after it; "" at an end.

    What is remembered may be any word that is remembered under that name somewhere.
    """
    if not parts:
        return {("", ())}
    first, rest = parts[0], parts[1:]
    if isinstance(first, str):
        return {(first[0], (*filter(None, (first[1:],)), *rest))}
    if isinstance(first, Recall):
        rules = {p.rule for p in EVERY_PART if isinstance(p, Choose) and p.name == first.name}
        words = {option.forms[first.form] for rule in rules for option in RULES[rule]}
        return {(word[0], (*filter(None, (word[1:],)), *rest)) for word in words}
    return {h for option in RULES[first.rule] for h in heads((*option.parts, *rest))}


def can_begin_alike(one: Parts, other: Parts) -> bool:
    """Tell whether a text of one can be a text of the other, or its beginning."""
    seen, pairs = set(), [(one, other)]
    while pairs:
        pair = pairs.pop()
        if pair in seen:
            continue
        seen.add(pair)
        ones, others = map(heads, pair)
        if any(head == "" for head, _ in ones | others):
            return True
        pairs += [(a, b) for head, a in ones for same, b in others if head == same]
    return False


@pytest.mark.parametrize("rule", RULES)
def test_no_alternative_is_how_another_one_begins(rule: str) -> None:
    # By induction over the rules, each text of the grammar is then read in one way only.
    for one, other in combinations(RULES[rule], 2):
        assert not can_begin_alike(one.parts, other.parts), (one.forms[""], other.forms[""])


def test_an_ambiguous_grammar_would_be_found() -> None:
    assert can_begin_alike((Choose("toy", None, None),), ("toy car",))
    assert can_begin_alike((Choose("pet", None, None), " sat"), ("a dog"[2:], " sat down"))


def test_stories_depend_on_their_seed_alone() -> None:
    assert write_stories(3, 2_000) == write_stories(3, 2_000)
    assert write_stories(3, 2_000) != write_stories(4, 2_000)
    assert write_stories(3, 20_000).startswith(write_stories(3, 2_000))


def test_the_stories_have_the_vocabulary_of_a_childrens_book() -> None:
    words = set(re.findall(r"[a-z]+", load_text("simple-stories").text.lower()))
    assert 300 <= len(words) <= 500


def test_a_name_persists_through_its_story() -> None:
    story = next(s for s in write_stories(0, 20_000).split(END_OF_TEXT) if "hide and seek" in s)
    hero = re.search(r'"Let us play hide and seek," said (\w+)', story)
    assert hero is not None
    assert len(re.findall(rf"\b{hero[1]}\b", story)) >= 3


def test_the_answer_follows_from_the_story() -> None:
    for story in write_stories(5, 200_000).split(END_OF_TEXT):
        if found := re.search(r"What colour was the [\w ]+\? It was (\w+)\.", story):
            assert found[1] in story[: found.start()]
        if found := re.search(r"How many (\w+) did .* He saw (\w+)\.$", story):
            assert f"{found[2]} {found[1]}" in story[: found.start()]


def test_stories_are_split_between_two() -> None:
    text = write_stories(0, 5_000)
    train, val = split_text(text, 0.9)
    assert train.endswith(END_OF_TEXT)
    assert train + val == text
    assert 0 <= int(0.9 * len(text)) - len(train) < 1_000
    bits = [stories_bits(part) for part in (train, val, text)]
    assert None not in bits
    assert [*(bits[0] or ()), *(bits[1] or ())] == bits[2]


def test_other_texts_are_no_stories() -> None:
    text = write_stories(0, 2_000)
    assert has_stories(text)
    assert not has_stories(text.replace(".", "!", 1))
    assert not has_stories(load_text("the-lamp-room").text)
    assert stories_bits(text + "And more.") is None
    assert stories_bits("") is None


def test_the_draws_are_even() -> None:
    draws = Draws(seed=0)
    counts = [0] * 7
    for _ in range(7_000):
        counts[draws.below(7)] += 1
    assert all(abs(n - 1_000) < 5 * math.sqrt(1_000) for n in counts)
    assert [Draws(0).below(2**64)] == [0xE220A8397B1DCDAF]  # SplitMix64's first number


def test_no_slot_asks_for_what_is_not_known() -> None:
    text = write_stories(6, 300_000)
    assert "<" not in text.replace(END_OF_TEXT, "")
    used = {part.rule for part in EVERY_PART if isinstance(part, Choose)}
    assert used == set(RULES) - {"story"}
    assert all(a != b for a, b in pairwise(text.split(END_OF_TEXT)))
