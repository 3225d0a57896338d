"""Samples → entries of the list, with copied spans as separate pieces."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from dashboard.charts import count, format_loss
from gpt_core.analysis import CachedHistory, Copying, MeasuredSample
from gpt_core.text import right_answer
from gpt_core.vocabularies import decode_parts, text_to_token_ids

LINE_BREAKS = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class Piece:
    """A part of a text.

    ``kind`` is "prompt", "copied", "wrong", or "" for the model's own words.
    """

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Entry:
    """One text of the list."""

    heading: str  # when it was generated
    note: str  # its measurements
    pieces: Sequence[Piece]


def sample_entries(samples: Sequence[MeasuredSample], history: CachedHistory) -> list[Entry]:
    """Return the samples as entries, newest first, each with the last losses before it."""
    evaluated = history.recorded.evaluations["global_step"]
    entries = []
    for sample in reversed(samples):
        before = int(np.searchsorted(evaluated, sample.global_step, "right")) - 1
        entries.append(
            _entry(sample, history.recorded.evaluations[before] if before >= 0 else None)
        )
    return entries


def last_sample(history: CachedHistory, heading: str) -> Entry | None:
    """Return a run's newest sample under the given heading; None if it has no samples."""
    if not history.recorded.samples:
        return None
    [entry] = history.derive(
        ("entries", 1), lambda: sample_entries(history.recorded.samples[-1:], history), "samples"
    )
    return replace(entry, heading=heading, note=f"{entry.heading}, {entry.note}")


def _entry(sample: MeasuredSample, losses: Any) -> Entry:
    note = f"step {sample.global_step:,}"
    if losses is not None:
        train_loss, val_loss = format_loss(losses["train_loss"]), format_loss(losses["val_loss"])
        measured = int(losses["global_step"])
        at = "" if measured == sample.global_step else f" at step {measured:,}"
        note += f" · training {train_loss}, validation {val_loss}{at}"
    copying: Copying | None = sample.copying
    if copying is not None:
        note += f" · {describe_copying(copying)}"
    pieces = marked(sample.text, copying)
    if right_answer(sample.start_context) is not None:
        pieces = marked_answers(sample.text, sample.start_context)
    return Entry(f"Epoch {sample.epoch}", note, pieces)


def describe_copying(copying: Copying) -> str:
    """Return in words the copied fraction and the length of the longest copied span."""
    if not copying.spans:
        return f"no span of {copying.at_least} tokens copied"
    return f"{copying.fraction:.0%} copied, the longest span {count(copying.longest, 'token')}"


def marked(text: str, copying: Copying | None) -> list[Piece]:
    """Return a text in pieces: its prompt, the copied spans, and the rest."""
    if copying is None:
        return [Piece(on_few_lines(text))]
    ids = text_to_token_ids(text, copying.tokenizer)[0].tolist()
    kinds, parts = [], []
    # Spans that touch or overlap stay apart: as one they are not in the training text.
    for (run, is_prompt), group in groupby(
        range(len(ids)), key=lambda i: (copying.span_of[i], i < copying.prompt_tokens)
    ):
        kinds.append("prompt" if is_prompt else "" if run is None else "copied")
        parts.append([ids[i] for i in group])
    # A span may begin or end within a character, which is shown whole.
    texts = decode_parts(parts, copying.tokenizer)
    return [Piece(on_few_lines(words), kind) for words, kind in zip(texts, kinds, strict=True)]


def marked_answers(text: str, prompt: str) -> list[Piece]:
    """Return a text of problems in pieces: its prompt, and the wrong characters of answers.

    A dot stands for each character that is missing.
    """
    pieces: list[Piece] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        found = right_answer(line)
        start, right = found or (len(line), "")
        is_prompt = number == 0 and line[:start] == prompt
        pieces.append(Piece(line[:start], "prompt" if is_prompt else ""))
        answer = line[start:]
        if number < len(lines) - 1:  # the last line may go on
            answer = answer.ljust(len(right), "·")
        for i, character in enumerate(answer):
            pieces.append(Piece(character, "" if right[i : i + 1] == character else "wrong"))
        pieces.append(Piece("\n"))
    return [
        Piece(on_few_lines("".join(piece.text for piece in group)), kind)
        for kind, group in groupby(pieces[:-1], key=lambda piece: piece.kind)
    ]


def on_few_lines(text: str) -> str:
    """Replace three or more line breaks in a row by their number."""
    return LINE_BREAKS.sub(lambda breaks: f" ↵ × {len(breaks[0])} ", text)
