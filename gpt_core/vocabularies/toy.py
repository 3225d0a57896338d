"""Toy vocabularies of a few words, small enough to show every probability.

Source: the lecture's first example of the loss, with its numbers except in the row after "every",
which sums to 0.98 there. The nine words and their scores are those of the chapter, "Temperature
scaling".
"""

TOY_VOCABULARY = ("a", "effort", "every", "forward", "moves", "you", "zoo")  # IDs 0 to 6

# Possible predictions of a model after each word of "every effort moves": each row sums to 1.
TOY_PROBAS = {
    "every": (0.10, 0.60, 0.20, 0.05, 0.02, 0.02, 0.01),
    "effort": (0.06, 0.03, 0.05, 0.11, 0.68, 0.04, 0.03),
    "moves": (0.15, 0.02, 0.03, 0.18, 0.05, 0.52, 0.05),
}

# Words that may follow "every effort moves you", and a model's score (logit) for each.
DECODING_VOCABULARY = (
    *("closer", "every", "effort", "forward", "inches"),
    *("moves", "pizza", "toward", "you"),
)
DECODING_LOGITS = (4.51, 0.89, -1.90, 6.75, 1.63, -1.62, -1.89, 6.28, 1.79)


def toy_ids(text: str) -> list[int]:
    """Return the IDs of a text's words.

    Raises:
        ValueError: a word is not in the toy vocabulary.
    """
    words = text.split()
    for word in words:
        if word not in TOY_VOCABULARY:
            raise ValueError(
                f"“{word}” is not one of the seven words: choose from {', '.join(TOY_VOCABULARY)}."
            )
    return [TOY_VOCABULARY.index(word) for word in words]


def toy_argmax(word: str) -> int:
    """Return the ID of the toy model's most probable next word after a word."""
    probas = TOY_PROBAS[word]
    return probas.index(max(probas))
