"""The logit lens: what the model would predict if it stopped after each layer."""

import streamlit as st

from dashboard.app import get_visible_runs, session_keys, show_refusal
from dashboard.charts import count, probability_strength
from dashboard.components.lens_table import Cell, Lens, lens_table
from dashboard.forms import ChosenModel, choose_model
from dashboard.inside import address
from dashboard.inside.findings import find
from dashboard.inside.reading import Reading, choose_token
from dashboard.ui import show_code
from gpt_core.inspection import lens_summary, logit_lens
from gpt_core.vocabularies import text_to_token_ids, token_ids_to_text


def show(reading: Reading) -> None:
    """Show what each layer reads at each token, for one model or for two side by side."""
    st.text(
        "The final norm and the output head, applied to the stream after each layer: which token "
        "would come next if the model stopped there? The colour is the target's probability: it "
        "shows in which layer the model finds the answer."
    )
    lenses = [_lens(reading)]
    compares = st.toggle(
        "Compare with a second model", key=session_keys.INSIDE_COMPARES, persist_state="session"
    )
    if compares:
        _begin_with_its_beginning()
        chosen = choose_model("Second model", session_keys.INSIDE_SECOND)
        second = _read_too(reading, chosen) if chosen else None
        if second is not None:
            lenses.append(_lens(second))
            st.text(_compare(reading, second))
    lens_table(lenses, reading.position, key=session_keys.INSIDE_LENS, on_token=_choose_token)
    st.caption(
        "Early layers write in directions of their own, which the output head was not trained to "
        "read: their predictions are biased. The tuned lens (Belrose et al., 2023) corrects this. "
        "At the last token the target is the model's own choice."
    )
    show_code(logit_lens, lens_summary)
    address.keep()
    if st.session_state.pop(session_keys.INSIDE_ASKED, False):
        st.rerun()  # another token: all parts follow it


def _begin_with_its_beginning() -> None:
    """Let the second model be the first one's earliest checkpoint, until the user chooses."""
    state, slot = st.session_state, session_keys.INSIDE_SECOND
    model = state.get(session_keys.WALK_MODEL)
    if model is None or session_keys.WALK_MODEL + slot in state:
        return
    state[session_keys.WALK_MODEL + slot] = model
    if steps := [row.global_step for row in get_visible_runs().checkpoints(model)]:
        state[f"{session_keys.WALK_STEP}{slot}-{model}"] = min(steps)


def _read_too(reading: Reading, chosen: ChosenModel) -> Reading | None:
    """Return the same text as the second model reads it; None after saying why it cannot."""
    model = chosen.model
    if model.vocabulary == reading.model.vocabulary:
        ids = reading.ids
    else:
        text = token_ids_to_text(reading.ids[0], reading.tokenizer)
        try:
            ids = text_to_token_ids(text, Reading(chosen.name, model, reading.ids, 0).tokenizer)
        except ValueError as error:
            show_refusal(error)
            return None
        st.text("The second model has another vocabulary, so its tokens are others.")
    longest = model.config.context_length
    if ids.shape[1] > longest:
        st.text(f"The second model reads only the first {count(longest, 'token')}: its context.")
        ids = ids[:, :longest]
    if ids.shape[1] < 2:
        st.text("For the second model the text is a single token: type more.")
        return None
    return Reading(chosen.name, model, ids, min(reading.position, ids.shape[1] - 1))


def _compare(reading: Reading, second: Reading) -> str:
    losses = [find(each).whole.loss for each in (reading, second)]
    return (
        f"Loss on this text: {losses[0]:.2f} with {reading.name}, {losses[1]:.2f} with "
        f"{second.name}."
    )


def _lens(reading: Reading) -> Lens:
    """Return what each layer of a model reads at each token."""
    found = find(reading).lens
    best_ids, best_probas = found.best_ids.tolist(), found.best_probas.tolist()
    target_probas = found.target_probas.tolist()  # (n_layers, T)
    tokens = tuple(reading.tokens())
    return Lens(
        reading.name,
        tokens,
        tuple(reading.token(target) for target in found.targets.tolist()),
        tuple(
            tuple(
                Cell(
                    tuple(reading.token(token_id) for token_id in best_ids[layer][i]),
                    tuple(round(proba, 7) for proba in best_probas[layer][i]),
                    target_probas[layer][i],
                    probability_strength(target_probas[layer][i]),
                )
                for layer in range(len(best_ids))
            )
            for i in range(len(tokens))
        ),
    )


def _choose_token(position: int) -> None:
    choose_token(position)
    st.session_state[session_keys.INSIDE_ASKED] = True
