"""What forms inside a run's model, in a strip: its most telling head, and what it would say."""

from dataclasses import replace

import numpy as np
import streamlit as st

from dashboard.app import get_store, get_visible_runs, session_keys, show_refusal
from dashboard.charts import (
    attention_map,
    format_probability,
    palette,
    probability_strength,
    to_json,
)
from dashboard.components.live_chart import live_chart
from dashboard.components.token_chips import PROBABILITIES, readable_tokens, token_chips
from gpt_core.analysis import CachedHistory, attention_of, describe_head, telling_head
from gpt_core.store import Run, StoredInside
from gpt_core.vocabularies import Tokenizer, run_tokenizer


def show_inside(run: Run, history: CachedHistory) -> None:
    """Show the last recorded moment of what is shown of a run, if there is one."""
    steps = history.recorded.steps
    shown = int(steps["global_step"][-1]) if len(steps) else -1
    records = [r for r in get_visible_runs().inside(run.id) if r.global_step <= shown]
    if not records:
        return
    st.header("What forms inside")
    try:
        _show_moment(run, records[-1], run_tokenizer(get_store(), run))
    except ValueError as error:  # its vocabulary or its attention is damaged in the record
        show_refusal(error)
    link = {session_keys.RUN: run.id}
    st.page_link("pages/inside.py", label="See it form, moment by moment", query_params=link)


def _show_moment(run: Run, record: StoredInside, tokenizer: Tokenizer) -> None:
    weights = attention_of(record, run.model_config)  # (n_layers, n_heads, T, T)
    tokens = readable_tokens(record.token_ids[:-1], tokenizer)
    layer, head, *_ = telling_head(record)
    habit = describe_head(record, layer, head) or "looks at no one place yet"
    left, right = st.columns([2, 3], gap="large")
    with left:
        live_chart(
            to_json(attention_map(weights[layer, head].astype(np.float64), tokens)),
            f"Attention of head {layer}.{head} after step {record.global_step:,}.",
            key="strip-attention",
        )
    with right:
        st.text(
            f"After step {record.global_step:,} head {layer}.{head} {habit}. Rows look, columns "
            "are looked at: this is a line of the text. Below each token is what the model would "
            "go on with after it, and how probable it finds that."
        )
        guesses = readable_tokens([ids[0] for ids in record.best_ids[-1]], tokenizer)
        probas = [best[0] for best in record.best_probas[-1]]  # (T,), after the last block
        token_chips(
            record.token_ids[:-1],
            label="A line of the text, and what the model would go on with after each token",
            key="strip-lens",
            second_line=[
                f"{guess} {format_probability(p)}" for guess, p in zip(guesses, probas, strict=True)
            ],
            strengths=[probability_strength(p) for p in probas],
            scale=replace(PROBABILITIES, color=palette.PREDICTED),
            tokenizer=tokenizer,
        )
