"""The lecture's seven steps: the path through the app."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One of the lecture's steps: its title, a sentence about it, and the pages that show it."""

    number: int
    title: str
    sentence: str
    pages: tuple[str, ...]  # page titles, in the order of the navigation


STEPS = (
    Step(
        1,
        "Text generation",
        "A prompt becomes token IDs; the model predicts the next token, again and again.",
        ("Tokens", "Model"),
    ),
    Step(
        2,
        "Text evaluation: the loss",
        "How probable was each right token? Six probabilities, their logarithms, one number.",
        ("Loss",),
    ),
    Step(
        3,
        "Training and validation losses",
        "The same number for a whole text: for the part that the model learns from, and for a "
        "part that it never learns from.",
        ("Data", "Train"),
    ),
    Step(
        4,
        "The training function",
        "Each batch changes the weights a little, and on the whole the loss falls; after each "
        "epoch the model writes a sample.",
        ("Train",),
    ),
    Step(
        5,
        "Decoding strategies",
        "Temperature and top-k: from always the most probable token to controlled randomness.",
        ("Generate",),
    ),
    Step(
        6,
        "Saving and loading weights",
        "Download a trained model, or upload one.",
        ("Weights",),
    ),
    Step(
        7,
        "OpenAI's pretrained weights",
        "The same architecture, trained on far more text than a laptop could train on.",
        ("Weights",),
    ),
)
