"""A GPT-2's config.json: each setting that changes the logits is used or refused by its name."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.activations import ACT2FN

from gpt_core.weights import load_gpt2, read_model
from gpt_core.weights.gpt2_config import ALIASES, FIXED, TANH_GELUS
from tests.support.foreign_weights import assert_same_logits, random_gpt2


def change_config(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"scale_attn_weights": False},
        {"scale_attn_by_inverse_layer_idx": True, "n_layer": 3},
        {"scale_attn_by_inverse_layer_idx": True, "scale_attn_weights": False},
        {"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True},
        {"n_inner": 128},  # four times n_embd, as without it
        {"activation_function": "gelu_pytorch_tanh"},
        {"tie_word_embeddings": False},
        {"vocab_size": 50304},
        {"use_cache": False, "summary_type": "mean", "initializer_range": 1.0, "dtype": "float16"},
        {"id2label": {"0": "a"}, "task_specific_params": {"text-generation": {"max_length": 50}}},
    ],
    ids=str,
)
def test_settings_that_are_supported_or_harmless_give_transformers_logits(
    changes: dict, tmp_path: Path
) -> None:
    theirs = random_gpt2(tmp_path, **changes)
    assert_same_logits(load_gpt2(tmp_path), theirs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon=1e-06: only 1e-05 is supported"),
        ({"activation_function": "gelu"}, "activation_function='gelu': only 'gelu_new'"),
        ({"activation_function": "quick_gelu"}, "activation_function='quick_gelu'"),
        ({"n_inner": 96}, "n_inner=96: only four times n_embd"),
        ({"add_cross_attention": True}, "add_cross_attention=True: only False"),
    ],
    ids=str,
)
def test_settings_that_would_give_other_logits_are_refused_by_their_name(
    changes: dict, message: str, tmp_path: Path
) -> None:
    random_gpt2(tmp_path, **changes)
    with pytest.raises(ValueError, match=rf"^model\.safetensors cannot be loaded: .*{message}"):
        load_gpt2(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale_attn_weights": "no"}, "scale_attn_weights='no' is neither true nor false"),
        ({"tie_word_embeddings": None}, "tie_word_embeddings=None is neither true nor false"),
        ({"quantization_config": {"bits": 4}}, "quantization_config="),
        ({"num_attention_heads": 2}, "states both n_head and num_attention_heads, which differ"),
        ({"n_layer": 1}, "n_layer=1, and its weights 2"),  # transformers would pass over a block
        ({"n_positions": 16}, "n_positions=16, and its weights 32"),
        ({"n_embd": 64}, "n_embd=64, and its weights 32"),
        ({"vocab_size": 50304}, "vocab_size=50304, and its weights 50257"),
        ({"tie_word_embeddings": False}, r"lm_head\.weight is missing"),
    ],
    ids=str,
)
def test_a_config_that_does_not_fit_its_weights_is_refused(
    changes: dict, message: str, tmp_path: Path
) -> None:
    random_gpt2(tmp_path)
    change_config(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        load_gpt2(tmp_path)


def test_every_setting_of_transformers_gpt2_is_known_here() -> None:
    used = {"n_head", "resid_pdrop", "n_inner", "tie_word_embeddings", *ALIASES.values(), *FIXED}
    used |= {"vocab_size", "scale_attn_weights", "scale_attn_by_inverse_layer_idx"}
    changes_no_logits = {
        *("embd_pdrop", "attn_pdrop", "initializer_range", "use_cache", "reorder_and_upcast_attn"),
        *("bos_token_id", "eos_token_id", "pad_token_id"),
    }
    own = {name for name in GPT2Config.__annotations__ if not name.startswith("summary_")}
    own -= {"keys_to_ignore_at_inference", "attribute_map", "model_type"}
    assert own <= {field.name for field in fields(GPT2Config)}
    assert own - used - changes_no_logits == set()
    assert GPT2Config.attribute_map == ALIASES
    assert all(getattr(GPT2Config(), name, None) == values[0] for name, values in FIXED.items())


def test_the_names_of_gpt2s_gelu_are_one_function() -> None:
    x = torch.linspace(-9, 9, 2001)
    for name in TANH_GELUS:
        torch.testing.assert_close(ACT2FN[name](x), ACT2FN["gelu_new"](x), atol=1e-6, rtol=0)


@pytest.mark.parametrize("prefix", ["\ufeff", "\n  "])
def test_a_config_that_begins_with_a_byte_order_mark_is_read(prefix: str, tmp_path: Path) -> None:
    theirs = random_gpt2(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(prefix + file.read_text(), encoding="utf-8")
    assert_same_logits(load_gpt2(tmp_path), theirs)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<!DOCTYPE html><title>Sign in</title>", r"config\.json is a web page"),
        ("version https://git-lfs.github.com/spec/v1\n", r"config\.json is a pointer of Git LFS"),
        ("", r"config\.json is empty"),
        ("[" * 100_000, r"config\.json is nested more than 64 deep"),
        ('{"a": "' + "x" * 2**20 + '"}', r"config\.json is larger than 1 MB"),
        ("[1]", r"config\.json holds no settings"),
    ],
    ids=["page", "pointer", "empty", "nested", "large", "list"],
)
def test_a_config_that_is_none_is_refused(content: str, message: str, tmp_path: Path) -> None:
    random_gpt2(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        load_gpt2(tmp_path)


@pytest.mark.parametrize(("kept", "n_head"), [("num_attention_heads", 8), ("model_type", 12)])
def test_heads_have_the_name_and_the_default_that_transformers_knows(
    kept: str, n_head: int, tmp_path: Path
) -> None:
    random_gpt2(tmp_path, n_embd=96, n_head=n_head)
    change_config(tmp_path, num_attention_heads=n_head)
    facts = json.loads((tmp_path / "config.json").read_text())
    facts = {key: facts[key] for key in ("model_type", "n_layer", "n_embd", "n_positions", kept)}
    (tmp_path / "config.json").write_text(json.dumps(facts))
    loaded = read_model(tmp_path)
    assert (loaded.model.config.n_heads, loaded.notes) == (n_head, ())
    assert_same_logits(loaded.model, GPT2LMHeadModel.from_pretrained(tmp_path).eval())


def test_a_head_of_its_own_wins_over_a_config_that_ties_it_as_in_transformers(
    tmp_path: Path,
) -> None:
    random_gpt2(tmp_path, tie_word_embeddings=False)
    change_config(tmp_path, tie_word_embeddings=True)
    assert_same_logits(load_gpt2(tmp_path), GPT2LMHeadModel.from_pretrained(tmp_path).eval())


def test_half_precision_weights_are_scaled_in_full_precision(tmp_path: Path) -> None:
    random_gpt2(tmp_path, scale_attn_by_inverse_layer_idx=True, n_layer=3)
    file = tmp_path / "model.safetensors"
    halves = {name: tensor.half() for name, tensor in load_file(file).items()}
    save_file(halves, file, {"format": "pt"})
    theirs = GPT2LMHeadModel.from_pretrained(tmp_path, dtype=torch.float32).eval()
    assert_same_logits(load_gpt2(tmp_path), theirs)
