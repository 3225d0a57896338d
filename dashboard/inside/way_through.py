"""The way through the model: what each part adds for one token, and what happens without it."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from dashboard.app import session_keys
from dashboard.charts import format_probability
from dashboard.components.model_column import Candidate, model_column
from dashboard.inside import address
from dashboard.inside.column import is_off, stages_of
from dashboard.inside.findings import BEST, Effect, Findings, effect_without, find
from dashboard.inside.reading import Reading
from dashboard.ui import show_code
from gpt_core.config import GPTConfig
from gpt_core.inspection import ablate, lens_summary, residual_stream

REPLACEMENTS = {"zero": "nothing (zeros)", "mean": "its mean over the text"}
MAX_NAMED = 4  # parts that a sentence names one by one


def show(reading: Reading) -> None:
    """Show the parts of the model as a column, and what it predicts with and without them."""
    found, config = find(reading), reading.model.config
    target = reading.token(int(found.targets[reading.position]))
    st.text(_introduction(reading, target))
    for sentence in _missing(config):
        st.caption(sentence)
    replacement = st.segmented_control(
        "A part that is switched off is replaced by",
        list(REPLACEMENTS),
        default="zero",
        required=True,
        format_func=REPLACEMENTS.__getitem__,
        key=session_keys.INSIDE_REPLACEMENT,
        persist_state="session",
    )
    off = _parts_off(config)
    now = effect_without(reading, found, off, replacement) if off else found.whole
    model_column(
        stages_of(reading, found, off),
        _describe(reading, found.whole, now, off, replacement, target),
        _candidates(reading, found, now),
        target,
        f"The parts of the model, and what each adds for “{reading.tokens()[reading.position]}”",
        key=session_keys.INSIDE_COLUMN,
        on_switch=partial(_switch, config.n_heads),
        on_head=_choose_head,
    )
    if off:
        st.button("Switch all parts on", on_click=_switch_all_on)
    st.caption(
        "To the right a bar raises the logit of the target, to the left it lowers it (direct logit "
        "attribution); all bars together are the target's logit. Their scale is one, "
        "but for the heads of a layer, which have their own. The "
        "band is the residual stream: as wide as its vector is long. At the right of each layer, "
        "what the logit lens reads there, and the target's probability. Bars, band and lens are "
        "those of the whole model, also when parts are off. Layers and heads are counted from 0, "
        "as in the code."
    )
    show_code(residual_stream, ablate, lens_summary)
    address.keep()
    if st.session_state.pop(session_keys.INSIDE_ASKED, False):
        st.rerun()  # the part about attention is another fragment


def _introduction(reading: Reading, target: str) -> str:
    token = reading.tokens()[reading.position]
    is_last = reading.position == reading.ids.shape[1] - 1
    what = (
        f"the text ends here, so its target is what the model finds most probable: “{target}”"
        if is_last
        else f"its target is the next token of the text, “{target}”"
    )
    return (
        f"“{token}” enters as a vector; each part reads the vectors so far and adds one of its "
        f"own. Their sum is the residual stream. At the end it becomes a score for each token of "
        f"the vocabulary: {what}."
    )


def _missing(config: GPTConfig) -> list[str]:
    """Return what of the usual picture this model lacks, and so what is not shown."""
    said = []
    if config.positions == "rotary":
        said.append(
            "Rotary positions turn queries and keys and add nothing to the stream: they have a "
            "switch, but no bar."
        )
    if config.positions == "none":
        said.append("This model has no position embedding: there is none to show or switch off.")
    if not config.residual:
        said.append(
            "This model has no residual connections: each part replaces the stream instead of "
            "adding to it. Only the last feed-forward reaches the logit directly, so the other "
            "bars are 0; and nothing gets past a part that is replaced by zeros."
        )
    if config.norm == "none":
        said.append("This model has no final norm, so the output has no shift of its own.")
    return said


def _candidates(reading: Reading, found: Findings, now: Effect) -> list[Candidate]:
    """Return the most probable tokens with all parts and without those that are off."""
    at, whole = reading.position, found.whole
    target = int(found.targets[at])
    before = dict(zip(whole.best_ids[at].tolist(), whole.best_probas[at].tolist(), strict=True))
    after = dict(zip(now.best_ids[at].tolist(), now.best_probas[at].tolist(), strict=True))
    before[target], after[target] = whole.target_probas[at].item(), now.target_probas[at].item()
    shown = [target, *(token_id for token_id in after if token_id != target)][:BEST]
    return [
        Candidate(
            reading.token(token_id),
            before.get(token_id),
            after[token_id],
            token_id == target,
        )
        for token_id in shown
    ]


def _describe(
    reading: Reading,
    whole: Effect,
    now: Effect,
    off: Sequence[str],
    replacement: str,
    target: str,
) -> str:
    """Return in words what the model predicts, and what changed without the parts that are off."""
    before, after = (effect.target_probas[reading.position].item() for effect in (whole, now))
    if not off:
        return (
            f"With all its parts the model's loss on this text is {whole.loss:.2f}, and it gives "
            f"“{target}” the probability {format_probability(before)}. Switch a part off to see "
            "what it is for."
        )
    instead = " (the mean in its place)" if replacement == "mean" else ""
    return (
        f"Without {_named(off)}{instead} the loss "
        f"{_change(whole.loss, now.loss, '{:.2f}'.format)}; the probability of “{target}” "
        f"{_change(before, after, format_probability)}."
    )


def _change(before: float, after: float, form: Callable[[float], str]) -> str:
    """Return in words how a number changes: ``rises from 2.10 to 3.40``."""
    if form(before) == form(after):
        return f"stays at {form(before)}"
    verb = "rises" if after > before else "falls"
    return f"{verb} from {form(before)} to {form(after)}"


def _named(parts: Sequence[str]) -> str:
    """Return parts in words: ``head 2.3 and the feed-forward of layer 1``."""
    if len(parts) > MAX_NAMED:
        return f"{len(parts)} parts"
    names = [describe_part(part) for part in parts]
    return " and ".join([", ".join(names[:-1])] * (len(names) > 1) + names[-1:])


def describe_part(part: str) -> str:
    """Return a part in words: ``head 2.3``."""
    if part == "pos_emb":
        return "its positions"
    _, layer, *inner = part.split(".")
    if not inner:
        return f"layer {layer}"
    if len(inner) == 2:
        return f"head {layer}.{inner[1]}"
    return f"the {'attention' if inner[0] == 'att' else 'feed-forward'} of layer {layer}"


def _parts_off(config: GPTConfig) -> list[str]:
    """Return the parts that are switched off, of those that this model has."""
    layers, heads = range(config.n_layers), range(config.n_heads)
    there = ["pos_emb"] * (config.positions != "none")
    for layer in layers:
        name = f"trf_blocks.{layer}"
        there += [name, f"{name}.att", f"{name}.ff", *(f"{name}.att.{head}" for head in heads)]
    wanted = set(st.session_state.get(session_keys.INSIDE_OFF, ()))
    return [part for part in there if part in wanted]


def _switch(n_heads: int, name: str) -> None:
    off = st.session_state.get(session_keys.INSIDE_OFF, [])
    st.session_state[session_keys.INSIDE_OFF] = switched(off, name, n_heads)


def switched(off: Sequence[str], name: str, n_heads: int) -> list[str]:
    """Return the parts that are off once a part's switch was moved.

    If the part is on, it goes off, with all that is in it. If it is off, it goes on; if that is
    because a larger part is off, the other parts of that one stay off.
    """
    if not is_off(name, off):
        return [*(part for part in off if not is_off(part, [name])), name]
    on = [part for part in off if not is_off(part, [name]) and not is_off(name, [part])]
    return on + [other for whole in off for other in _others(whole, name, n_heads)]


def _others(whole: str, name: str, n_heads: int) -> list[str]:
    """Return the parts of a part, all but one; none if that one is not in it."""
    if whole == name or not is_off(name, [whole]):
        return []
    is_layer = whole.count(".") == 1
    parts = [f"{whole}.{part}" for part in (("att", "ff") if is_layer else range(n_heads))]
    within = [other for part in parts for other in _others(part, name, n_heads)]
    return within + [part for part in parts if not is_off(name, [part])]


def _switch_all_on() -> None:
    st.session_state[session_keys.INSIDE_OFF] = []


def _choose_head(name: str) -> None:
    """Show a head in the part about attention."""
    _, layer, _, head = name.split(".")
    st.session_state[session_keys.INSIDE_HEAD] = (int(layer), int(head))
    st.session_state[session_keys.INSIDE_ASKED] = True
