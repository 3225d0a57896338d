"""The glossary: each term of the app in one sentence, and the terms of each page."""

import html
import re
from collections.abc import Iterable
from functools import cache

from dashboard.ui.glossary_terms import TERMS, Term


def find_terms(text: str) -> list[Term]:
    """Return the terms that occur in a text, in the glossary's order."""
    return [term for term in TERMS.values() if _pattern(term).search(text)]


@cache
def _pattern(term: Term) -> re.Pattern[str]:
    """Return the pattern that finds a term as a whole word, in singular or plural.

    A word after a hyphen is a part of another: there is no entropy in cross-entropy.
    """
    forms = "|".join(filter(None, (re.escape(term.name) + "s?", term.also)))
    return re.compile(rf"(?<![\w<|-])(?:{forms})(?![\w])", re.IGNORECASE)


# The terms of each page, in the glossary's order; a test reads the pages.
_ON_PAGE = {
    "Home": (
        "token, token ID, byte-pair encoding, batch, GPT, parameters, loss, training loss, "
        "validation loss, run, step, epoch, evaluation, sample, memorising, pretrained, prompt, "
        "decoding, temperature, top-k"
    ),
    "Runs": (
        "token, vocabulary, loss, perplexity, bits per byte, training loss, validation loss, run, "
        "preset, step, epoch, evaluation, sample, checkpoint"
    ),
    "Tokens": (
        "token, token ID, vocabulary, byte-pair encoding, end of text, inputs and "
        "targets, prediction task, window, tensor, GPT, prompt"
    ),
    "Model": (
        "token, token ID, vocabulary, byte-pair encoding, context length, batch, tensor, GPT, "
        "parameters, embedding, transformer block, attention, head, layer norm, residual "
        "connection, rotary positions, tied head, initialization, GELU, dropout, logits, preset, "
        "gradient, AdamW, checkpoint, residual stream"
    ),
    "Loss": (
        "token, token ID, vocabulary, inputs and targets, prediction task, context "
        "length, window, batch, tensor, GPT, parameters, transformer block, head, "
        "dropout, logits, softmax, argmax, loss, cross-entropy, nat, perplexity, uniform "
        "guess, one-hot, training loss, validation loss, run, step, epoch, evaluation, "
        "probe, seed, precision, checkpoint"
    ),
    "Data": (
        "token, token ID, vocabulary, byte-pair encoding, end of text, context length, window, "
        "stride, batch, tensor, GPT, parameters, embedding, transformer block, attention, head, "
        "residual connection, rotary positions, tied head, initialization, dropout, loss, nat, "
        "uniform guess, entropy, validation loss, preset, step, epoch, tokens seen, gradient, "
        "gradient norm, AdamW, betas, Muon, learning rate, weight decay, evaluation, sample, "
        "probe, memorising, seed, precision, checkpoint, residual stream, run"
    ),
    "Train": (
        "token, token ID, vocabulary, byte-pair encoding, end of text, context length, window, "
        "stride, batch, GPT, parameters, embedding, transformer block, attention, head, residual "
        "connection, rotary positions, tied head, initialization, dropout, loss, nat, perplexity, "
        "uniform guess, bits per byte, token accuracy, unigram, bigram, floor, exact answers, "
        "training loss, validation loss, run, preset, step, epoch, tokens seen, gradient, "
        "gradient norm, AdamW, betas, Muon, learning rate, weight decay, evaluation, sample, "
        "probe, memorising, seed, precision, checkpoint, prompt, residual stream"
    ),
    "Generate": (
        "token, end of text, GPT, parameters, logits, run, step, epoch, seed, checkpoint, "
        "prompt, decoding, greedy, temperature, top-k, top-p"
    ),
    "Weights": (
        "token, GPT, parameters, embedding, transformer block, head, loss, validation "
        "loss, run, step, epoch, AdamW, evaluation, seed, checkpoint, pretrained"
    ),
    "Inside": (
        "token, token ID, vocabulary, inputs and targets, GPT, parameters, embedding, transformer "
        "block, attention, head, residual connection, layer norm, logits, softmax, loss, "
        "perplexity, run, step, epoch, AdamW, learning rate, seed, checkpoint, residual stream, "
        "logit lens, direct logit attribution, ablation, attention weights, induction head, "
        "cosine similarity, principal component analysis"
    ),
    "Classroom": (
        "GPT, transformer block, loss, perplexity, validation loss, run, preset, step, "
        "epoch, learning rate, sample"
    ),
}
ON_PAGE = {page: tuple(words.split(", ")) for page, words in _ON_PAGE.items()}


def as_html(terms: Iterable[Term], with_links: bool = False) -> str:
    """Return terms and their meanings as an HTML definition list.

    Args:
        terms: the terms, in the order of the list.
        with_links: add a link to the page that shows each term.
    """
    items = "".join(
        f"<dt>{html.escape(term.name)}</dt><dd>{html.escape(term.meaning)}"
        + (f' <a href="{term.page.lower()}" target="_self">{term.page}</a>' if with_links else "")
        + "</dd>"
        for term in terms
    )
    return f'<dl class="gpt-words">{items}</dl>'
