"""GPT-2 in Hugging Face's layout: import and export."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from gpt_core.config import GPTConfig
from gpt_core.model import GPTModel
from gpt_core.weights.assembly import (
    VOCAB_SIZE,
    assemble,
    count_layers,
    default_heads,
    other_vocabulary,
    short_reason,
)
from gpt_core.weights.file_names import CONFIG_FILE, STATE_FILE, WEIGHTS_FILE
from gpt_core.weights.hub import download_gpt2, repository

# Parts of a block: the chapter's names, and those of GPT-2's code, which Hugging Face uses.
BLOCK_PARTS = {
    "att.out_proj": "attn.c_proj",
    "ff.layers.0": "mlp.c_fc",
    "ff.layers.2": "mlp.c_proj",
    "norm1": "ln_1",
    "norm2": "ln_2",
}
OUTER_PARTS = {"tok_emb": "wte", "pos_emb": "wpe", "final_norm": "ln_f", "out_head": "lm_head"}
NORM_FIELDS = {"scale": "weight", "shift": "bias"}


def load_gpt2(source: str | Path, n_heads: int | None = None) -> GPTModel:
    """Load GPT-2 weights in Hugging Face's layout, in eval mode, without drawing at random.

    Without an output head of its own, a model gets a copy of the token embedding: the chapter's
    model does not tie them.

    Args:
        source: a folder with ``model.safetensors`` and ``config.json``, or that file alone. If
            there is no such path, it is a name on the Hugging Face hub ("gpt2", "124M",
            "owner/name"), whose files are downloaded unless they are cached.
        n_heads: attention heads, if there is no ``config.json``; None is one per 64 dimensions.

    Raises:
        ValueError: the file is missing, not a GPT-2, damaged, of another vocabulary, or cannot be
            downloaded.

    Source: the chapter, "Loading pretrained weights from OpenAI".
    """
    file = Path(source)
    if not file.exists() and isinstance(source, str) and repository(source):
        file = download_gpt2(source)
    if file.is_dir():
        file = file / WEIGHTS_FILE
    if not file.is_file():
        raise ValueError(f"{file} does not exist: put the {WEIGHTS_FILE} of a GPT-2 there.")
    try:
        with safe_open(file, "pt") as weights:
            # A model with a head prefixes the names; a bare transformer does not.
            names = {name.removeprefix("transformer."): name for name in weights.keys()}  # noqa: SIM118 (it is no dict)

            def shape(name: str) -> tuple[int, ...]:
                return tuple(weights.get_slice(names[name]).get_shape())

            config = _read_config(file.with_name(CONFIG_FILE), names, shape, n_heads)

            def read(name: str, expected: tuple[int, ...]) -> Tensor:
                their_name, third = _their_name(name)
                if their_name == "lm_head.weight" and their_name not in names:
                    their_name = "wte.weight"  # tied
                if their_name not in names:
                    raise ValueError(f"{their_name} is missing")
                part = weights.get_slice(names[their_name])
                if third is not None:  # query, key and value are side by side
                    begin, end = third * config.emb_dim, (third + 1) * config.emb_dim
                    tensor = part[..., begin:end]
                else:
                    tensor = part[...]
                if name.endswith(".weight") and _is_linear(name):
                    tensor = tensor.T  # GPT-2 stores the transpose
                if tuple(tensor.shape) != expected:
                    raise ValueError(f"{their_name} is of shape {tuple(tensor.shape)}")
                return tensor.to(torch.float32).clone(memory_format=torch.contiguous_format)

            return assemble(config, read)
    except Exception as error:  # a foreign file can raise anything
        raise ValueError(
            f"{file.name} cannot be loaded as GPT-2: {short_reason(error)}."
        ) from error


def export_gpt2(model: GPTModel, folder: str | Path) -> None:
    """Write a model as a Hugging Face GPT-2 folder, which ``GPT2LMHeadModel`` loads.

    The output is the same. Without ``qkv_bias`` the biases are written as zeros. An output head
    that differs from the embedding is written, with ``tie_word_embeddings`` false.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder, config, ours = Path(folder), model.config, model.state_dict()
    weights: dict[str, Tensor] = {}
    for name, tensor in ours.items():
        their_name, third = _their_name(name)
        if third is None:
            is_transposed = name.endswith(".weight") and _is_linear(name)
            weights[f"transformer.{their_name}"] = (
                tensor.T if is_transposed else tensor
            ).contiguous()
    for i in range(config.n_layers):
        att = f"trf_blocks.{i}.att"
        parts = [f"{att}.W_{part}" for part in ("query", "key", "value")]
        zeros = torch.zeros(config.emb_dim)
        their_name = f"transformer.h.{i}.attn.c_attn"
        weights[f"{their_name}.weight"] = torch.cat([ours[f"{p}.weight"].T for p in parts], dim=1)
        weights[f"{their_name}.bias"] = torch.cat([ours.get(f"{p}.bias", zeros) for p in parts])
    head = weights.pop("transformer.lm_head.weight")
    is_tied = torch.equal(head, ours["tok_emb.weight"])
    if not is_tied:
        weights["lm_head.weight"] = head
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / WEIGHTS_FILE, {"format": "pt"})
    facts = {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "vocab_size": config.vocab_size,
        "n_positions": config.context_length,
        "n_ctx": config.context_length,
        "n_embd": config.emb_dim,
        "n_head": config.n_heads,
        "n_layer": config.n_layers,
        **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), config.drop_rate),
        "bos_token_id": VOCAB_SIZE - 1,
        "eos_token_id": VOCAB_SIZE - 1,
        "tie_word_embeddings": is_tied,
        "torch_dtype": "float32",
    }
    (folder / CONFIG_FILE).write_text(json.dumps(facts, indent=2), encoding="utf-8")


def _their_name(name: str) -> tuple[str, int | None]:
    """Return GPT-2's name of a parameter, and which third of that tensor it is, if any."""
    part, field = name.rsplit(".", 1)
    field = NORM_FIELDS.get(field, field)
    block = re.fullmatch(r"trf_blocks\.(\d+)\.(.+)", part)
    if block is None:
        return f"{OUTER_PARTS[part]}.{field}", None
    number, inner = block.groups()
    if inner.startswith("att.W_"):
        third = ("query", "key", "value").index(inner.removeprefix("att.W_"))
        return f"h.{number}.attn.c_attn.{field}", third
    return f"h.{number}.{BLOCK_PARTS[inner]}.{field}", None


def _is_linear(name: str) -> bool:
    """Tell whether a weight belongs to a linear layer of a block."""
    return ".att." in name or ".ff." in name


def _read_config(
    file: Path,
    names: Mapping[str, str],
    shape: Callable[[str], tuple[int, ...]],
    n_heads: int | None,
) -> GPTConfig:
    """Return the configuration of a GPT-2: from its config.json, or from its shapes."""
    if not {"wte.weight", "wpe.weight", "h.0.attn.c_attn.weight"} <= set(names):
        if any(name.startswith("trf_blocks.") for name in names):
            raise ValueError(f"it was saved by this app, and its {STATE_FILE} is not next to it")
        raise ValueError("it holds no GPT-2")
    vocab_size, emb_dim = shape("wte.weight")
    facts: dict[str, Any] = {}
    if file.is_file():
        facts = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(facts, dict) or facts.get("model_type", "gpt2") != "gpt2":
            raise ValueError(f"{CONFIG_FILE} next to it is not of a GPT-2")
        if (activation := facts.get("activation_function", "gelu_new")) != "gelu_new":
            raise ValueError(f"its activation is {activation!r}, GPT-2's is 'gelu_new'")
    if vocab_size != VOCAB_SIZE:
        raise ValueError(other_vocabulary(vocab_size))
    return GPTConfig(
        vocab_size=vocab_size,
        context_length=shape("wpe.weight")[0],
        emb_dim=emb_dim,
        n_heads=facts.get("n_head", default_heads(emb_dim) if n_heads is None else n_heads),
        n_layers=count_layers(names, r"h\.(\d+)\."),
        drop_rate=facts.get("resid_pdrop", 0.1),
        qkv_bias=True,
    )
