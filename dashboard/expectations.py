"""What a run's model makes of its probes: p11, p12, … of each row, at one evaluation."""

from dataclasses import replace

import streamlit as st

from dashboard.frames import format_loss, format_probability, probability_strength
from dashboard.people import get_view
from dashboard.token_chips import Scale, readable, token_chips
from gpt_core.analysis import RunHistory
from gpt_core.store import Row, Run
from gpt_core.vocabularies import get_tokenizer, text_to_token_ids

SCALE = Scale("improbable", "certain")


def show_expectations(run: Run, probes: list[Row]) -> None:
    """Show the probes of a run's last evaluation, and what they are."""
    if not run.training_config.probes:
        return
    if not probes:
        st.text("At each evaluation the model is asked how probable it finds the right tokens.")
        return
    step = probes[-1]["global_step"]
    st.caption(
        "Each chip is the token that comes next in its row; p says how probable the model found "
        f"it, at step {step:,}. Training on these rows would bring each p close to 1; what "
        "rises here, the model has learnt from its own text."
    )
    show_probes(run, [probe for probe in probes if probe["global_step"] == step], "probe")


def last_probes(run: Run, history: RunHistory) -> list[Row]:
    """Return what was made of the probes at the last evaluation at which they are on record."""
    for step in history.evaluations["global_step"][:-3:-1]:  # they come just after the losses
        if probes := get_view().probes_at(run.id, int(step)):
            return probes
    return []


def show_probes(run: Run, probes: list[Row], key: str) -> None:
    """Show each probe's target tokens, coloured by the probability that the model gives them.

    Args:
        run: whose probes these are.
        probes: the rows of one evaluation.
        key: tells these chips from others on the page.
    """
    tokenizer = get_tokenizer()
    for probe in probes:
        number = probe["probe"]
        text = run.training_config.probes[number]
        targets = text_to_token_ids(text, tokenizer)[0, 1:].tolist()
        guesses = [
            readable(tokenizer.decode_single_token_bytes(token_id))
            for token_id in probe["predicted_ids"]
        ]
        st.text(f"{text}  ·  loss {format_loss(probe['loss'])}  ·  expected: {''.join(guesses)}")
        token_chips(
            targets,
            label=f"Target tokens of “{text}” and their probabilities",
            key=f"{key}-{number}",
            second_line=[
                f"p{number + 1}{j} {format_probability(p)}"
                for j, p in enumerate(probe["target_probas"], start=1)
            ],
            details=[f"the model expected “{guess}”" for guess in guesses],
            strengths=[probability_strength(p) for p in probe["target_probas"]],
            scale=replace(SCALE, has_legend=probe is probes[-1]),
        )
