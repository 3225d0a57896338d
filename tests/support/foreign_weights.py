"""Small GPT-2s of transformers, and their weights as other programs lay them out."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from gpt_core.model import GPTModel

IDS = torch.randint(0, 50257, (2, 32), generator=torch.Generator().manual_seed(5))
SIZES = {"n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 4}


def random_gpt2(folder: Path | None = None, **changes: object) -> GPT2LMHeadModel:
    """Return a small GPT-2 with random weights; save it as transformers does, if into a folder."""
    torch.manual_seed(1)
    config = GPT2Config(**{**SIZES, **changes}, attn_implementation="eager")
    theirs = GPT2LMHeadModel(config).eval()
    with torch.no_grad():  # biases and norms begin as 0 and 1: nothing would be told apart
        for parameter in theirs.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    if folder is not None:
        theirs.save_pretrained(folder)
    return theirs


@torch.no_grad()
def assert_same_logits(ours: GPTModel, theirs: GPT2LMHeadModel) -> None:
    """Check that the logits of all tokens that have a meaning are equal."""
    logits = theirs(IDS).logits[..., :50257]
    torch.testing.assert_close(ours(IDS), logits, atol=1e-4, rtol=1e-4)


def book_state(theirs: GPT2LMHeadModel) -> dict[str, Tensor]:
    """Return a GPT-2's weights by the names of the book's code, its causal masks among them."""
    layout = {
        "att.out_proj": "attn.c_proj",
        "ff.layers.0": "mlp.c_fc",
        "ff.layers.2": "mlp.c_proj",
    }
    core = theirs.transformer
    ours = {
        "tok_emb.weight": core.wte.weight,
        "pos_emb.weight": core.wpe.weight,
        "final_norm.scale": core.ln_f.weight,
        "final_norm.shift": core.ln_f.bias,
        "out_head.weight": theirs.lm_head.weight,
    }
    for i, block in enumerate(core.h):
        ours[f"trf_blocks.{i}.att.mask"] = torch.ones(32, 32).triu(1)
        for number, norm in (("1", block.ln_1), ("2", block.ln_2)):
            ours[f"trf_blocks.{i}.norm{number}.scale"] = norm.weight
            ours[f"trf_blocks.{i}.norm{number}.shift"] = norm.bias
        weights, biases = block.attn.c_attn.weight.T.chunk(3), block.attn.c_attn.bias.chunk(3)
        for name, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
            ours[f"trf_blocks.{i}.att.W_{name}.weight"] = weight
            ours[f"trf_blocks.{i}.att.W_{name}.bias"] = bias
        for name, their_name in layout.items():
            linear = block.get_submodule(their_name)
            ours[f"trf_blocks.{i}.{name}.weight"] = linear.weight.T
            ours[f"trf_blocks.{i}.{name}.bias"] = linear.bias
    return {name: tensor.detach().contiguous().clone() for name, tensor in ours.items()}


def nanogpt_checkpoint(theirs: GPT2LMHeadModel, bias: bool = True) -> dict[str, object]:
    """Return what nanoGPT saves in ckpt.pt: its linear layers are PyTorch's, its head is tied."""
    turned = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    state = {
        name: tensor.T.contiguous() if name.endswith(turned) else tensor
        for name, tensor in theirs.state_dict().items()
        if bias or not name.endswith(".bias")
    }
    state["lm_head.weight"] = state["transformer.wte.weight"]
    facts = theirs.config
    arguments = {"n_layer": facts.n_layer, "n_head": facts.n_head, "n_embd": facts.n_embd}
    arguments |= {"block_size": 32, "vocab_size": facts.vocab_size, "bias": bias, "dropout": 0.0}
    return {
        "model": state,
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-3}]},
        "model_args": arguments,
        "iter_num": 3,
        "best_val_loss": torch.tensor(1.0),
        "config": {"out_dir": "out", "n_head": 12},
    }


def prefixed(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights whose names begin with a prefix."""
    return {prefix + name: tensor for name, tensor in state.items()}
