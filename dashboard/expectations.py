"""What a run's model makes of its probes: p11, p12, … of each row, as of the last evaluation."""

from dataclasses import replace

import streamlit as st

from dashboard.frames import format_loss, format_probability, probability_strength
from dashboard.token_chips import Scale, readable, token_chips
from gpt_core import Run, get_tokenizer, text_to_token_ids
from gpt_core.store import Row

SCALE = Scale("improbable", "certain")


def show_expectations(run: Run, probes: list[Row]) -> None:
    """Show each probe's target tokens, coloured by the probability that the model gives them."""
    if not run.training_config.probes:
        return
    if not probes:
        st.text("At each evaluation the model is asked how probable it finds the right tokens.")
        return
    st.caption(
        "Each chip is the token that comes next in its row; p says how probable the model found "
        f"it, after step {probes[-1]['global_step'] + 1:,}. Training on these rows would bring "
        "each p close to 1; what rises here, the model has learnt from its own text."
    )
    tokenizer = get_tokenizer()
    latest = {probe["probe"]: probe for probe in probes}  # the last of each
    for number, probe in sorted(latest.items()):
        text = run.training_config.probes[number]
        targets = text_to_token_ids(text, tokenizer)[0, 1:].tolist()
        guesses = [
            readable(tokenizer.decode_single_token_bytes(token_id))
            for token_id in probe["predicted_ids"]
        ]
        st.text(f"{text}  ·  loss {format_loss(probe['loss'])}")
        token_chips(
            targets,
            label=f"Target tokens of “{text}” and their probabilities",
            key=f"probe-{number}",
            second_line=[
                f"p{number + 1}{j} {format_probability(p)}"
                for j, p in enumerate(probe["target_probas"], start=1)
            ],
            details=[f"the model expected “{guess}”" for guess in guesses],
            strengths=[probability_strength(p) for p in probe["target_probas"]],
            scale=replace(SCALE, has_legend=number == max(latest)),
        )
