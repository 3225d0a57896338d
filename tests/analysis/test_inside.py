"""What is read off a record of a model's inside: its most telling head, and what is wrong."""

from dataclasses import replace

import pytest
import torch

from gpt_core.analysis import attention_of, describe_faults, describe_head, telling_head
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import GPTModel
from gpt_core.records import Bins, InsideRecord
from gpt_core.text import load_text
from gpt_core.training import create_optimizer, fit_vocabulary, prepare_data, train
from tests.conftest import TINY
from tests.support.insides import inside_record

DEEP = GPTConfig(context_length=16, emb_dim=16, n_heads=2, n_layers=8)


def last_moment(model_config: GPTConfig, learning_rate: float = 1e-3) -> InsideRecord:
    """Train a deep model for ten steps or so; return its last recorded moment."""
    config = TrainingConfig(
        num_epochs=1,
        batch_size=4,
        learning_rate=learning_rate,
        eval_freq=4,
        eval_iter=1,
        sample_tokens=1,
        probes=("one, two",),
        vocabulary="characters",
        record_inside=True,
    )
    text = load_text("counting").text[:1_000]
    _, tokenizer, model_config = fit_vocabulary(text, model_config, config)
    data = prepare_data(text, tokenizer, model_config, config)
    torch.manual_seed(config.seed)
    model = GPTModel(model_config)
    loaders = (data.train_loader, data.val_loader)
    records = train(model, *loaders, create_optimizer(model, config), tokenizer, config)
    return [record for record in records if isinstance(record, InsideRecord)][-1]


def test_a_deep_model_that_learns_has_no_fault_and_without_its_residuals_gradients_vanish() -> None:
    assert describe_faults(last_moment(DEEP)) == []
    said = describe_faults(last_moment(replace(DEEP, residual=False, norm="none")))
    assert said[0].startswith("Vanishing gradients: those of trf_blocks.0.att are ")
    assert "smaller than those of trf_blocks.7.ff" in said[0]


def test_a_learning_rate_that_is_far_too_large_or_small_is_seen_in_the_updates() -> None:
    assert any(
        said.startswith("Does not learn: ") for said in describe_faults(last_moment(DEEP, 1e-7))
    )
    too_large = last_moment(DEEP, 0.9)
    assert any(said.startswith(("Jumps: ", "Dead units: ")) for said in describe_faults(too_large))


def test_small_updates_in_a_warm_up_are_no_fault() -> None:
    small = replace(
        inside_record(),
        parts=tuple(part._replace(update_to_weight=2e-6) for part in inside_record().parts),
    )
    assert "tok_emb, trf_blocks.0.att, trf_blocks.1.att and 1 more" in describe_faults(small)[0]
    assert describe_faults(small, learning_rate_fraction=0.1) == []


def test_gradients_that_vanish_or_explode_are_told_by_their_blocks() -> None:
    _, first, last, _ = inside_record().parts
    small = Bins(-1e-6, 1e-6, tuple(range(40)))
    for parts, word in (
        ((first._replace(gradients=small), last), "Vanishing"),
        ((first, last._replace(gradients=small)), "Exploding"),
    ):
        [said] = describe_faults(replace(inside_record(), parts=parts))
        assert said.startswith(f"{word} gradients: those of trf_blocks.0.att are 1,000,000 times")


def test_the_most_telling_head_copies_or_else_looks_at_the_token_before() -> None:
    assert telling_head(inside_record(induction=0.75)) == (1, 0, "induction", 0.75)
    assert telling_head(inside_record(induction=0.1)).habit == "previous"
    assert describe_head(inside_record(induction=0.75), 1, 0).endswith("the equal token, 0.75")
    assert describe_head(inside_record(induction=0.1), 1, 0) == ""
    assert telling_head(replace(inside_record(), head_scores=())).habit == ""


def test_attention_of_another_size_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="recorded after step 0 is damaged"):
        attention_of(replace(inside_record(), attention=b"\0" * 10), TINY)
