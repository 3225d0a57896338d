"""Time: what a run recorded of its model's inside, from its first update to its last."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
import torch

from dashboard.app import (
    fragment,
    get_store,
    get_visible_runs,
    session_keys,
    show_refusal,
)
from dashboard.charts import (
    lens_map,
    ridgelines,
    score_lines,
    to_json,
    update_lines,
)
from dashboard.components.attention_maps import attention_maps
from dashboard.components.live_chart import live_chart
from dashboard.components.seek_bar import seek_bar
from dashboard.components.token_chips import readable_tokens
from dashboard.ui import run_title
from gpt_core.analysis import (
    HABITS,
    HEALTHY_UPDATES,
    attention_of,
    describe_faults,
    describe_head,
    part_numbers,
    telling_head,
)
from gpt_core.records import PartNumbers
from gpt_core.store import Run, StoredInside
from gpt_core.training import plan_inside
from gpt_core.vocabularies import Tokenizer, run_tokenizer

PLAY_SECONDS, LIVE_SECONDS = 0.8, 2.0
VALUES = ("weights", "gradients", "updates")


def show(run: Run | None) -> None:
    """Show what a run recorded, moment by moment."""
    if run is None:
        st.text("Start a run on the Train page: what forms in its model is shown here.")
    elif run.is_redacted:
        st.text("This run is private: what is inside its model is for its owner and the teacher.")
    else:
        fragment(_show)(run.id)


def _show(run_id: str) -> None:
    """Show the button that plays, and the moment that is chosen or next."""
    run = get_visible_runs().run(run_id)
    if run is None or run.is_redacted:
        return
    plays = _plays()
    if len(get_visible_runs().inside(run_id)) > 1:
        st.button(
            "Pause" if plays else "Play",
            key=f"play-inside-{run_id}",
            on_click=_play_or_pause,
            args=(run_id,),
        )
    every = PLAY_SECONDS if plays else LIVE_SECONDS if run.is_live else None
    fragment(_show_moment, run_every=every)(run_id, plays)


def _show_moment(run_id: str, drawn_playing: bool) -> None:
    """Show one of the recorded moments and, below it, the curves over all of them."""
    if _plays() != drawn_playing:
        st.rerun()  # with another clock, or none
    visible = get_visible_runs()
    run, records = visible.run(run_id), visible.inside(run_id)
    if run is None or run.is_redacted:
        return
    try:
        tokenizer = run_tokenizer(get_store(), run)
        if not records:
            st.text(_describe_missing(run, tokenizer))
            return
        record = records[_choose_moment(run, records)]
        _show_reading(run, record, tokenizer)
        _show_heads(run, records, record)
        _show_parts(run, records, record)
    except ValueError as error:  # its vocabulary or its attention is damaged in the record
        show_refusal(error)


def _plays() -> bool:
    return session_keys.INSIDE_PLAYS in st.session_state


def _play_or_pause(run_id: str) -> None:
    """Pause, or begin to play: from the start if the last moment is shown."""
    records = get_visible_runs().inside(run_id)
    index = _moment(records)
    if _plays():
        _stay_at(records[index].global_step)
    else:
        first = 0 if index == len(records) - 1 else index
        st.session_state[session_keys.INSIDE_PLAYS] = records[first].global_step


def _stay_at(step: int) -> None:
    """Stop at a moment, and put it into the address."""
    st.session_state.pop(session_keys.INSIDE_PLAYS, None)
    st.query_params[session_keys.INSIDE_MOMENT] = str(step)


def _moment(records: Sequence[StoredInside]) -> int:
    """Return the number of the moment that is played, or else that the address names.

    If it names none, it is the last. While it plays the address stays: each change of it would be
    a page to which the browser's button goes back.
    """
    address = st.query_params.get(session_keys.INSIDE_MOMENT, "")
    step = st.session_state.get(session_keys.INSIDE_PLAYS)
    if step is None:
        if not address.isdecimal() or len(address) > 12:
            return len(records) - 1
        step = int(address)
    steps = [record.global_step for record in records]
    return max(0, int(np.searchsorted(steps, step, "right")) - 1)


def _choose_moment(run: Run, records: Sequence[StoredInside]) -> int:
    """Show the bar over the recorded moments; return the one that is chosen, or next."""
    index, last = _moment(records), len(records) - 1
    if _plays():
        index = min(index + 1, last)
        st.session_state[session_keys.INSIDE_PLAYS] = records[index].global_step
        if index == last:
            _stay_at(records[last].global_step)
    names = [f"step {record.global_step:,}" for record in records]
    moved = seek_bar(index, last, "Recorded moment", f"moment-{run.id}", names)
    if moved is not None:
        index = moved
        _stay_at(records[index].global_step)
    history = get_visible_runs().history(run.id).recorded.evaluations
    at = history["val_loss"][history["global_step"] == records[index].global_step]
    loss = f", validation loss {at[0]:.3f}" if len(at) else ""
    st.text(
        f"{run_title(run)}: {len(records)} moments of its training, most of them early, when most "
        f"changes. Shown: {names[index]}, epoch {records[index].epoch}{loss}."
    )
    return index


def _show_reading(run: Run, record: StoredInside, tokenizer: Tokenizer) -> None:
    """Show how the model reads the line of the text: where it looks, what it would say."""
    weights = attention_of(record, run.model_config)  # (n_layers, n_heads, T, T)
    tokens = readable_tokens(record.token_ids, tokenizer)
    n_layers, n_heads, T, _ = weights.shape
    chosen = f"{session_keys.INSIDE_ONE_HEAD}-{run.id}"  # (layer, head)
    layer, head = st.session_state.get(chosen) or telling_head(record)[:2]
    position = min(st.session_state.get(session_keys.INSIDE_ONE_TOKEN, T), T - 1)
    st.subheader("Where its heads look")
    attention_maps(
        torch.from_numpy(weights.astype(np.float32)),
        tokens[:-1],
        [[describe_head(record, i, j) for j in range(n_heads)] for i in range(n_layers)],
        (layer, head),
        position,
        key=session_keys.INSIDE_MOMENT_MAPS,
        on_head=lambda *head: st.session_state.update({chosen: head}),
        on_token=lambda at: st.session_state.update({session_keys.INSIDE_ONE_TOKEN: at}),
    )
    habit = describe_head(record, layer, head) or "looks at no one place"
    st.caption(f"Head {layer}.{head} {habit}. Rows look, columns are looked at.")
    st.subheader("What it would say after each block")
    best = [readable_tokens([ids[0] for ids in row], tokenizer) for row in record.best_ids]
    blocks = [f"block {number}" for number in range(len(best))]
    live_chart(
        to_json(lens_map(best, np.array(record.target_probas), tokens[:-1], blocks)),
        f"The logit lens after step {record.global_step:,}: after its last block the model "
        f"would continue with {', '.join(best[-1])}.",
        key="inside-lens",
    )
    st.text(
        "The best token after each block, the stronger the colour the more probable the "
        f"right one. The row goes on with “{tokens[-1]}”."
    )


def _show_heads(run: Run, records: Sequence[StoredInside], record: StoredInside) -> None:
    """Draw what all heads look at, over the steps, beside the validation loss."""
    if not record.head_scores:
        return
    st.subheader("What its heads learn to do")
    habit = st.segmented_control(
        "Habit",
        list(HABITS),
        format_func=lambda name: HABITS[name].capitalize(),
        default="induction",
        required=True,
        key=session_keys.INSIDE_HABIT,
        label_visibility="collapsed",
    )
    evaluations = get_visible_runs().history(run.id).recorded.evaluations
    scores = np.array([dict(r.head_scores)[habit] for r in records])  # (R, n_layers, n_heads)
    losses = (evaluations["global_step"], evaluations["val_loss"])
    steps = np.array([float(r.global_step) for r in records])
    live_chart(
        to_json(score_lines(steps, scores, losses, record.global_step, run.id)),
        f"How much each head {HABITS[habit]}, and the validation loss above. The highest score "
        f"is {scores[0].max():.2f} in the first moment and {scores[-1].max():.2f} in the last.",
        key="inside-heads",
    )
    st.caption(
        "Measured on random tokens that repeat themselves, from 0 to 1. A head that looks at what "
        "followed the equal token copies what came next the last time: an induction head (Olsson "
        "et al., 2022). It forms suddenly, and the loss falls with it."
    )


def _show_parts(run: Run, records: Sequence[StoredInside], record: StoredInside) -> None:
    """Show how the parts learn: what is wrong, the size of the updates, and histograms."""
    st.subheader("How its parts learn")
    faults = describe_faults(record, _learning_rate_fraction(run, record))
    st.text("\n".join(faults) or "Nothing looks wrong at this moment.")
    by_step = [{part.name: part for part in _learning_parts(r)} for r in records]
    names = list(by_step[-1])
    ratios = {
        name: np.array([_number(parts[name].update_to_weight) for parts in by_step])
        for name in names
    }
    steps = np.array([float(r.global_step) for r in records])
    left, right = st.columns(2, gap="large")
    with left:
        st.caption(
            "The last update of each part, divided by its weights. Shaded: from a tenth to ten "
            "times the usual thousandth."
        )
        live_chart(
            to_json(update_lines(steps, ratios, HEALTHY_UPDATES, record.global_step, run.id)),
            "The size of each part's last update relative to its weights, over the steps.",
            key="inside-updates",
        )
    with right:
        kind = st.segmented_control(
            "Histograms of",
            VALUES,
            default="weights",
            required=True,
            key=session_keys.INSIDE_VALUES,
            label_visibility="collapsed",
        )
        rows = []
        for name in names:
            over_time = [bins for parts in by_step if (bins := getattr(parts[name], kind))]
            now = next(getattr(p, kind) for p in _learning_parts(record) if p.name == name)
            if now is not None:
                rows.append((name, now, max(max(abs(b.low), abs(b.high)) for b in over_time)))
        if rows:
            live_chart(
                to_json(ridgelines(rows, run.id)),
                f"Histograms of the {kind} of each part after step {record.global_step:,}.",
                key="inside-ridges",
            )
            st.caption(
                f"The {kind} of each part at this moment; heights are square roots of counts. Each "
                "axis ends at the part's largest value of the whole training, which its name gives."
            )
        else:
            st.text(f"The {kind} are known for AdamW only: another optimizer trains these parts.")


def _learning_parts(record: StoredInside) -> list[PartNumbers]:
    """Return the parts that hold matrices; the norms' few numbers are left out."""
    return [part for part in part_numbers(record) if "norm" not in part.name]


def _learning_rate_fraction(run: Run, record: StoredInside) -> float:
    """Return the learning rate at a moment, divided by the run's highest."""
    steps = get_visible_runs().history(run.id).recorded.steps
    at = steps["learning_rate"][steps["global_step"] == record.global_step]
    return float(at[0]) / run.training_config.learning_rate if len(at) else 1.0


def _describe_missing(run: Run, tokenizer: Tokenizer) -> str:
    """Return in words why nothing is recorded, or what will be."""
    plan = plan_inside(run.model_config, run.training_config, run.total_steps, tokenizer)
    if plan.reason:
        return f"{run_title(run)} has no moments to look at. {plan.reason}"
    if run.is_live:
        return f"{run_title(run)}: its first moment is recorded at its first evaluation."
    return f"{run_title(run)} ended before its first evaluation: there is no moment to look at."


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
