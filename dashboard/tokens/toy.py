"""Seven words, each with an ID."""

import streamlit as st

from dashboard.charts import palette
from dashboard.ui import common_mistake
from gpt_core.vocabularies import (
    TOY_PROBAS,
    TOY_VOCABULARY,
    toy_argmax,
    toy_ids,
)


def show_toy() -> None:
    """Show the seven-word vocabulary, three words as IDs, and the most probable next words."""
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
    common_mistake(
        "“Seven words have the IDs 0 to 7.” In fact, counted from 0, the largest is 6; of GPT-2's "
        "50,257 tokens it is 50256."
    )
