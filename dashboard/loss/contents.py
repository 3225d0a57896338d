"""The headings of the Loss page, to which its table of contents links."""

OWN_ROWS = "A run's own rows while it trains"
CONTENTS = (
    "Inputs and targets",
    "1 · Logits",
    "2 · Probabilities",
    "What it would say: argmax",
    "3 · Target probabilities",
    "4 · Logarithms",
    "5 · Mean",
    "6 · Negative mean: the loss",
    "The same in one call",
    "Perplexity",
    "Every position",
    "Two classes, many classes: one cross-entropy",
    "Its loss on a whole text",
)
