"""Probes as chips: each target token, coloured by its probability."""

from dataclasses import replace

import streamlit as st

from dashboard.charts import format_loss, format_probability, probability_strength
from dashboard.components.token_chips import Scale, readable, token_chips
from gpt_core.store import Run, StoredProbe
from gpt_core.vocabularies import get_tokenizer, text_to_token_ids

SCALE = Scale("improbable", "certain")


def show_probes(run: Run, probes: list[StoredProbe], key: str) -> None:
    """Show each probe's target tokens, coloured by the probability the model gives them.

    Args:
        run: the run that the probes belong to.
        probes: the probes of one evaluation.
        key: identifies these chips on the page.
    """
    tokenizer = get_tokenizer()
    for probe in probes:
        number = probe.probe
        text = run.training_config.probes[number]
        targets = text_to_token_ids(text, tokenizer)[0, 1:].tolist()
        guesses = [
            readable(tokenizer.decode_single_token_bytes(token_id))
            for token_id in probe.predicted_ids
        ]
        st.text(f"{text}  ·  loss {format_loss(probe.loss)}  ·  expected: {''.join(guesses)}")
        token_chips(
            targets,
            label=f"Target tokens of “{text}” and their probabilities",
            key=f"{key}-{number}",
            second_line=[
                f"p{number + 1}{j} {format_probability(p)}"
                for j, p in enumerate(probe.target_probas, start=1)
            ],
            details=[f"the model expected “{guess}”" for guess in guesses],
            strengths=[probability_strength(p) for p in probe.target_probas],
            scale=replace(SCALE, has_legend=probe is probes[-1]),
        )
