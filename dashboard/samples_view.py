"""What a run's model writes, sample by sample, and how much of it is learnt by heart."""

import re
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import streamlit as st

from dashboard import palette, state
from dashboard.charts import Panel, small_charts
from dashboard.frames import count, format_loss
from dashboard.live_chart import live_chart
from dashboard.people import current_actor, may_change
from dashboard.runtime import get_board, get_store
from dashboard.timeline import Entry, Piece, timeline
from dashboard.widgets import share_toggle
from gpt_core.access import is_open
from gpt_core.analysis import COPIED_AT_LEAST, Copying, RunHistory
from gpt_core.library import share_run
from gpt_core.store import Row, Run, class_store
from gpt_core.vocabularies import get_tokenizer, text_to_token_ids

MOST_SHOWN = 12
LINE_BREAKS = re.compile(r"\n{3,}")


def show_samples(run: Run, history: RunHistory) -> None:
    """Show the samples, the newest first, and how much of them is copied."""
    samples = history.samples
    if run.is_veiled:
        st.text(
            "What it writes may give its text away, which is private: its curves are for all, the "
            "rest for its owner and the teacher."
        )
        return
    show_sharing(run)
    if not samples:
        st.text(f"After each epoch it goes on from “{run.training_config.start_context}”.")
        return
    st.caption(
        f"Marked: runs of at least {COPIED_AT_LEAST} tokens that stand word for word in the "
        "training text. The prompt is pale."
    )
    shown = samples if st.session_state.get(state.ALL_SAMPLES) else samples[-MOST_SHOWN:]
    if state.is_projected():
        shown = samples[-1:]
    entries = history.once(("entries", len(shown)), lambda: _entries(shown, history), "samples")
    timeline(entries, "Samples, the newest first", key="samples")
    if state.is_projected():
        return
    if len(samples) > MOST_SHOWN:
        st.toggle(f"All {len(samples):,} samples", key=state.ALL_SAMPLES)
    _show_copying(run, history)


def show_sharing(run: Run) -> None:
    """Let the owner of a private run show it to the class."""
    shared = get_board().shared()
    is_shared = (class_store.RUN, run.id, run.owner) in shared
    if not may_change(run.owner) or (is_open(run, shared) and not is_shared):
        return
    share_toggle(
        "Show the class what it writes",
        f"share {run.id}",
        is_shared,
        lambda shared: share_run(get_store(), run.id, shared, current_actor()),
        "Its text or its first weights are private. So the others see its curves, and only its "
        "owner and the teacher its samples, its text and its weights.",
    )


def _entries(samples: list[Row], history: RunHistory) -> list[Entry]:
    """Return the samples, the newest first, each with the last losses before it."""
    evaluated = history.evaluations["global_step"]
    entries = []
    for sample in reversed(samples):
        before = int(np.searchsorted(evaluated, sample["global_step"], "right")) - 1
        entries.append(_entry(sample, history.evaluations[before] if before >= 0 else None))
    return entries


def last_sample(history: RunHistory, heading: str) -> Entry | None:
    """Return a run's newest sample, if it has one, under a heading of the caller's."""
    if not history.samples:
        return None
    [entry] = history.once(
        ("entries", 1), lambda: _entries(history.samples[-1:], history), "samples"
    )
    return replace(entry, heading=heading, note=f"{entry.heading}, {entry.note}")


def _entry(sample: Row, losses: Any) -> Entry:
    note = f"step {sample['global_step']:,}"
    if losses is not None:
        train_loss, val_loss = format_loss(losses["train_loss"]), format_loss(losses["val_loss"])
        note += f" · training {train_loss}, validation {val_loss}"
    copying: Copying | None = sample["copying"]
    if copying is not None:
        note += f" · {describe_copying(copying)}"
    pieces = marked(sample["text"], copying)
    return Entry(f"Epoch {sample['epoch']}", note, pieces)


def describe_copying(copying: Copying) -> str:
    """Say how much is copied, and how long the longest run of it is."""
    if not copying.runs:
        return "nothing copied"
    return f"{copying.share:.0%} copied, the longest run {count(copying.longest, 'token')}"


def marked(text: str, copying: Copying | None) -> list[Piece]:
    """Return a text in pieces: its prompt, what is copied, and the rest."""
    if copying is None:
        return [Piece(on_few_lines(text))]
    ids = text_to_token_ids(text, get_tokenizer())[0].tolist()
    pieces = []
    # Two runs that touch or overlap are two: together they stand nowhere.
    for (run, is_prompt), group in groupby(
        range(len(ids)), key=lambda i: (copying.run_of[i], i < copying.prompt_tokens)
    ):
        kind = "prompt" if is_prompt else "" if run is None else "copied"
        words = get_tokenizer().decode([ids[i] for i in group])
        pieces.append(Piece(on_few_lines(words), kind))
    return pieces


def on_few_lines(text: str) -> str:
    """Say how often a model that repeats itself breaks the line, instead of doing it."""
    return LINE_BREAKS.sub(lambda breaks: f" ↵ × {len(breaks[0])} ", text)


def _show_copying(run: Run, history: RunHistory) -> None:
    """Draw over the steps how much of the samples is copied."""
    measured = [sample for sample in history.samples if sample["copying"] is not None]
    if len(measured) > 1:
        last: Copying = measured[-1]["copying"]
        live_chart(
            history.once("copying", lambda: _draw_copying(run, measured), "samples"),
            f"How much of each sample is copied. Of the last: {describe_copying(last)}.",
            key="copying",
        )


def _draw_copying(run: Run, samples: list[Row]) -> str:
    steps = np.array([float(sample["global_step"]) for sample in samples])
    shares = np.array([sample["copying"].share for sample in samples])
    longest = np.array([float(sample["copying"].longest) for sample in samples])
    panels = [
        Panel("Share of the sample that is copied", steps, shares, palette.COPIED, ".0%"),
        Panel("Longest copied run, tokens", steps, longest, palette.COPIED),
    ]
    return str(small_charts(panels, "Step", run.id).to_json())
