"""What the configuration exchanges in the chapter's model."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from gpt_core.config import GPTConfig, as_settings
from gpt_core.model import (
    GPTModel,
    build_model,
    count_config_parameters,
    count_looked_up,
    count_parameters,
    generate,
)
from gpt_core.model.variants import rotary_turns, rotate
from gpt_core.weights import InitialWeights, load_weights, save_weights, weights_sha256

SMALL = GPTConfig(vocab_size=300, context_length=16, emb_dim=24, n_heads=2, n_layers=2)
VARIANTS = [
    {"tied_head": True, "initialization": "gpt2"},
    {"norm": "none"},
    {"positions": "rotary"},
    {"positions": "none"},
    {"initialization": "gpt2"},
    {"residual": False},
    {
        "tied_head": True,
        "norm": "none",
        "positions": "rotary",
        "initialization": "gpt2",
        "qkv_bias": True,
    },
]
each_variant = pytest.mark.parametrize("variant", VARIANTS, ids=str)
IDS = torch.randint(0, 300, (3, 16), generator=torch.Generator().manual_seed(2))


@each_variant
def test_a_model_for_display_has_the_seeded_weights(variant: dict) -> None:
    config = replace(SMALL, **variant)
    torch.manual_seed(123)
    seeded = GPTModel(config).state_dict()
    built = build_model(config, seed=123).state_dict()
    assert list(built) == list(seeded)
    assert all(torch.equal(built[name], seeded[name]) for name in seeded)


@each_variant
def test_the_cache_gives_the_tokens_that_computing_all_anew_gives(variant: dict) -> None:
    model = build_model(replace(SMALL, **variant), seed=1)
    expected = IDS[:1, :5]
    for _ in range(24):  # past the context length
        with torch.no_grad():
            logits = model(expected[:, -SMALL.context_length :])[:, -1]
        expected = torch.cat((expected, logits.argmax(-1, keepdim=True)), dim=1)
    assert torch.equal(generate(model, IDS[:1, :5], 24), expected)


@each_variant
def test_a_token_sees_only_itself_and_those_before_it(variant: dict) -> None:
    model = build_model(replace(SMALL, **variant), seed=1)
    changed = IDS.clone()
    changed[:, 9] = (changed[:, 9] + 1) % 300
    with torch.no_grad():
        logits, other = model(IDS), model(changed)
    torch.testing.assert_close(logits[:, :9], other[:, :9])
    assert not torch.allclose(logits[:, 9], other[:, 9])


@each_variant
def test_a_saved_model_comes_back_and_its_hash_tells_how_it_computes(
    variant: dict, tmp_path: Path
) -> None:
    model = build_model(replace(SMALL, **variant), seed=1)
    save_weights(tmp_path / "w", model)
    loaded = load_weights(tmp_path / "w")
    assert loaded.config == model.config
    assert torch.equal(loaded(IDS), model(IDS))
    fitted = InitialWeights("w", model).fitted(replace(model.config, context_length=8))
    assert torch.equal(fitted(IDS[:, :8]), model(IDS[:, :8]))
    assert weights_sha256(loaded) == weights_sha256(model) != weights_sha256(build_model(SMALL, 1))


@each_variant
def test_parameters_are_counted_without_building_the_model(variant: dict) -> None:
    config = replace(SMALL, **variant)
    model = build_model(config, seed=1)
    assert count_config_parameters(config) == count_parameters(model)
    tables = [model.tok_emb.weight.numel()] * (not config.tied_head)
    if config.positions == "learned":
        tables.append(model.pos_emb.weight.numel())
    assert count_looked_up(config) == sum(tables)


def test_a_score_depends_on_how_far_two_tokens_are_apart_not_on_where_they_are() -> None:
    query, key = torch.randn(2, 1, 1, 1, 8, generator=torch.Generator().manual_seed(4))

    def score(at: int, back: int) -> torch.Tensor:
        turns = rotary_turns(torch.tensor([at, at - back]), 8)
        return (rotate(query, turns[:, :1]) * rotate(key, turns[:, 1:])).sum()

    torch.testing.assert_close(score(5, 3), score(40, 3))
    assert not torch.isclose(score(5, 3), score(5, 4))


def test_without_positions_all_orders_of_the_tokens_before_give_the_same_next_one() -> None:
    """In the first block alone: what later ones mix is already ordered by the mask."""
    model = build_model(replace(SMALL, n_layers=1, positions="none"), seed=1)
    ids = torch.tensor([[1, 2, 3, 4, 9]])
    other = torch.tensor([[4, 2, 1, 3, 9]])
    with torch.no_grad():
        torch.testing.assert_close(model(ids)[:, -1], model(other)[:, -1])
        model = build_model(replace(SMALL, n_layers=1, positions="rotary"), seed=1)
        assert not torch.allclose(model(ids)[:, -1], model(other)[:, -1])


def test_a_tied_heads_scores_and_gradients_are_the_embeddings() -> None:
    model = build_model(replace(SMALL, tied_head=True, initialization="gpt2"), seed=1)
    x = model.features(IDS)
    torch.testing.assert_close(model(IDS), F.linear(x, model.tok_emb.weight))
    assert "out_head.weight" not in model.state_dict()
    model(IDS).sum().backward()
    never = torch.ones(300, dtype=torch.bool)
    never[IDS.unique()] = False
    assert model.tok_emb.weight.grad is not None
    assert model.tok_emb.weight.grad[never].abs().min() > 0  # as rows of the head they learn


def test_gpt2s_weights_are_small_and_those_into_the_residual_stream_smaller() -> None:
    model = build_model(replace(SMALL, emb_dim=96, n_layers=8, initialization="gpt2"), seed=1)
    block = model.trf_blocks[0]
    assert block.ff.layers[0].weight.std().item() == pytest.approx(0.02, rel=0.05)
    for added in (block.ff.layers[2], block.att.out_proj):
        assert added.weight.std().item() == pytest.approx(0.02 / 16**0.5, rel=0.05)
        assert added.bias.abs().max() == 0


def test_what_is_the_chapters_is_written_as_before_there_were_variants() -> None:
    assert list(as_settings(GPTConfig())) == [
        *("vocab_size", "context_length", "emb_dim", "n_heads", "n_layers"),
        *("drop_rate", "qkv_bias"),
    ]
    chosen = replace(SMALL, norm="none", residual=False)
    assert GPTConfig(**as_settings(chosen)) == chosen


def test_rotary_positions_of_an_odd_head_are_refused_with_what_to_choose() -> None:
    with pytest.raises(ValueError, match=r"3 in a head are not even: choose emb_dim=12"):
        GPTConfig(emb_dim=6, n_heads=2, positions="rotary")
