"""The words of this app, each in one sentence, and which of them stand on which page."""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Term:
    """A word, what it means in one sentence, and the page on which one sees it."""

    name: str
    meaning: str
    page: str
    also: str = ""  # other forms in which it stands on a page: a regular expression


GROUPS: dict[str, tuple[Term, ...]] = {
    "Text and tokens": (
        Term(
            "token",
            "A piece of text, often a word with the space before it, that the model reads and "
            "writes as one number.",
            "Tokens",
        ),
        Term(
            "token ID",
            "The number of a token in the vocabulary: from 0 to 50,256 in GPT-2's.",
            "Tokens",
            "IDs?",
        ),
        Term(
            "vocabulary",
            "All tokens that the model knows: 50,257 of them.",
            "Tokens",
        ),
        Term(
            "byte-pair encoding",
            "How a text becomes tokens: beginning with its bytes, the pair of neighbours that was "
            "learnt first is merged to one, again and again.",
            "Tokens",
            "merges?",
        ),
        Term(
            "end of text",
            "The special token <|endoftext|>, ID 50256, which stands between two documents.",
            "Tokens",
            r"<\|endoftext\|>",
        ),
        Term(
            "inputs and targets",
            "A row of tokens, and the same row one token later: what stands below each token is "
            "what the model should have expected.",
            "Tokens",
            "targets?|inputs?",
        ),
        Term(
            "prediction task",
            "To name the next token after all those up to some place; a row of T tokens is T of "
            "them.",
            "Tokens",
        ),
        Term(
            "context length",
            "The most tokens that the model sees at once.",
            "Model",
            "context_length|context",
        ),
        Term(
            "window",
            "A piece of the text, as long as the context, on which the model is trained.",
            "Data",
        ),
        Term("stride", "How many tokens lie between the starts of two windows.", "Data"),
        Term("batch", "Several windows that go through the model together.", "Data", "batches"),
        Term(
            "tensor",
            "Numbers in rows, in tables or in stacks of tables; its shape says how many of each.",
            "Tokens",
        ),
    ),
    "The model": (
        Term(
            "GPT",
            "A generative pretrained transformer: a model that, from the tokens before, gives a "
            "score to each token that may come next.",
            "Model",
        ),
        Term(
            "parameters",
            "The numbers that a model learns; all of them together are its weights.",
            "Model",
            "parameter|weights?",
        ),
        Term(
            "embedding",
            "A vector of numbers that stands for a token, or for its place in the window.",
            "Model",
            "emb_dim",
        ),
        Term(
            "transformer block",
            "The part that is stacked: attention, which mixes the tokens' vectors, then a small "
            "network for each token by itself.",
            "Model",
            "n_layers|layers?",
        ),
        Term(
            "attention",
            "How each token's vector takes in those of the tokens before it, by how well their "
            "queries and keys fit.",
            "Model",
        ),
        Term(
            "head",
            "One of several attentions side by side, each on its share of the vector. (The output "
            "head is another thing: the matrix that makes the scores.)",
            "Model",
            "n_heads|heads",
        ),
        Term(
            "layer norm",
            "Brings a token's vector to mean 0 and variance 1, then scales and shifts it as "
            "learnt.",
            "Model",
        ),
        Term("GELU", "The smooth bend between the two matrices of the feed-forward part.", "Model"),
        Term(
            "dropout",
            "In training a share of the numbers is set to 0 at random, so that the model does not "
            "lean on any one of them.",
            "Model",
            "drop_rate",
        ),
        Term("logits", "The model's scores, one for each token: any size, any sign.", "Loss"),
        Term(
            "softmax",
            "Makes probabilities of scores: all between 0 and 1, and 1 in sum.",
            "Loss",
        ),
        Term("argmax", "Where the largest number stands: the most probable token.", "Loss"),
    ),
    "The loss": (
        Term(
            "loss",
            "How badly the right next tokens were predicted: the negative mean of the logarithms "
            "of their probabilities. 0 would be perfect.",
            "Loss",
            "losses",
        ),
        Term(
            "cross-entropy",
            "The usual name of this loss. Binary: between yes and no; categorical: among many.",
            "Loss",
            "cross-entropies|cross_entropy",
        ),
        Term(
            "nat",
            "The unit of a loss that is made with natural logarithms.",
            "Loss",
            "nats",
        ),
        Term(
            "perplexity",
            "Among how many equally likely tokens the model seems to choose: exp(loss).",
            "Loss",
            "perplexities",
        ),
        Term(
            "uniform guess",
            "To find all 50,257 tokens equally likely: its loss is ln 50,257 = 10.825.",
            "Loss",
            "a guess among",
        ),
        Term(
            "one-hot",
            "A row of zeros with a single 1, at the right answer.",
            "Loss",
        ),
        Term(
            "training loss",
            "The loss on the part of the text that the model learns from.",
            "Train",
        ),
        Term(
            "validation loss",
            "The loss on a part of the text that the model never learns from: it tells learning "
            "from memorising.",
            "Train",
            "validation",
        ),
    ),
    "Training": (
        Term(
            "run",
            "One training from its first step to its last, with all that was recorded of it.",
            "Runs",
            "runs",
        ),
        Term("preset", "Settings for model and training that belong together.", "Train", "presets"),
        Term("step", "One update of all weights, made from one batch.", "Train", "updates?|steps"),
        Term("epoch", "Once through the whole training text.", "Train", "num_epochs"),
        Term("tokens seen", "How many tokens have been trained on, repeats counted.", "Train"),
        Term(
            "gradient",
            "For each weight, in which direction and how strongly it should change to lower the "
            "loss.",
            "Train",
        ),
        Term(
            "gradient norm",
            "The length of all gradients taken as one vector: how strong the pull is.",
            "Train",
            "max_grad_norm|clipping",
        ),
        Term(
            "AdamW",
            "The optimizer: turns gradients into changes of the weights, for each weight by how "
            "its gradient behaved before.",
            "Train",
            "optimizer|moments",
        ),
        Term(
            "learning rate",
            "How large a step the optimizer takes. A schedule may change it: warm-up raises it at "
            "the start, a cosine lowers it to the end.",
            "Train",
            "learning_rate|warm-up|cosine",
        ),
        Term(
            "weight decay",
            "A steady pull of all weights towards 0, which keeps them small.",
            "Train",
            "weight_decay",
        ),
        Term(
            "evaluation",
            "A measurement of both losses with dropout off, every few steps.",
            "Train",
            "evaluations|eval_freq|eval_iter",
        ),
        Term(
            "sample",
            "What the model writes after each epoch from the same beginning.",
            "Train",
            "samples",
        ),
        Term(
            "probe",
            "A row of text whose probabilities are recorded at each evaluation.",
            "Train",
            "probes",
        ),
        Term(
            "memorising",
            "To know the training text by heart: its loss falls to 0 while the validation loss "
            "rises again. Also called overfitting.",
            "Train",
            "by heart|copied|overfitting",
        ),
        Term(
            "seed",
            "The number that random draws begin from: the same seed, the same numbers.",
            "Train",
        ),
        Term(
            "precision",
            "How many digits the machine computes with: float32 has seven, bfloat16 two to three "
            "and is faster where the processor can.",
            "Train",
            "float32|bfloat16",
        ),
        Term(
            "checkpoint",
            "A run's weights as they were at some step, kept on the disk; a whole one has all that "
            "is needed to go on exactly.",
            "Weights",
            "checkpoints",
        ),
        Term(
            "pretrained",
            "Already trained, on much more text than one laptop could read.",
            "Weights",
        ),
    ),
    "Writing": (
        Term("prompt", "The text that a model goes on from.", "Generate"),
        Term(
            "decoding",
            "How the next token is chosen from the model's scores.",
            "Generate",
        ),
        Term("greedy", "Always the most probable token.", "Generate"),
        Term(
            "temperature",
            "What scores are divided by before the softmax: below 1 the favourite gains, above 1 "
            "the others do.",
            "Generate",
        ),
        Term("top-k", "Draw only among the k most probable tokens.", "Generate"),
        Term(
            "top-p",
            "Draw only among the most probable tokens that together reach the probability p.",
            "Generate",
        ),
    ),
}

TERMS = {term.name: term for terms in GROUPS.values() for term in terms}


def find_terms(text: str) -> list[Term]:
    """Return the terms that stand in a text, in the glossary's order."""
    return [term for term in TERMS.values() if _pattern(term).search(text)]


@cache
def _pattern(term: Term) -> re.Pattern[str]:
    """Return what finds a term in a text, in singular or plural, as a word of its own."""
    forms = "|".join(filter(None, (re.escape(term.name) + "s?", term.also)))
    return re.compile(rf"(?<![\w<|])(?:{forms})(?![\w])", re.IGNORECASE)


# Which of them stand on which page, in the order of the glossary: a test reads the pages.
_ON_PAGE = {
    "Home": (
        "token, token ID, batch, GPT, parameters, loss, validation loss, run, step, "
        "epoch, evaluation, sample, pretrained, prompt, decoding, temperature, top-k"
    ),
    "Runs": (
        "token, loss, perplexity, training loss, validation loss, run, preset, step, "
        "epoch, sample, checkpoint"
    ),
    "Tokens": (
        "token, token ID, vocabulary, byte-pair encoding, end of text, inputs and "
        "targets, prediction task, window, tensor, GPT, prompt"
    ),
    "Model": (
        "token, token ID, vocabulary, context length, batch, tensor, GPT, parameters, "
        "embedding, transformer block, attention, head, layer norm, GELU, dropout, "
        "logits, preset, gradient, AdamW, checkpoint"
    ),
    "Loss": (
        "token, token ID, vocabulary, inputs and targets, prediction task, context "
        "length, window, batch, tensor, GPT, parameters, transformer block, head, "
        "dropout, logits, softmax, argmax, loss, cross-entropy, nat, perplexity, uniform "
        "guess, one-hot, training loss, validation loss, run, step, epoch, evaluation, "
        "probe, seed, precision, checkpoint"
    ),
    "Data": (
        "token, token ID, vocabulary, end of text, context length, window, stride, batch, "
        "tensor, GPT, parameters, embedding, transformer block, attention, head, dropout, "
        "loss, validation loss, preset, step, epoch, tokens seen, gradient, gradient "
        "norm, AdamW, learning rate, weight decay, evaluation, sample, probe, seed, "
        "precision, checkpoint"
    ),
    "Train": (
        "token, token ID, end of text, context length, window, stride, batch, GPT, "
        "parameters, embedding, transformer block, attention, head, dropout, loss, "
        "perplexity, uniform guess, training loss, validation loss, run, preset, step, "
        "epoch, tokens seen, gradient, gradient norm, AdamW, learning rate, weight decay, "
        "evaluation, sample, probe, memorising, seed, precision, checkpoint, prompt"
    ),
    "Generate": (
        "token, end of text, GPT, parameters, logits, run, step, epoch, seed, checkpoint, "
        "prompt, decoding, greedy, temperature, top-k, top-p"
    ),
    "Weights": (
        "token, GPT, parameters, embedding, transformer block, head, loss, validation "
        "loss, run, step, epoch, AdamW, seed, checkpoint, pretrained"
    ),
    "Classroom": (
        "GPT, transformer block, loss, perplexity, validation loss, run, preset, step, "
        "epoch, learning rate, sample"
    ),
}
ON_PAGE = {page: tuple(words.split(", ")) for page, words in _ON_PAGE.items()}


def as_html(terms: Iterable[Term], with_links: bool = False) -> str:
    """Return terms and their meanings as a list of definitions; all of it is ours.

    Args:
        terms: in this order.
        with_links: name the page on which one sees each.
    """
    items = "".join(
        f"<dt>{html.escape(term.name)}</dt><dd>{html.escape(term.meaning)}"
        + (f' <a href="{term.page.lower()}" target="_self">{term.page}</a>' if with_links else "")
        + "</dd>"
        for term in terms
    )
    return f'<dl class="gpt-words">{items}</dl>'
