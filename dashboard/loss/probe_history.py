"""The probes of a run, evaluation by evaluation: p11, p12, … as a model learns."""

import pandas as pd
import streamlit as st

from dashboard.app import fragment, get_store, get_visible_runs, session_keys, show_refusal
from dashboard.charts import count, position_name, probe_lines
from dashboard.components.live_chart import live_chart
from dashboard.components.token_chips import readable
from dashboard.ui import run_title, show_probes
from gpt_core.store import Run, StoredProbe
from gpt_core.vocabularies import Tokenizer, run_tokenizer, text_to_token_ids


def show(run: Run | None) -> None:
    """Show a run's probes, redrawn while it trains."""
    if run is None:
        st.text("Start a run on the Train page: its probabilities for such rows are recorded here.")
        return
    if run.is_redacted:
        st.text("This run is private: its probes are for its owner and the teacher.")
        return
    fragment(_show, run_every=2 if run.is_live else None)(run)


def _show(run: Run) -> None:
    try:
        tokenizer = run_tokenizer(get_store(), run)
    except ValueError as error:  # its vocabulary is damaged in the record
        show_refusal(error)
        return
    probes = get_visible_runs().probes(run.id)
    if not probes:
        st.text(f"{run_title(run)}: its probes are measured at its first evaluation.")
        return
    texts = run.training_config.probes
    steps = list(dict.fromkeys(int(row.global_step) for row in probes))
    made = count(len(steps), "evaluation")
    st.text(f"{run_title(run)}: {made}. Dropout is off, so nothing is random.")
    step = _choose_evaluation(run, steps)
    show_probes(run, [row for row in probes if row.global_step == step], "history")
    number = st.selectbox(
        "Its probabilities over the steps",
        range(len(texts)),
        format_func=lambda i: texts[i],
        key=f"{session_keys.PROBE}-{run.id}",
    )
    rows = [row for row in probes if row.probe == number]
    live_chart(
        probe_lines(
            probe_frame(rows, texts[number], number + 1, tokenizer), step, f"{run.id}-{number}"
        ),
        f"Target probabilities of “{texts[number]}” over {count(len(rows), 'evaluation')}.",
        key="probe-lines",
    )


def _choose_evaluation(run: Run, steps: list[int]) -> int:
    """Let the user choose one of the evaluations; until they do, the newest is shown."""
    if len(steps) == 1:
        return steps[0]
    key, follows = f"{session_keys.EVALUATION}-{run.id}", f"{session_keys.FOLLOWS}-{run.id}"
    if run.is_live and st.session_state.get(follows, True):
        st.session_state[key] = steps[-1]
    return st.select_slider(
        "At step",
        steps,
        value=steps[-1] if key not in st.session_state else None,
        format_func=lambda step: f"{step:,}",
        key=key,
        on_change=lambda: st.session_state.update({follows: False}),
    )


def probe_frame(
    rows: list[StoredProbe], text: str, number: int, tokenizer: Tokenizer
) -> pd.DataFrame:
    """Return a probe's probabilities as rows of ``global_step``, ``name`` and ``proba``.

    Args:
        rows: the records of this probe.
        text: its words.
        number: which row it is, counted from 1, as in p11.
        tokenizer: the run's.
    """
    targets = text_to_token_ids(text, tokenizer)[0, 1:].tolist()
    largest = max(number, len(targets))
    tokens = map(readable, map(tokenizer.decode_single_token_bytes, targets))
    names = [
        f"p{position_name(number, j, largest)} {token}" for j, token in enumerate(tokens, start=1)
    ]
    records = [
        (row.global_step, name, proba)
        for row in rows
        for name, proba in zip(names, row.target_probas, strict=True)
    ]
    return pd.DataFrame(records, columns=["global_step", "name", "proba"])
