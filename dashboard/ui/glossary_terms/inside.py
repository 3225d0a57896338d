"""The terms of the page Inside."""

from dashboard.ui.glossary_terms.term import Term

INSIDE = (
    Term(
        "residual stream",
        "The vector of a token on its way through the model: the sum of its embeddings and of "
        "what each part has added so far.",
        "Inside",
    ),
    Term(
        "logit lens",
        "What a model would predict if it stopped after a layer: the final norm and the output "
        "head, applied to the stream there.",
        "Inside",
        "the lens",
    ),
    Term(
        "direct logit attribution",
        "How much what a part adds to the stream raises or lowers one token's logit; all parts "
        "together give the logit.",
        "Inside",
    ),
    Term(
        "ablation",
        "Switching a part of a model off, to see what it is for: what the part adds is "
        "replaced by zeros or by its mean.",
        "Inside",
        "switch(?:es|ed)? off",
    ),
    Term(
        "attention weights",
        "How much a token takes in of each token up to it, in one head: numbers from 0 to 1 "
        "with a sum of 1.",
        "Inside",
        "attention weight",
    ),
    Term(
        "induction head",
        "A head that finds an earlier occurrence of the token and looks at what followed it: "
        "so a model continues what it has read once.",
        "Inside",
        "induction",
    ),
    Term(
        "cosine similarity",
        "How alike the directions of two vectors are: 1 if they are the same, 0 if they have "
        "nothing in common, −1 if they are opposite.",
        "Inside",
    ),
    Term(
        "principal component analysis",
        "Drawing vectors on the plane on which they differ most: PCA for short.",
        "Inside",
        "PCA",
    ),
)
