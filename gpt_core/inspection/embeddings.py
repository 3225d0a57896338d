"""The embeddings as places: which tokens and which positions lie near each other."""

import torch
import torch.nn.functional as F
from torch import Tensor

from gpt_core.model import GPTModel


@torch.no_grad()
def embedding_neighbours(model: GPTModel, token_id: int, k: int = 10) -> tuple[Tensor, Tensor]:
    """Return the k tokens whose embeddings point most nearly the same way: IDs (k,), cosines (k,).

    Raises:
        ValueError: there is no such token.
    """
    table = model.tok_emb.weight  # (vocab_size, emb_dim)
    if not 0 <= token_id < len(table):
        raise ValueError(f"Token ID {token_id} does not exist: IDs go from 0 to {len(table) - 1}.")
    cosines = F.cosine_similarity(table, table[token_id : token_id + 1], dim=-1)  # (vocab_size,)
    cosines[token_id] = -torch.inf  # not its own neighbour
    best = cosines.topk(min(k, len(table) - 1))
    return best.indices, best.values


@torch.no_grad()
def embedding_map(model: GPTModel, ids: Tensor, reference: Tensor | None = None) -> Tensor:
    """Return the places of tokens on a plane, (N, 2): the plane on which they differ most.

    This is principal component analysis (PCA) of their embeddings. The plane has no natural up or
    right: with the map of an earlier checkpoint as a reference, the new one is turned and mirrored
    to lie as near to it as it can, so that tokens move instead of jumping.

    Args:
        model: its token embeddings are mapped.
        ids: the tokens, (N,), at least 3 and all different.
        reference: the same tokens' map at another moment, (N, 2).

    Raises:
        ValueError: fewer than 3 tokens, one of them twice or unknown, or the reference is of
            others.

    Source: Pearson (1901) for PCA; Schönemann (1966), the orthogonal Procrustes problem.
    """
    num = len(ids)
    if num < 3 or len(ids.unique()) < num:
        raise ValueError("A map needs at least 3 different tokens.")
    if not 0 <= int(ids.min()) <= int(ids.max()) < model.config.vocab_size:
        raise ValueError(f"A token does not exist: IDs go to {model.config.vocab_size - 1}.")
    if reference is not None and reference.shape != (num, 2):
        raise ValueError(f"The reference has the shape {tuple(reference.shape)}, not ({num}, 2).")
    points = model.tok_emb.weight[ids].double()  # (N, emb_dim)
    points = points - points.mean(dim=0)
    _, _, axes = torch.linalg.svd(points, full_matrices=False)  # (…, emb_dim), largest first
    places = points @ axes[:2].T  # (N, up to 2)
    places = F.pad(places, (0, 2 - places.shape[1]))  # (N, 2), also if emb_dim is 1
    if reference is None:
        return places
    u, _, vh = torch.linalg.svd(places.T @ reference.to(places))  # (2, 2) each
    return places @ u @ vh  # the rotation and reflection nearest to the reference


@torch.no_grad()
def position_similarity(model: GPTModel) -> Tensor:
    """Return the cosine between each two position embeddings, (context_length, context_length).

    Raises:
        ValueError: the model has no position embeddings.
    """
    if model.config.positions != "learned":
        raise ValueError(f"positions={model.config.positions}: it has no position embeddings.")
    directions = F.normalize(model.pos_emb.weight, dim=-1)  # (context_length, emb_dim)
    return directions @ directions.T
