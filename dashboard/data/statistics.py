"""The statistics of a text's tokens, and its split."""

import streamlit as st
from torch import Tensor, cat

from dashboard.app import session_keys
from dashboard.components.token_chips import token_chips
from dashboard.forms import vocabulary
from dashboard.ui import show_code, show_numbers, show_table
from gpt_core.presets import Preset
from gpt_core.text import (
    ENGLISH_TOKENS_PER_CHARACTER,
    Corpus,
    TokenStatistics,
    count_tokens,
    grammar,
    has_problems,
    has_stories,
    split_text,
)
from gpt_core.vocabularies import Tokenizer


def show_statistics(statistics: TokenStatistics, tokenizer: Tokenizer) -> None:
    """Show how many tokens a text has, which ones, and what its script costs."""
    show_numbers(
        {
            "Characters": f"{statistics.characters:,}",
            "Tokens": f"{statistics.tokens:,}",
            "Different tokens": f"{statistics.distinct:,}",
            "Of the vocabulary": f"{100 * statistics.distinct / tokenizer.n_vocab:.1f}%",
            "Tokens per character": f"{statistics.tokens_per_character:.2f}",
        }
    )
    times = statistics.tokens_per_character / ENGLISH_TOKENS_PER_CHARACTER
    if tokenizer.name != "gpt2":
        st.caption(
            f"GPT-2's vocabulary takes about {ENGLISH_TOKENS_PER_CHARACTER} tokens per character "
            "of English prose."
        )
    elif times > 1.3:
        st.text(
            f"{times:.1f} times as many tokens per character as English prose "
            f"({ENGLISH_TOKENS_PER_CHARACTER}): GPT-2's vocabulary was learnt from web pages, "
            "nearly all English. Other languages and scripts, long numbers, and the indentation "
            "and symbols of code take more tokens, down to one per byte. A window of the same "
            "length holds less of this text."
        )
    else:
        st.caption(
            f"English prose takes about {ENGLISH_TOKENS_PER_CHARACTER} tokens per character."
        )
    st.subheader("Its most frequent tokens")
    vocabulary.show_frequent(
        statistics.most_frequent, tokenizer, "The most frequent tokens", "frequent"
    )
    st.subheader("Its longest tokens")
    token_chips(
        list(statistics.longest), label="The longest tokens", key="longest", tokenizer=tokenizer
    )


def show_split(corpus: Corpus, preset: Preset, train_tokens: int, val_tokens: int) -> None:
    """Show where the text is cut in two, with the words around the cut."""
    train, val = split_text(corpus.text, preset.training.train_ratio)
    show_table(
        [
            {"part": "training", "characters": len(train), "tokens": train_tokens},
            {"part": "validation", "characters": len(val), "tokens": val_tokens},
        ]
    )
    st.text(f"The cut: “…{' '.join(train[-120:].split())}” | “{' '.join(val[:120].split())}…”")
    cut = "By characters, as in the chapter"
    if has_stories(corpus.text) or has_problems(corpus.text):
        cut = "Between two stories or problems, so that none is cut in two"
    st.caption(
        f"{cut}: the model learns from the text before the cut. Its validation loss is measured on "
        "the text after it, which it never learns from."
    )


def show_grammar(corpus: Corpus) -> None:
    """Say what is known of stories that our grammar wrote, and show its rules and its code."""
    if not has_stories(corpus.text):
        return
    st.text(
        "These stories were written by choosing, again and again, among equally likely "
        "alternatives, and each can be read in one way only: so its probability p is known. On "
        f"average −log₂ p is {grammar.story_entropy():.1f} bits, the entropy of a story, and no "
        "model can predict them with fewer."
    )
    rules = st.expander("The rules of the grammar", key=session_keys.GRAMMAR, on_change="rerun")
    if rules.open:  # sent only when open
        rules.code(grammar.GRAMMAR_FILE.read_text(encoding="utf-8"), language=None, height=480)
    show_code(grammar.write, grammar.read, grammar.entropy)


def statistics_of(
    corpus: Corpus, train_ids: Tensor, val_ids: Tensor, tokenizer: Tokenizer
) -> TokenStatistics:
    """Return the token statistics of a text: of both parts, as encoded for training."""
    return count_tokens(corpus.text, cat((train_ids, val_ids)), tokenizer)
