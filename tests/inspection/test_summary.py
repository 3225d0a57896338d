import math

import pytest
import torch

from gpt_core.config import GPTConfig
from gpt_core.inspection import summarize
from gpt_core.model import GPTModel, count_parameters
from gpt_core.presets import GPT2_CONFIGS, GPT_CONFIG_124M
from gpt_core.weights import max_checkpoint_bytes
from tests.conftest import TINY


def test_the_chapters_model_has_162_million_parameters_and_not_124() -> None:
    anatomy = summarize(GPT_CONFIG_124M, 2, 4)
    assert anatomy.parameters == 162_419_712
    assert anatomy.tied_parameters == 162_419_712 - 50257 * 768
    assert anatomy.part("tok_emb").parameters == anatomy.part("out_head").parameters == 50257 * 768


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("124M", 124_439_808),
        ("355M", 354_823_168),
        ("774M", 774_030_080),
        ("1558M", 1_557_611_200),
    ],
)
def test_openais_models_have_their_published_numbers_with_the_head_tied(
    name: str, published: int
) -> None:
    assert summarize(GPT2_CONFIGS[name], 1, 1).tied_parameters == published


def test_the_shapes_are_those_of_the_tensors() -> None:
    anatomy = summarize(TINY, 3, 7)
    shapes = {part.name: part.output_shape for part in anatomy.parts}
    assert shapes["tok_emb"] == shapes["trf_blocks.0"] == (3, 7, 16)
    assert shapes["pos_emb"] == (7, 16)
    assert shapes["trf_blocks.0.ff.layers.0"] == (3, 7, 64)
    assert shapes["out_head"] == (3, 7, 50257)
    assert next(iter(shapes)) == "tok_emb"
    assert list(shapes)[-1] == "out_head"


@pytest.mark.parametrize("config", [TINY, GPTConfig(emb_dim=12, n_layers=5, qkv_bias=True)])
def test_the_parts_add_up_to_the_model(config: GPTConfig) -> None:
    anatomy = summarize(config, 1, 1)
    whole = ("tok_emb", "pos_emb", "final_norm", "out_head")
    outside = sum(anatomy.part(name).parameters for name in whole)
    block = anatomy.part("trf_blocks.0").parameters
    assert outside + config.n_layers * block == anatomy.parameters
    with torch.device("meta"):
        assert anatomy.parameters == count_parameters(GPTModel(config))


def test_memory_counts_weights_gradients_and_two_moments_in_float32() -> None:
    anatomy = summarize(GPT_CONFIG_124M, 1, 1)
    assert anatomy.weights_bytes == 4 * 162_419_712
    assert anatomy.optimizer_bytes == 8 * 162_419_712
    assert anatomy.checkpoint_bytes == 12 * 162_419_712
    weights = 2 * anatomy.weights_bytes  # the best, and one epoch's while it is written
    assert max_checkpoint_bytes(GPT_CONFIG_124M, 0) == 2 * anatomy.checkpoint_bytes + weights


def test_a_model_too_large_for_any_machine_can_be_looked_at() -> None:
    gpt3 = GPTConfig(context_length=2048, emb_dim=12288, n_heads=96, n_layers=96)
    assert summarize(gpt3, 1, 2048).parameters == pytest.approx(175e9, rel=0.02)
    assert math.prod(summarize(gpt3, 8, 2048).part("out_head").output_shape) == 8 * 2048 * 50257


def test_more_tokens_than_the_context_are_refused() -> None:
    with pytest.raises(ValueError, match="33 tokens are more than context_length=32"):
        summarize(TINY, 1, 33)
