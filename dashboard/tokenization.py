"""The parts of the Tokens page: a text's tokens and back, merges, inputs and targets."""

import math
import re

import streamlit as st
from torch import Tensor, tensor

from dashboard import palette, state, widgets
from dashboard.frames import count
from dashboard.refusals import show_refusal
from dashboard.token_chips import Row, Scale, readable, token_chips
from gpt_core.system import visible
from gpt_core.text import TokenWindows
from gpt_core.vocabularies import (
    END_OF_TEXT,
    TOY_PROBAS,
    TOY_VOCABULARY,
    byte_ids,
    byte_pair_merges,
    get_tokenizer,
    split_words,
    text_to_token_ids,
    token_ids_to_text,
    toy_argmax,
    toy_ids,
)

MOST_CHARACTERS = 10_000  # of a text that is shown token by token
LONGEST_WORD = 32  # bytes of a word whose merges are shown one by one
LONGEST_WINDOW = 12
MOST_CHIPS = 4000  # tokens drawn; an emoji or a rare script takes several per character
MOST_IDS = 1000
END_OF_TEXT_ID = 50256
FREQUENCY = Scale("joined late", "joined early, or a single byte")


def show_toy() -> None:
    """Show the seven-word vocabulary, three words as IDs, and what comes most probably next."""
    sentence = " ".join(TOY_PROBAS)
    guesses = {word: toy_argmax(word) for word in TOY_PROBAS}
    st.markdown(
        f"In a vocabulary of seven words, “{sentence}” is "
        f"**{' '.join(map(str, toy_ids(sentence)))}**. After each word a model answers with a "
        "probability for each of the seven, and each row sums to 1. The most probable ones, "
        f"framed, are **{' '.join(map(str, guesses.values()))}**: "
        f"“{' '.join(TOY_VOCABULARY[i] for i in guesses.values())}”."
    )
    head = "".join(
        f'<th scope="col">{word}<br><span class="id">{i}</span></th>'
        for i, word in enumerate(TOY_VOCABULARY)
    )
    body = "".join(
        f'<tr><th scope="row">after “{word}”</th>'
        + "".join(
            f'<td class="{"most" if i == guesses[word] else ""}" style="--strength: {proba}">'
            f"{proba:.2f}</td>"
            for i, proba in enumerate(row)
        )
        + "</tr>"
        for word, row in TOY_PROBAS.items()
    )
    st.html(
        f'<div class="gpt-toy" style="--predicted: {palette.PREDICTED}"><table>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    widgets.slip(
        "“IDs 0 to 7 for seven words”: counted from 0, the largest is 6; of GPT-2's 50,257 tokens "
        "it is 50256."
    )


def enter_text() -> tuple[str, Tensor, bool]:
    """Let the user enter a text; return it, its token IDs (N,), and if special tokens count."""
    text = st.text_area(
        "Your text",
        "Every effort moves you",
        height=110,
        key=state.TOKENS_TEXT,
        persist_state="session",
    )
    allow_special = st.toggle(
        "Read <|endoftext|> as the special token",
        value=True,
        key=state.ALLOW_SPECIAL,
        persist_state="session",
        help="GPT-2's mark between two texts, ID 50256. Off: thirteen characters like any others.",
    )
    text = text or ""
    if len(text) > MOST_CHARACTERS:
        st.text(
            f"The text has {len(text):,} characters. Shown and counted are the first "
            f"{MOST_CHARACTERS:,}; a whole book belongs on the Data page."
        )
        text = text[:MOST_CHARACTERS]
    return text, text_to_token_ids(text, get_tokenizer(), allow_special)[0], allow_special


def show_tokens(text: str, token_ids: Tensor) -> None:
    """Show a text's tokens as chips, and how many characters, bytes and words they are."""
    if not len(token_ids):
        st.text("Type something: its tokens appear here.")
        return
    words = len(text.split())
    widgets.show_numbers(
        {
            "Characters": f"{len(text):,}",
            "Bytes (UTF-8)": f"{len(text.encode()):,}",
            "Tokens": f"{len(token_ids):,}",
            "Tokens per word": f"{len(token_ids) / words:.2f}" if words else "–",
        }
    )
    if len(token_ids) > MOST_CHIPS:
        st.text(f"Drawn are the first {MOST_CHIPS:,} tokens.")
    ids = token_ids[:MOST_CHIPS].tolist()
    token_chips(
        ids,
        label="The tokens of your text",
        key="text-tokens",
        strengths=[1 - math.log(token_id + 1) / math.log(50257) for token_id in ids],
        scale=FREQUENCY,
        marks=["special" if token_id == END_OF_TEXT_ID else "" for token_id in ids],
    )
    st.caption(
        "Point at a token, or move with the arrow keys: its bytes, and which of the 50,000 merges "
        "made it. A dot stands for a space: most words carry the one before them."
    )


def show_ids_to_text() -> None:
    """Let the user enter IDs and show the text that they spell."""
    entered = st.text_input(
        "Token IDs",
        "6109 3626 6100 345 34245 5139 2492 25405 17434 17853 5308 3398 13174 43071",
        key=state.IDS_TEXT,
        persist_state="session",
        help="Whole numbers from 0 to 50256, separated by spaces or commas.",
    )
    try:
        ids = parse_ids(entered or "")
        text = token_ids_to_text(tensor(ids), get_tokenizer())
    except ValueError as error:
        show_refusal(error)
        return
    if ids:
        token_chips(ids, label="The tokens of these IDs", key="id-tokens")
    st.code(text, language=None, wrap_lines=True)


def parse_ids(entered: str) -> list[int]:
    """Return the token IDs in a line such as ``6109, 3626`` or ``[6109 3626]``.

    Raises:
        ValueError: something else than digits stands there, or there are too many.
    """
    words = re.split(r"[\s,;\[\]()]+", entered)
    words = [word for word in words if word]
    if len(words) > MOST_IDS:
        raise ValueError(f"{len(words):,} IDs are more than the {MOST_IDS:,} that are shown here.")
    for word in words:
        if not re.fullmatch(r"-?\d{1,18}", word, re.ASCII):
            raise ValueError(
                f"“{visible(word[:40])}” is no token ID: enter whole numbers from 0 to 50256, "
                "separated by spaces or commas."
            )
    return [int(word) for word in words]


def show_merges(text: str, allow_special: bool) -> None:
    """Let the user choose a word of the text and show its merges, one row each."""
    tokenizer = get_tokenizer()
    # No merge makes the special token, and none reaches across it.
    parts = text.split(END_OF_TEXT) if allow_special else [text]
    pieces = dict.fromkeys(word for part in parts for word in split_words(part))
    words = [word for word in pieces if len(word.encode()) > 1]
    shown = [word for word in words if len(word.encode()) <= LONGEST_WORD][:500]
    if not shown:
        st.text(f"Enter a word of 2 to {LONGEST_WORD} bytes above: its merges appear here.")
        return
    word = st.selectbox(
        "Word",
        shown,
        index=max(range(len(shown)), key=lambda i: len(byte_pair_merges(shown[i], tokenizer))),
        format_func=lambda word: readable(word.encode()),
        key=state.WORD,
        persist_state="session",
    )
    if word not in shown:
        word = shown[0]
    ids = list(byte_ids(word, tokenizer))
    rows, marks = [Row(0, f"{len(ids)} bytes")], [""] * len(ids)
    merges = byte_pair_merges(word, tokenizer)
    for merge in merges:
        rows.append(Row(len(ids), f"merge {merge.number:,}"))
        ids += merge.token_ids
        marks += ["new" if i == merge.position else "" for i in range(len(merge.token_ids))]
    token_chips(
        ids, label=f"The merges of “{word}”, row by row", key="merges", rows=rows, marks=marks
    )
    left = len(merges[-1].token_ids) if merges else len(byte_ids(word, tokenizer))
    st.caption(
        f"{count(len(merges), 'merge')}, {count(left, 'token')}. The vocabulary is a list of "
        "50,000 merges, in the order in which they were learnt: the most frequent pair of "
        "neighbours first. In a word, the earliest of them that fits is made first; the new token "
        "is framed."
    )


def show_window(token_ids: Tensor) -> None:
    """Show a window of the text as inputs and targets: T tokens, T prediction tasks."""
    longest = min(LONGEST_WINDOW, len(token_ids) - 1)
    if longest < 1:
        st.text("It takes two tokens: one to go on from, one to predict.")
        return
    left, right = st.columns(2, gap="large")
    with left:
        length = choose_up_to(longest, 1, min(3, longest), "Tokens per window, T", state.WINDOW)
    with right:
        start = choose_up_to(
            len(token_ids) - 1 - length, 0, 0, "Where it begins", state.WINDOW_START
        )
    inputs, targets = TokenWindows(token_ids[start:], length, stride=length)[0]  # (T,), (T,)
    ids: list[int] = []
    rows: list[Row] = []
    marks: list[str] = []
    for end in range(1, length + 1):
        rows.append(Row(len(ids), f"task {end}"))
        ids += [*inputs[:end].tolist(), int(targets[end - 1])]
        marks += [*[""] * end, "target"]
    token_chips(
        ids, label="The prediction tasks of this window", key="tasks", rows=rows, marks=marks
    )
    st.code(
        f"inputs  = tensor([{inputs.tolist()}])\ntargets = tensor([{targets.tolist()}])",
        language="python",
        wrap_lines=True,
    )
    st.caption(
        f"The targets are the inputs, one token later. {count(length, 'position')}, as many tasks: "
        "the model answers them all at once, and no position can see what comes after it."
    )


def choose_up_to(most: int, least: int, value: int, label: str, key: str) -> int:
    """Let the user choose a whole number; where there is but one, there is nothing to choose."""
    if most <= least:
        return least
    # A slider with other bounds is another slider: what was chosen is carried over by ourselves.
    value = min(max(st.session_state.get(key, value), least), most)
    st.session_state[key] = st.slider(label, least, most, value, key=f"{key} {least} {most}")
    return int(st.session_state[key])
