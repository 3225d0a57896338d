"""Weights by the names of the book's code."""

from gpt_core.config import GPTConfig
from gpt_core.weights.assembly import (
    LoadedModel,
    assemble,
    choose_heads,
    count_layers,
    find_heads,
    find_vocabulary,
)
from gpt_core.weights.tensor_files import NamedTensors

NEEDED = {"tok_emb.weight", "pos_emb.weight", "trf_blocks.0.att.W_query.weight"}


def read_book(tensors: NamedTensors, n_heads: int | None) -> LoadedModel:
    """Build a model from weights by the names of the book's code.

    The book's causal masks are buffers among the tensors; ours has none.

    Args:
        tensors: the weights.
        n_heads: attention heads, if the files do not state them.

    Raises:
        ValueError: the weights are damaged, of another vocabulary, or need the number of heads.

    Source: the chapter, "Loading and saving model weights in PyTorch".
    """
    vocab_size, emb_dim = tensors.shape("tok_emb.weight")
    vocabulary, size, notes = find_vocabulary(tensors.file, vocab_size)
    stated = find_heads(tensors.facts, emb_dim)
    heads, assumed = choose_heads(emb_dim, stated, n_heads, tensors.file)
    config = GPTConfig(
        vocab_size=size,
        context_length=tensors.shape("pos_emb.weight")[0],
        emb_dim=emb_dim,
        n_heads=heads,
        n_layers=count_layers(tensors.parts, r"trf_blocks\.(\d+)\."),
        qkv_bias="trf_blocks.0.att.W_query.bias" in tensors.parts,
    )
    return LoadedModel(assemble(config, tensors.read, vocabulary), (*assumed, *notes))
