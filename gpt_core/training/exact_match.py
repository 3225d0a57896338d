"""Exact match: the fraction of a task's answers that a model gives without a mistake."""

from collections.abc import Iterable
from itertools import pairwise

from torch import Tensor
from torch.utils.data import DataLoader

from gpt_core.text import Batch, TokenWindows, has_problems, right_answer
from gpt_core.vocabularies import Tokenizer

LOOKED_AT = 1_000  # tokens, to see whether a text consists of problems


def asks_problems(data_loader: Iterable[Batch], tokenizer: Tokenizer) -> bool:
    """Tell whether a loader's text consists of tasks with an exact answer."""
    windows = data_loader.dataset if isinstance(data_loader, DataLoader) else None
    if not isinstance(windows, TokenWindows):
        return False
    return has_problems(tokenizer.decode(windows.token_ids[:LOOKED_AT].tolist()))


def count_exact(
    input_batch: Tensor, target_batch: Tensor, predicted_ids: Tensor, tokenizer: Tokenizer
) -> tuple[int, int]:
    """Return how many answers in a batch are exact, and how many there are; all tensors (B, T).

    The model gives an answer greedily, token by token, without a mistake if and only if at each of
    its tokens, after the right ones before it, the right one is the most probable. So the
    predictions for the batch tell it, and nothing has to be generated.

    Only problems that are whole in a window count, with the line break at their end.
    """
    exact = asked = 0
    right = (predicted_ids == target_batch).tolist()  # B rows of T
    for inputs, targets, is_right in zip(
        input_batch.tolist(), target_batch.tolist(), right, strict=True
    ):
        row = [inputs[0], *targets]  # T + 1 token IDs, of which is_right judges all but the first
        pieces = [tokenizer.decode([token_id]) for token_id in row]
        breaks = [i for i, piece in enumerate(pieces) if piece == "\n"]
        for before, end in pairwise(breaks):
            answer = _answer_start(pieces[before + 1 : end])
            if answer is not None:
                asked += 1
                exact += all(is_right[before + answer : end])
    return exact, asked


def _answer_start(pieces: list[str]) -> int | None:
    """Return the number of the token with which the answer of a line begins, if it asks one."""
    found = right_answer("".join(pieces))
    if found is None:
        return None
    characters = 0
    for number, piece in enumerate(pieces):
        characters += len(piece)
        if characters > found[0]:
            return number
    return None
