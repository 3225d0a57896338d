"""Probes as chips: each target token, coloured by its probability."""

from dataclasses import replace

import streamlit as st

from dashboard.app import get_store, get_visible_runs, show_refusal
from dashboard.charts import (
    format_loss,
    format_probability,
    position_name,
    probability_strength,
)
from dashboard.components.token_chips import PROBABILITIES, readable, token_chips
from gpt_core.store import Run, StoredProbe
from gpt_core.text import split_text
from gpt_core.training import window_beginnings
from gpt_core.vocabularies import Tokenizer, run_tokenizer, text_to_token_ids


def show_probes(run: Run, probes: list[StoredProbe], key: str) -> None:
    """Show each probe's target tokens, coloured by the probability the model gives them.

    A sentence says which of the rows the model is trained on.

    Args:
        run: the run that the probes belong to.
        probes: the probes of one evaluation.
        key: identifies these chips on the page.
    """
    history = get_visible_runs().history(run.id)
    try:
        tokenizer = run_tokenizer(get_store(), run)
    except ValueError as error:  # its vocabulary is damaged in the record
        show_refusal(error)
        return
    described = history.derive(
        "rows", lambda: describe_rows(run, _text_of(run), tokenizer), "updates"
    )
    st.text(described)
    has_parts = False
    for probe in probes:
        number = probe.probe
        text = run.training_config.probes[number]
        targets = text_to_token_ids(text, tokenizer)[0, 1:].tolist()
        largest = max(number + 1, len(targets))
        guesses = [
            readable(tokenizer.decode_single_token_bytes(token_id))
            for token_id in probe.predicted_ids
        ]
        said = " | ".join(guesses)
        has_parts = has_parts or "⟨" in said
        st.text(f"{text}  ·  loss {format_loss(probe.loss)}  ·  the model would say: {said}")
        token_chips(
            targets,
            label=f"Target tokens of “{text}” and their probabilities",
            key=f"{key}-{number}",
            second_line=[
                f"p{position_name(number + 1, j, largest)} {format_probability(p)}"
                for j, p in enumerate(probe.target_probas, start=1)
            ],
            details=[f"the model would say “{guess}”" for guess in guesses],
            strengths=[probability_strength(p) for p in probe.target_probas],
            scale=replace(PROBABILITIES, has_legend=probe is probes[-1]),
            tokenizer=tokenizer,
        )
    if has_parts:
        st.caption("⟨C3⟩ and the like: a token that is part of a character, as its bytes.")


def describe_rows(run: Run, text: str | None, tokenizer: Tokenizer) -> str:
    """Return in words which of a run's rows its model is trained on, and what follows from it.

    Args:
        run: the run.
        text: its text, None if that is not on disk any more.
        tokenizer: that of its vocabulary.
    """
    said = ["The tokens of a row, and below each p: the probability that the model gave it."]
    if text is None:
        return said[0]
    config = run.training_config
    training_text, _ = split_text(text, config.train_ratio)
    context_length = run.model_config.context_length
    beginnings = window_beginnings(config, text, tokenizer, context_length)
    seen = [row for row in config.probes if row in training_text]
    at_its_place = [row for row in seen if row in beginnings]
    elsewhere = [row for row in seen if row not in beginnings]
    if at_its_place:
        said.append(
            f"{_quoted(at_its_place)} begins a window of the training text, so the model sees it "
            "in training at these very positions: its probabilities p rise towards "
            "1 as the model learns the text."
        )
    if elsewhere:
        said.append(
            f"{_quoted(elsewhere)} is in the training text, but not at the beginning of a window: "
            "alone it stands at positions where the model has never seen it, and is predicted "
            "worse than in its place."
        )
    if len(seen) < len(config.probes):
        said.append(
            f"{'The other rows are' if seen else 'These rows are'} not in the training text. Their "
            "loss may rise while the model learns: the surer it is of its own text, the less "
            "probable it finds other words."
        )
    return " ".join(said)


def _quoted(rows: list[str]) -> str:
    return ", ".join(f"“{row.strip()}”" for row in rows)


def _text_of(run: Run) -> str | None:
    try:
        return get_store().text(run.text_sha256)
    except ValueError:
        return None
