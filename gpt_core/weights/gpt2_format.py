"""GPT-2 in Hugging Face's layout: import and export."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from gpt_core.config import GPTConfig, beyond_chapter
from gpt_core.model import GPTModel
from gpt_core.vocabularies import read_vocabulary, tokenizer_files
from gpt_core.weights.assembly import (
    LoadedModel,
    assemble,
    choose_heads,
    count_layers,
    find_heads,
    find_vocabulary,
)
from gpt_core.weights.file_names import CONFIG_FILE, WEIGHTS_FILE
from gpt_core.weights.gpt2_config import DEFAULT_HEADS, check_sizes, query_scale, read_gpt2_config
from gpt_core.weights.tensor_files import NamedTensors, refuse_placeholder

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
NEEDED = {"wte.weight", "wpe.weight", "h.0.attn.c_attn.weight"}
NANOGPT_GELU = "GELU is approximated as in GPT-2, which newer versions of nanoGPT do not."


def read_gpt2(tensors: NamedTensors, n_heads: int | None) -> LoadedModel:
    """Build a model from GPT-2 weights in the layout of Hugging Face or of nanoGPT.

    Without an output head of its own, a model gets a copy of the token embedding: the chapter's
    model does not tie them. Biases that nanoGPT left out become zeros.

    Args:
        tensors: the weights; their ``config.json`` is beside them, if they have one.
        n_heads: attention heads, if the files do not state them.

    Raises:
        ValueError: the weights are damaged, of another vocabulary, have a setting that is not
            supported, or need the number of heads.

    Source: the chapter, "Loading pretrained weights from OpenAI".
    """
    vocab_size, emb_dim = tensors.shape("wte.weight")
    vocabulary, size, notes = find_vocabulary(tensors.file, vocab_size)
    is_nanogpt = tensors.shape("h.0.attn.c_attn.weight") == (3 * emb_dim, emb_dim)
    facts = _read_facts(tensors, is_nanogpt)
    stated = facts.get("n_head", find_heads(tensors.facts, emb_dim))
    heads, assumed = choose_heads(emb_dim, stated, n_heads, tensors.file)
    has_biases = not is_nanogpt or "ln_f.bias" in tensors.parts
    config = GPTConfig(
        vocab_size=size,
        context_length=tensors.shape("wpe.weight")[0],
        emb_dim=emb_dim,
        n_heads=heads,
        n_layers=count_layers(tensors.parts, r"h\.(\d+)\."),
        drop_rate=facts.get("dropout" if is_nanogpt else "resid_pdrop", 0.1),
        qkv_bias=has_biases,
    )
    check_sizes(facts, config, vocab_size)
    is_tied = "lm_head.weight" not in tensors.parts and facts.get("tie_word_embeddings", True)

    def read(name: str) -> Tensor:
        their_name, third = _their_name(name)
        if their_name == "lm_head.weight" and is_tied:
            their_name = "wte.weight"
        if their_name.endswith(".bias") and not has_biases:
            return torch.zeros((4 if ".ff.layers.0." in name else 1) * emb_dim)
        tensor = tensors.read(their_name)
        if name.endswith(".weight") and _is_linear(name) and not is_nanogpt:
            tensor = tensor.T  # GPT-2 stores the transpose
        if third is not None:  # query, key and value are side by side
            tensor = tensor[third * emb_dim : (third + 1) * emb_dim]
        if third == 0 and (scale := query_scale(facts, config, int(name.split(".")[1]))) != 1:
            tensor = tensor.to(torch.float32) * scale
        return tensor

    gelu = (NANOGPT_GELU,) if is_nanogpt else ()
    return LoadedModel(assemble(config, read, vocabulary), (*assumed, *notes, *gelu))


def _read_facts(tensors: NamedTensors, is_nanogpt: bool) -> dict[str, Any]:
    """Return the settings of a GPT-2: its checkpoint's own, or those in its config.json."""
    if is_nanogpt:
        stated = tensors.facts.get("model_args")
        facts = dict(stated) if isinstance(stated, Mapping) else {}
        return facts | {"n_positions": facts.get("block_size")}
    file = tensors.file.with_name(CONFIG_FILE)
    if not file.is_file():
        return {}
    refuse_placeholder(file)
    facts = read_gpt2_config(file)
    return {"n_head": DEFAULT_HEADS} | facts if "model_type" in facts else facts


def why_not_gpt2(config: GPTConfig) -> str:
    """Return why a Hugging Face GPT-2 cannot be a model of a configuration, or an empty text."""
    foreign = [
        f"{name}={value!r}"
        for name, value in beyond_chapter(config).items()
        if name in ("norm", "positions", "residual")
    ]
    if not foreign:
        return ""
    return (
        f"A Hugging Face GPT-2 has no {' and no '.join(foreign)}: export the weights as "
        "safetensors and JSON instead."
    )


def export_gpt2(model: GPTModel, folder: str | Path) -> None:
    """Write a model as a Hugging Face GPT-2 folder, with the tokenizer, for transformers.

    The output is the same. Without ``qkv_bias`` the biases are written as zeros. An output head
    that differs from the embedding is written, with ``tie_word_embeddings`` false.

    Raises:
        ValueError: a GPT-2 cannot be such a model.
        OSError: the folder cannot be written to.
    """
    if reason := why_not_gpt2(model.config):
        raise ValueError(reason)
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
    head = weights.pop("transformer.lm_head.weight", None)
    is_tied = head is None or torch.equal(head, ours["tok_emb.weight"])
    if head is not None and not is_tied:
        weights["lm_head.weight"] = head
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / WEIGHTS_FILE, {"format": "pt"})
    end_of_text_id = read_vocabulary(model.vocabulary).eot_token
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
        **dict.fromkeys(("bos_token_id", "eos_token_id"), end_of_text_id),
        "tie_word_embeddings": is_tied,
        "torch_dtype": "float32",
    }
    generation = {name: facts[name] for name in ("bos_token_id", "eos_token_id")}
    generation["max_length"] = config.context_length  # a pipeline would write past it and fail
    files = {
        CONFIG_FILE: json.dumps(facts, indent=2),
        "generation_config.json": json.dumps(generation, indent=2),
        **tokenizer_files(config.context_length, model.vocabulary),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content.encode())


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
