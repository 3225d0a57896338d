"""What a GPT-2's config.json states: used, refused by its name, or harmless and ignored.

A setting that is passed over in silence gives other logits than the model's own. So each setting
of transformers' ``GPT2Config`` that changes them is used or checked here; a missing one has
transformers' default.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpt_core.config import GPTConfig
from gpt_core.system import read_json
from gpt_core.validation import check_yes_or_no, shown

ALIASES = {
    "hidden_size": "n_embd",
    "max_position_embeddings": "n_positions",
    "num_attention_heads": "n_head",
    "num_hidden_layers": "n_layer",
}
TANH_GELUS = (  # names of one function, GPT-2's approximation of GELU
    *("gelu_new", "gelu_fast", "gelu_accurate"),
    *("gelu_pytorch_tanh", "gelu_python_tanh"),
)
FIXED: dict[str, tuple[Any, ...]] = {  # the values with which this app's model computes
    "model_type": ("gpt2",),
    "activation_function": TANH_GELUS,
    "layer_norm_epsilon": (1e-5,),
    "add_cross_attention": (False,),
    "quantization_config": (None,),
}
SIZES = {"n_embd": "emb_dim", "n_layer": "n_layers", "n_positions": "context_length"}
DEFAULT_HEADS = 12  # transformers' own, of a GPT2Config that states none


def read_settings_file(file: Path) -> dict[str, Any]:
    """Return the object in a small JSON file, which may begin with a byte order mark.

    Raises:
        ValueError: it is too large, not JSON, or not an object.
        OSError: it cannot be read.
    """
    facts = read_json(file)
    if not isinstance(facts, dict):
        raise ValueError(f"{file.name} holds no settings")
    return facts


def read_gpt2_config(file: Path) -> dict[str, Any]:
    """Return the settings in a GPT-2's config.json by their names in ``GPT2Config``.

    Raises:
        ValueError: it is not JSON, not of a GPT-2, or has a setting that is not supported.
        OSError: it cannot be read.
    """
    facts = read_settings_file(file)
    for alias, name in ALIASES.items():
        if alias in facts and facts.setdefault(name, facts[alias]) != facts[alias]:
            raise ValueError(f"{file.name} states both {name} and {alias}, which differ")
    for name, values in FIXED.items():
        value = facts.get(name, values[0])
        if value not in values or isinstance(value, bool) != isinstance(values[0], bool):
            known = " or ".join(map(shown, values[:1]))
            raise ValueError(f"{file.name} has {name}={shown(value)}: only {known} is supported")
    for name in ("scale_attn_weights", "scale_attn_by_inverse_layer_idx", "tie_word_embeddings"):
        check_yes_or_no(name, facts.get(name, True))
    return facts


def check_sizes(facts: Mapping[str, Any], config: GPTConfig, vocab_size: int) -> None:
    """Raise ValueError if a size that config.json states is not that of the weights."""
    sizes = {name: getattr(config, ours) for name, ours in SIZES.items()}
    sizes |= {"vocab_size": vocab_size}
    for name, size in sizes.items():
        if facts.get(name) not in (None, size):
            raise ValueError(f"its config has {name}={shown(facts[name])}, and its weights {size}")
    if facts.get("n_inner") not in (None, 4 * config.emb_dim):
        raise ValueError(
            f"its config has n_inner={shown(facts['n_inner'])}: only four times n_embd is supported"
        )


def query_scale(facts: Mapping[str, Any], config: GPTConfig, layer: int) -> float:
    """Return by what a layer's queries are multiplied so that plain attention gives the same.

    Attention here divides its scores by the root of the heads' dimensions. GPT-2's settings
    ``scale_attn_weights`` and ``scale_attn_by_inverse_layer_idx`` change that divisor, which is
    the same as queries that are longer or shorter.
    """
    scale = 1.0
    if not facts.get("scale_attn_weights", True):
        scale *= (config.emb_dim / config.n_heads) ** 0.5
    if facts.get("scale_attn_by_inverse_layer_idx", False):
        scale /= layer + 1
    return scale
