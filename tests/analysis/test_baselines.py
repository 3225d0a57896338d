"""The baselines, against counts by hand."""

import math
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import tiktoken
import torch

from gpt_core.analysis import baselines, describe_baselines, measure_baselines
from gpt_core.analysis.baselines import best_k, bigram_loss, count_pairs, unigram_loss
from gpt_core.config import TrainingConfig
from gpt_core.store import Baselines
from gpt_core.text import load_text, split_text, stories_bits, write_stories
from gpt_core.training import encode_splits, token_bytes
from tests.support.curves import evaluations

VOCABULARY = 40


def draw(seed: int, size: int) -> np.ndarray:
    """Tokens of which some are frequent and 30 to 39 never occur."""
    numbers = np.random.default_rng(seed).geometric(0.2, size)
    return numbers.clip(max=29).astype(np.int32)


@pytest.mark.parametrize("k", [1.0, 0.01])
def test_both_losses_are_those_of_a_count_by_hand(k: float) -> None:
    train, val = draw(1, 500), np.append(draw(2, 100), [35, 36, 3]).astype(np.int32)
    tokens, pairs = Counter(train.tolist()), Counter(pairwise(train.tolist()))
    firsts = Counter(train[:-1].tolist())
    unigram, bigram = [], []
    for before, token in pairwise(val.tolist()):
        unigram.append(-math.log((tokens[token] + k) / (500 + k * VOCABULARY)))
        p = (pairs[before, token] + k) / (firsts[before] + k * VOCABULARY)
        bigram.append(-math.log(p))
    assert unigram_loss(train, val, VOCABULARY, k) == pytest.approx(sum(unigram) / len(unigram))
    assert bigram_loss([train], val, VOCABULARY, k) == pytest.approx(sum(bigram) / len(bigram))


def test_of_a_long_text_pairs_are_counted_in_parts_from_all_over_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train, val = draw(3, 1_000), torch.from_numpy(draw(5, 200))
    measure = partial(
        measure_baselines,
        torch.from_numpy(train),
        val,
        VOCABULARY,
        torch.ones(VOCABULARY).long(),
        "",
    )
    whole = measure()
    assert whole.counted_tokens is None
    monkeypatch.setattr(baselines, "COUNTED", 320)
    parts = baselines.parts_of(train)
    assert [len(part) for part in parts] == 16 * [20]
    assert np.array_equal(parts[0], train[:20])
    assert np.array_equal(parts[-1], train[-20:])
    pairs, counts = count_pairs(parts, VOCABULARY)
    by_hand = Counter(pair for part in parts for pair in pairwise(part.tolist()))
    assert {
        divmod(p, VOCABULARY): n for p, n in zip(pairs.tolist(), counts.tolist(), strict=True)
    } == by_hand
    sampled = measure()
    assert sampled.counted_tokens == 320
    assert sampled.unigram == whole.unigram  # single tokens are all counted
    assert sampled.bigram == pytest.approx(whole.bigram, rel=0.2)
    monkeypatch.setattr(baselines, "COUNTED", 160)
    scored = measure()  # of the validation text, too, only parts
    assert scored.unigram == pytest.approx(whole.unigram, rel=0.1)
    assert scored.unigram != whole.unigram
    assert scored.bytes_per_token == 1
    curve = evaluations({0: (1.0, 1.5)})
    useful = replace(sampled, bigram=sampled.unigram / 2)
    assert "(counted in 320 tokens from all over the text)" in describe_baselines(curve, useful)


def test_k_is_chosen_by_leaving_each_token_out() -> None:
    train = draw(4, 300)
    tokens = Counter(train.tolist())

    def left_out(k: float) -> float:
        return -sum(
            math.log((tokens[t] - 1 + k) / (len(train) - 1 + k * VOCABULARY))
            for t in train.tolist()
        )

    counts = np.array(list(tokens.values()))
    chosen = best_k(counts, np.full_like(counts, len(train)), VOCABULARY)
    assert chosen == min(baselines.K_TRIED, key=left_out)


def test_for_a_text_of_the_grammar_the_floor_is_its_own_probability(
    tokenizer: tiktoken.Encoding,
) -> None:
    text, config = write_stories(0, 60_000), TrainingConfig()
    train, val = encode_splits(text, tokenizer, config)
    val_text = split_text(text, 0.9)[1]
    measured = measure_baselines(train, val, 50257, token_bytes(tokenizer), val_text)
    assert measured.bytes_per_token == pytest.approx(len(val_text.encode()) / len(val))
    assert measured.floor == pytest.approx(sum(stories_bits(val_text)) * math.log(2) / len(val))
    assert measured.entropy == pytest.approx(measured.floor, rel=0.1)
    assert measured.floor < measured.bigram < measured.unigram < math.log(50257)


def test_another_text_has_no_floor(tokenizer: tiktoken.Encoding) -> None:
    text, config = load_text("nine-small-boats").text, TrainingConfig()
    splits = encode_splits(text, tokenizer, config)
    val_text = split_text(text, 0.9)[1]
    measured = measure_baselines(*splits, 50257, token_bytes(tokenizer), val_text)
    assert (measured.floor, measured.entropy) == (None, None)
    assert math.isfinite(measured.unigram + measured.bigram)


def test_the_sentence_names_the_step_at_which_each_was_passed() -> None:
    curve = evaluations({0: (9.0, 9.5), 5: (6.0, 6.5), 10: (4.0, 4.5), 15: (3.0, 3.6)})
    known = Baselines(unigram=7.0, bigram=5.0, bytes_per_token=4.0, floor=3.0)
    said = describe_baselines(curve, known)
    assert "Since step 5 below the unigram baseline, 7.000: it knows how often tokens" in said
    assert "Since step 10 below the bigram baseline, 5.000: it knows which tokens follow" in said
    assert "validation is at 1.20 times that" in said
    early = describe_baselines(curve[:2], known)
    assert "Below the bigram baseline, 5.000, it would know which tokens follow which" in early
    assert describe_baselines(curve[:0], known) == ""
    short = Baselines(unigram=7.0, bigram=8.0, bytes_per_token=4.0)  # few pairs occur twice
    assert describe_baselines(curve, short).endswith("it knows how often tokens occur.")


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="bigram=nan is out of range"):
        Baselines(1.0, math.nan, 4.0)
    with pytest.raises(ValueError, match="unigram='1' is not a number"):
        Baselines("1", 1.0, 4.0)


def test_a_single_token_of_validation_is_enough() -> None:
    ids = torch.tensor([1, 2, 1, 2, 1], dtype=torch.int32)
    measured = measure_baselines(ids, ids[:2], 5, torch.ones(5, dtype=torch.int64), "ab")
    assert measured.bigram < measured.unigram
