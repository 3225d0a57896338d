"""What a run's model writes, sample by sample, and how much of it is copied."""

import numpy as np
import streamlit as st

from dashboard.app import (
    current_actor,
    get_cached_store,
    get_store,
    is_projected,
    may_change,
    session_keys,
)
from dashboard.charts import Panel, count, palette, small_charts
from dashboard.components.live_chart import live_chart
from dashboard.components.sample_list import describe_copying, sample_entries, sample_list
from dashboard.ui import share_toggle
from gpt_core.access import is_open
from gpt_core.analysis import MIN_COPIED_TOKENS, CachedHistory, Copying
from gpt_core.library import share_run
from gpt_core.store import Run, Share, ShareKind
from gpt_core.text import right_answer

MAX_SHOWN = 12


def show_latest_sample(run: Run, history: CachedHistory) -> None:
    """Show the newest sample, with what is copied marked."""
    if run.is_redacted:
        st.text(
            "Its text or the weights it began with are private, and what it writes may reveal "
            "them: its curves are for all, the rest for its owner and the teacher."
        )
        return
    st.header("What it writes")
    samples = history.recorded.samples
    if not samples:
        st.text(f"After each epoch it continues “{run.training_config.start_context}”.")
    else:
        entries = history.derive(
            ("entries", 1), lambda: sample_entries(samples[-1:], history), "samples"
        )
        sample_list(entries, "The latest sample", key="latest")
        copying = samples[-1].copying
        at_least = copying.at_least if copying else MIN_COPIED_TOKENS
        st.caption(
            "Marked: characters of an answer that are wrong, and dots for those that are missing."
            if right_answer(samples[-1].start_context) is not None
            else f"Marked: spans of at least {at_least} tokens that are word for word in "
            "the training text. The prompt is pale."
        )
    if not is_projected():
        show_sharing(run)


def show_earlier_samples(run: Run, history: CachedHistory) -> None:
    """Show the samples before the latest, the newest first, and how much of each is copied."""
    earlier = history.recorded.samples[:-1]
    if not earlier:
        return
    st.header("What it wrote before")
    shown = earlier if st.session_state.get(session_keys.ALL_SAMPLES) else earlier[-MAX_SHOWN:]
    entries = history.derive(
        ("earlier", len(shown)), lambda: sample_entries(shown, history), "samples"
    )
    sample_list(entries, "Earlier samples, the newest first", key="samples")
    if len(earlier) > MAX_SHOWN:
        st.toggle(f"All {count(len(earlier), 'earlier sample')}", key=session_keys.ALL_SAMPLES)
    _show_copying(run, history)


def show_sharing(run: Run) -> None:
    """Let the owner of a private run show it to the class."""
    shared = get_cached_store().shared()
    is_shared = Share(ShareKind.RUN, run.id, run.owner) in shared
    if not may_change(run.owner) or (is_open(run, shared) and not is_shared):
        return
    share_toggle(
        "Share this run with the class",
        f"share {run.id}",
        is_shared,
        lambda shared: share_run(get_store(), run.id, shared, actor=current_actor()),
        "Its text or the weights it began with are private, so the class sees only its curves. "
        "Shared, everybody also sees its samples, its text and its weights, and may download them.",
    )


def _show_copying(run: Run, history: CachedHistory) -> None:
    """Draw how much of each sample is copied, by steps."""
    measured = [(s.global_step, s.copying) for s in history.recorded.samples if s.copying]
    if len(measured) > 1:
        _, last = measured[-1]
        live_chart(
            history.derive("copying", lambda: _draw_copying(run, measured), "samples"),
            f"How much of each sample is copied. Of the last: {describe_copying(last)}.",
            key="copying",
        )


def _draw_copying(run: Run, measured: list[tuple[int, Copying]]) -> str:
    steps = np.array([float(step) for step, _ in measured])
    fractions = np.array([copying.fraction for _, copying in measured])
    longest = np.array([float(copying.longest) for _, copying in measured])
    panels = [
        Panel("Copied fraction", steps, fractions, palette.COPIED, ".0%"),
        Panel("Longest span, tokens", steps, longest, palette.COPIED),
    ]
    return str(small_charts(panels, "Step", run.id).to_json())
