"""What an attention head looks at, in words."""

from gpt_core.inspection import HeadScores

TELLING = 0.3  # a smaller score says nothing about a head
HABITS = {
    "previous": "looks at the token before",
    "first": "looks at the first token",
    "same": "looks at the equal token",
    "induction": "looks at what followed the equal token",
}


def head_habit(scores: HeadScores | None, layer: int, head: int) -> str:
    """Return what a head looks at, with its score, or "" if it has no telling habit."""
    if scores is None:
        return ""
    found = {name: getattr(scores, name)[layer, head].item() for name in HABITS}
    best = max(found, key=lambda name: found[name])
    return f"{HABITS[best]}, {found[best]:.2f}" if found[best] >= TELLING else ""


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
