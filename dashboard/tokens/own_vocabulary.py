"""A vocabulary as it is learnt from a text: its merges in order, and a sentence after each."""

from dataclasses import dataclass, field

import streamlit as st

from dashboard.app import session_keys
from dashboard.charts import count
from dashboard.components.token_chips import readable, token_chips
from dashboard.forms import choose_corpus, vocabulary
from dashboard.ui import show_numbers, show_table
from gpt_core.system import printable
from gpt_core.text import Corpus, count_tokens
from gpt_core.vocabularies import (
    SINGLE_BYTES,
    CharacterTokenizer,
    Tokenizer,
    count_merges,
    describe_unknown,
    encode_corpus,
    get_tokenizer,
    learn_merges,
    merges_tokenizer,
    text_to_token_ids,
)

STEPS = (0, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)  # merges after which one can stop and look
FIRST_SHOWN = 200
MAX_TEXT = 1_000_000  # characters that are learnt from here; a run learns from its whole split
MAX_SENTENCE = 400  # characters that are drawn in each vocabulary
LEARNING = "Learning the vocabulary…"
LISTED = 8  # merges before the chosen place


@dataclass(frozen=True)
class Learnt:
    """What was learnt from a text, kept for the session."""

    text_sha256: str
    merges: list[tuple[bytes, bytes]]
    counts: list[int]  # how often each pair occurred when it was merged
    characters: CharacterTokenizer  # of the text
    # The text's most frequent tokens and their counts, by the merges made: counted when looked at.
    frequent: dict[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)


def show_own_vocabulary(sentence: str) -> None:
    """Let the user choose a text, and move through the merges learnt from it."""
    with st.container(border=True):
        corpus = choose_corpus()
    if corpus is None:
        return
    learnt = _learn(corpus)
    available = [n for n in STEPS if n < len(learnt.merges)] + [len(learnt.merges)]
    chosen = st.session_state.get(session_keys.MERGES, FIRST_SHOWN)
    st.session_state[session_keys.MERGES] = min(available, key=lambda n: abs(n - chosen))
    merges = st.select_slider(
        "Merges learnt so far", available, format_func="{:,}".format, key=session_keys.MERGES
    )
    tokenizer = merges_tokenizer(learnt.merges[:merges])
    sentence = sentence[:MAX_SENTENCE]
    if not sentence:
        st.text("Type a sentence of your own at the top of the page: it is drawn here.")
        return
    _show_sentence(sentence, tokenizer, SINGLE_BYTES + _before(merges, available))
    _show_merges(learnt, merges)
    st.subheader("One sentence in three vocabularies")
    _compare(sentence, learnt, tokenizer)
    _show_frequent(learnt, merges, corpus, tokenizer)


def _learn(corpus: Corpus) -> Learnt:
    """Return what is learnt from a text, learning it if it is another one than before."""
    kept = st.session_state.get(session_keys.LEARNT)
    if isinstance(kept, Learnt) and kept.text_sha256 == corpus.sha256:
        return kept
    text = corpus.text[:MAX_TEXT]
    bar = st.progress(0.0, text=LEARNING)

    def report(fraction: float) -> None:
        bar.progress(fraction, text=LEARNING)

    merges = learn_merges(text, STEPS[-1], on_progress=report)
    learnt = Learnt(corpus.sha256, merges, count_merges(text, merges), CharacterTokenizer(text))
    bar.empty()
    st.session_state[session_keys.LEARNT] = learnt
    return learnt


def _before(merges: int, available: list[int]) -> int:
    """Return the place on the slider before this one."""
    return max((n for n in available if n < merges), default=0)


def _show_sentence(sentence: str, tokenizer: Tokenizer, newest: int) -> None:
    """Show the sentence in the tokens learnt so far; those learnt since the last place framed."""
    ids = text_to_token_ids(sentence, tokenizer, allow_special=False)[0].tolist()
    show_numbers(
        {
            "Vocabulary size": f"{tokenizer.n_vocab:,}",
            "Tokens of your sentence": f"{len(ids):,}",
            "Characters per token": f"{len(sentence) / len(ids):.2f}",
        }
    )
    token_chips(
        ids,
        label="Your sentence in the tokens learnt so far",
        key="learnt-sentence",
        marks=["new" if token_id >= newest > SINGLE_BYTES - 1 else "" for token_id in ids],
        tokenizer=tokenizer,
    )
    st.caption(
        "At first each byte is a token. Then, again and again, the pair of neighbours that occurs "
        "most often in the text becomes one token. Framed: learnt since the place before on the "
        "slider."
    )


def _show_merges(learnt: Learnt, merges: int) -> None:
    """Show the last merges before the chosen place, with how often each pair occurred."""
    if not merges:
        return
    first = max(0, merges - LISTED)
    show_table(
        [
            {
                "Merge": number + 1,
                "Left": readable(learnt.merges[number][0]),
                "Right": readable(learnt.merges[number][1]),
                "New token": readable(b"".join(learnt.merges[number])),
                "Times in the text": learnt.counts[number],
            }
            for number in range(first, merges)
        ]
    )


def _compare(sentence: str, learnt: Learnt, own: Tokenizer) -> None:
    """Show the sentence in GPT-2's tokens, in the text's own byte pairs and in its characters."""
    named = {
        "GPT-2's": get_tokenizer(),
        "Byte pairs of the chosen text": own,
        "Characters of the chosen text": learnt.characters,
    }
    for name, tokenizer in named.items():
        ids = text_to_token_ids(sentence, tokenizer, allow_special=False)[0].tolist()
        st.markdown(
            f"**{name}**: {tokenizer.n_vocab:,} tokens; the sentence takes "
            f"{count(len(ids), 'token')}"
        )
        token_chips(ids, label=f"{name}: your sentence", key=f"in {name}", tokenizer=tokenizer)
    if unknown := describe_unknown(sentence, learnt.characters, "The sentence"):
        st.text(printable(unknown))
    st.caption(
        "A large vocabulary makes texts short, but each token is a row of the model's two largest "
        "tables and must occur often enough to be learnt. A small one gives a small, fast model "
        "that sees fewer words at once."
    )


def _show_frequent(learnt: Learnt, merges: int, corpus: Corpus, own: Tokenizer) -> None:
    """Show the text's most frequent tokens after the merges made so far."""
    st.subheader("The text's most frequent tokens, in its byte pairs")
    if merges not in learnt.frequent:
        text = corpus.text[:MAX_TEXT]
        statistics = count_tokens(text, encode_corpus(text, own), own)
        learnt.frequent[merges] = statistics.most_frequent
    label = "The most frequent tokens of the chosen text"
    vocabulary.show_frequent(learnt.frequent[merges], own, label, "own-frequent")
