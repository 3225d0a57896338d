"""What an attention head looks at, in words."""

from gpt_core.analysis import HABITS, TELLING, describe_habit
from gpt_core.inspection import HeadScores


def head_habit(scores: HeadScores | None, layer: int, head: int) -> str:
    """Return what a head looks at, with its score, or "" if it has no telling habit."""
    if scores is None:
        return ""
    return describe_habit({name: getattr(scores, name)[layer, head].item() for name in HABITS})


def most_telling_head(scores: HeadScores | None) -> tuple[int, int]:
    """Return the layer and number of the head with the highest induction score.

    Where no head is telling by it, it is the one that most looks at the token before.
    """
    if scores is None:
        return 0, 0
    induction, previous = scores.induction, scores.previous  # (n_layers, n_heads)
    telling = induction if induction.max() >= TELLING else previous
    layer, head = divmod(int(telling.argmax()), telling.shape[1])
    return layer, head
