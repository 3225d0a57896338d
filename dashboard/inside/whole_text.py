"""The whole text that the page Inside looks at: a run's own, one of the library, or the page's."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import streamlit as st
import torch
from torch import Tensor

from dashboard.app import get_store, get_visible_runs, remember, session_keys, show_refusal
from dashboard.forms import choose_corpus
from dashboard.inside.reading import Reading
from gpt_core.config import TrainingConfig
from gpt_core.store import Run
from gpt_core.text import Corpus, token_cache_in
from gpt_core.training import encode_splits

LENGTHS = (250, 500, 1_000, 2_500, 5_000)  # tokens
DEFAULT_LENGTH = 500
RUNS_TEXT, LIBRARY_TEXT, OWN_TEXT = "The run's own", "One of the library", "The text above"
PARTS = ("Training part", "Validation part")


@dataclass(frozen=True)
class Counts:
    """How often each token occurs in the training part of a text."""

    name: str  # the text's
    vocabulary: str  # whose tokens are counted
    of: Tensor  # (vocab_size,)
    part_lengths: tuple[int, int]  # tokens of the training and of the validation part

    def most_frequent(self, k: int) -> list[int]:
        """Return the IDs of the k most frequent tokens, the most frequent first."""
        order = torch.sort(self.of, descending=True, stable=True).indices[:k]  # (k,)
        return order[self.of[order] > 0].tolist()


@dataclass(frozen=True)
class WholeText:
    """Tokens that follow each other in a text."""

    name: str  # which they are, in words
    ids: Tensor  # (T,), T at least 2
    is_training: bool  # whether they are of the training part
    counts: Counts | None  # of the text; None of the page's own, unless a run's are known


@dataclass(frozen=True)
class _Source:
    """A text that is not read before something about it must be computed."""

    name: str
    sha256: str
    config: TrainingConfig  # how it is split and encoded
    read: Callable[[], str]

    def count(self, reading: Reading) -> Counts:
        """Return the counts of its tokens."""
        return remember(reading.model, "counts", self._key, lambda: self._count(reading))

    def slice(self, reading: Reading, part: int, start: int, length: int) -> Tensor:
        """Return some of the tokens of a part, (length,)."""
        return remember(
            reading.model,
            "slices",
            (*self._key, part, start, length),
            lambda: self._encode(reading)[part][start : start + length].clone(),
        )

    @property
    def _key(self) -> tuple[str, float, bool]:
        return self.sha256, self.config.train_ratio, self.config.end_of_text

    def _count(self, reading: Reading) -> Counts:
        train_ids, val_ids = self._encode(reading)
        of = torch.bincount(train_ids, minlength=reading.tokenizer.n_vocab)  # (vocab_size,)
        return Counts(self.name, reading.model.vocabulary, of, (len(train_ids), len(val_ids)))

    def _encode(self, reading: Reading) -> tuple[Tensor, Tensor]:
        cache = token_cache_in(get_store().runs_dir)
        return encode_splits(self.read(), reading.tokenizer, self.config, cache)


def choose_whole_text(reading: Reading) -> WholeText | None:
    """Let the user choose a text, its part and its length; None after saying what is missing."""
    st.session_state.pop(session_keys.INSIDE_COUNTS, None)  # another text may be chosen now
    run = run_of_model()
    sources = [*[RUNS_TEXT] * (run is not None), LIBRARY_TEXT, OWN_TEXT]
    if st.session_state.get(session_keys.INSIDE_SOURCE) not in sources:
        st.session_state[session_keys.INSIDE_SOURCE] = sources[0]
    chosen = st.segmented_control(
        "Which text",
        sources,
        required=True,
        key=session_keys.INSIDE_SOURCE,
        persist_state="session",
    )
    try:
        if chosen == OWN_TEXT:
            counts = training_counts(reading)
            return WholeText("The text above", reading.ids[0], False, counts)
        source = _of_run(run) if run and chosen == RUNS_TEXT else _of_library(choose_corpus())
        if source is None:
            return None
        whole = _choose_part(reading, source)
        st.session_state[session_keys.INSIDE_COUNTS] = whole.counts
        return whole
    except ValueError as error:
        show_refusal(error)
        return None


def training_counts(reading: Reading) -> Counts | None:
    """Return the counts of the text that is chosen, or of the run's; None if there is neither.

    A run's text may be missing, or too large to be read at once: then there are none of it.
    """
    kept = st.session_state.get(session_keys.INSIDE_COUNTS)
    if isinstance(kept, Counts) and kept.vocabulary == reading.model.vocabulary:
        return kept
    run = run_of_model()
    with suppress(ValueError):
        return _of_run(run).count(reading) if run else None
    return None


def run_of_model() -> Run | None:
    """Return the run whose model is chosen; None if it is no run's, or its text is private."""
    choice = st.session_state.get(session_keys.WALK_MODEL)
    run = get_visible_runs().run(choice) if choice else None
    return None if run is None or run.is_redacted else run


def _of_run(run: Run) -> _Source:
    def read() -> str:
        return get_store().text(run.text_sha256)

    return _Source(run.text_name, run.text_sha256, run.training_config, read)


def _of_library(corpus: Corpus | None) -> _Source | None:
    if corpus is None:
        return None
    return _Source(corpus.name, corpus.sha256, TrainingConfig(), lambda: corpus.text)


def _choose_part(reading: Reading, source: _Source) -> WholeText:
    """Let the user choose which tokens of a text are shown.

    Raises:
        ValueError: the chosen part is too short, or the text cannot be read.
    """
    with st.spinner("Encoding the text…"):
        counts = source.count(reading)
    with st.container(horizontal=True):
        name = st.segmented_control(
            "Part",
            PARTS,
            default=PARTS[0],
            required=True,
            key=session_keys.INSIDE_PART,
            persist_state="session",
        )
        length = st.selectbox(
            "Tokens",
            LENGTHS,
            LENGTHS.index(DEFAULT_LENGTH),
            format_func=lambda tokens: f"{tokens:,}",
            key=session_keys.INSIDE_LENGTH,
            persist_state="session",
            width=130,
        )
        part = PARTS.index(name or PARTS[0])
        size = counts.part_lengths[part]
        first = 1
        if size > length:
            first = st.number_input(
                "From token",
                1,
                size - length + 1,
                step=min(length, size - length),
                key=f"{session_keys.INSIDE_START}-{source.sha256[:8]}-{part}-{length}",
                width=170,
            )
    if size < 2:
        raise ValueError(
            f"The {PARTS[part].lower()} of {source.name} has fewer than two tokens: choose a "
            "longer text."
        )
    ids = source.slice(reading, part, first - 1, length).long()  # (T,)
    which = f"tokens {first:,} to {first + len(ids) - 1:,} of {size:,}"
    return WholeText(f"{source.name}, {PARTS[part].lower()}, {which}", ids, part == 0, counts)
