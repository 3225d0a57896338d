"""Published runs of the chapter, to compare a run with.

Losses are by ``global_step`` as the book counts it: 0 after the first update.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedRun:
    """A printed log: its device, and its training and validation loss by step."""

    name: str
    device: str
    losses: dict[int, tuple[float, float]]


@dataclass(frozen=True)
class Band:
    """How far a correct run on another device or precision may be from the book's losses.

    Wider than the difference of the notebook's run: 0.41 and 0.10.
    """

    train_loss: float
    val_loss: float


BOOK_RUN = PublishedRun(
    "The book's printed log",
    "cpu",
    {
        0: (9.781, 9.933),
        5: (8.111, 8.339),
        10: (6.661, 7.048),
        15: (5.961, 6.616),
        20: (5.726, 6.600),
        25: (5.201, 6.348),
        30: (4.417, 6.278),
        35: (4.069, 6.226),
        40: (3.732, 6.160),
        45: (2.850, 6.179),
        50: (2.427, 6.141),
        55: (2.104, 6.134),
        60: (1.882, 6.233),
        65: (1.320, 6.238),
        70: (0.985, 6.242),
        75: (0.717, 6.293),
        80: (0.541, 6.393),
        85: (0.391, 6.452),
    },
)

# The lecture's counter starts at 1 and increases after each update, so that its label 5 comes
# after 4 updates: step 3 as the book counts.
_LECTURE_LABELS = {
    5: (8.833, 8.888),
    10: (7.019, 7.465),
    15: (6.101, 6.693),
    20: (5.746, 6.498),
    25: (5.814, 6.526),
    30: (5.578, 6.918),
    35: (5.215, 6.454),
    40: (4.961, 6.437),
    45: (4.351, 6.316),
    50: (3.742, 6.195),
    55: (3.517, 6.149),
    60: (3.102, 6.099),
    65: (2.449, 6.127),
    70: (2.096, 6.178),
    75: (1.772, 6.205),
    80: (1.423, 6.251),
    85: (1.101, 6.240),
    90: (0.749, 6.294),
}
LECTURE_RUN = PublishedRun(
    "The lecture's run",
    "mps",
    {label - 2: losses for label, losses in _LECTURE_LABELS.items()},
)

# The notebook's later printed run (MPS), at the known steps.
NOTEBOOK_RUN = PublishedRun(
    "The notebook's later run",
    "mps",
    {
        0: (9.817, 9.924),
        20: (5.524, 6.508),
        40: (3.879, 6.130),
        60: (2.104, 6.133),
        70: (1.391, 6.230),
        85: (0.569, 6.373),
    },
)
BAND = Band(train_loss=0.6, val_loss=0.2)
