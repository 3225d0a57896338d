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
