"""Texts that a model writes under one or several settings, and the choice behind each token."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st
import torch

from dashboard.app import (
    current_actor,
    fragment,
    get_generation_worker,
    session_keys,
    show_refusal,
    toast,
)
from dashboard.charts import PREDICTED, choice_bars, count, format_probability, probability_strength
from dashboard.components.live_chart import live_chart
from dashboard.components.sample_list import Entry, Piece, on_few_lines, sample_list
from dashboard.components.token_chips import PROBABILITIES, readable, token_chips
from dashboard.forms import ChosenModel
from dashboard.generate.decoding import choose_decoding, describe_decoding
from gpt_core.inference import GenerationJob
from gpt_core.model import Choice, Decoding, GPTModel
from gpt_core.vocabularies import (
    decode_parts,
    describe_unknown,
    read_vocabulary,
    text_to_token_ids,
)

MAX_SETTINGS = 3
MAX_TOKENS = 500
TICK_SECONDS = 0.5
SCALE = replace(PROBABILITIES, color=PREDICTED)


@dataclass(frozen=True)
class Place:
    """A token after the prompt, and the choice that it came from."""

    choice: Choice
    is_yours: bool = False  # the user's, in place of the one that was drawn


@dataclass(frozen=True)
class GenerationTask:
    """What a model is asked to write."""

    fetch: Callable[[], GPTModel | None]  # from the model cache, which checks the permission
    model_name: str
    vocabulary: str  # the model's: a tokenizer.json, "" for GPT-2's
    prompt: tuple[int, ...]  # token IDs
    tokens: int  # the maximum after the prompt
    decoding: Decoding
    seed: int
    ends: bool  # whether it stops at <|endoftext|>


@dataclass(frozen=True)
class GeneratedText:
    """A text that is generated: its task, its first tokens, and the worker's job."""

    task: GenerationTask
    begun: tuple[Place, ...]  # the tokens before a branch
    job: GenerationJob

    @property
    def is_under_way(self) -> bool:
        """Tell whether the worker has not finished it yet."""
        return not self.job.ended.is_set()

    @property
    def places(self) -> list[Place]:
        """Return the tokens generated so far, after the prompt."""
        return [*self.begun, *map(Place, list(self.job.choices))]


def is_under_way() -> bool:
    """Tell whether a text is being written for this visitor."""
    return any(text.is_under_way for text in _texts())


def _texts() -> list[GeneratedText]:
    texts: list[GeneratedText] = st.session_state.get(session_keys.WRITTEN, [])
    return texts


def ask(chosen: ChosenModel) -> None:
    """Let the user choose a prompt and settings, and start the texts."""
    st.text_area(
        "Prompt",
        "Every effort moves you",
        height=80,
        max_chars=20_000,
        key=session_keys.WRITE_PROMPT,
        persist_state="session",
    )
    tokenizer = read_vocabulary(chosen.model.vocabulary)
    if note := describe_unknown(st.session_state.get(session_keys.WRITE_PROMPT) or "", tokenizer):
        st.text(note)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Tokens",
            1,
            MAX_TOKENS,
            40,
            key=session_keys.WRITE_TOKENS,
            persist_state="session",
            width=130,
        )
        st.number_input(
            "Seed", 0, 2**31, 123, key=session_keys.WRITE_SEED, persist_state="session", width=130
        )
        count = st.segmented_control(
            "Settings side by side",
            list(range(1, MAX_SETTINGS + 1)),
            default=2,
            required=True,
            key=session_keys.WRITE_SETTINGS,
            persist_state="session",
        )
        ends = st.toggle(
            "Stop at the end of the text",
            help="Where the model would write <|endoftext|>.",
            key=f"{session_keys.WRITE_DECODING}-ends",
            persist_state="session",
        )
    decodings = []
    for number, column in enumerate(st.columns(count or 1, gap="large")):
        with column:
            decodings.append(choose_decoding(number))
    with st.container(horizontal=True):
        busy = is_under_way()
        st.button(
            "Write",
            type="primary",
            disabled=busy,
            on_click=_ask,
            # No model: it may be evicted.
            args=(chosen.name, chosen.fetch, chosen.model.vocabulary, decodings, ends),
        )
        if busy:
            st.button("Stop", on_click=_stop)


def _ask(
    name: str,
    fetch: Callable[[], GPTModel | None],
    vocabulary: str,
    decodings: list[Decoding],
    ends: bool,
) -> None:
    """Submit the prompt to the generation worker, once per setting, without waiting."""
    prompt = st.session_state.get(session_keys.WRITE_PROMPT) or ""
    tokens, seed = (
        st.session_state[session_keys.WRITE_TOKENS],
        st.session_state[session_keys.WRITE_SEED],
    )
    try:
        ids = text_to_token_ids(prompt, read_vocabulary(vocabulary))[0].tolist()
        if not ids:
            raise ValueError("The prompt is empty: give the model a word to continue.")
        st.session_state[session_keys.WRITTEN] = [
            _begin(
                GenerationTask(
                    fetch=fetch,
                    model_name=name,
                    vocabulary=vocabulary,
                    prompt=tuple(ids),
                    tokens=tokens,
                    decoding=decoding,
                    seed=seed,
                    ends=ends,
                )
            )
            for decoding in decodings
        ]
    except ValueError as error:
        toast(error)


def _begin(task: GenerationTask, begun: tuple[Place, ...] = ()) -> GeneratedText:
    """Submit a text, or the rest of one, to the generation worker.

    Raises:
        ValueError: the model is gone or not for this visitor any more, or the app is closing.
    """
    model = task.fetch()
    if model is None:
        raise ValueError("This model is not here any more: choose another one.")
    ids = [*task.prompt, *(place.choice.token_id for place in begun)]
    job = get_generation_worker().submit(
        model,
        torch.tensor([ids]),
        task.tokens - len(begun),
        task.decoding,
        read_vocabulary(task.vocabulary).eot_token if task.ends else None,
        task.seed,
        owner=current_actor(),
    )
    return GeneratedText(task, begun, job)


def _stop() -> None:
    for text in _texts():
        text.job.stop()


def show() -> None:
    """Show the texts as they are generated; once all have ended, each token's choice."""
    writes = is_under_way()
    fragment(_show, run_every=TICK_SECONDS if writes else None)(writes)


def _show(wrote: bool) -> None:
    if is_under_way() != wrote:
        st.rerun()
    texts = _texts()
    if not texts:
        st.text("What the model writes will appear here, with the choice behind each token.")
        return
    st.text(f"{texts[0].task.model_name} · seed {texts[0].task.seed}")
    for number, text in enumerate(texts):
        _show_text(number, text, has_ended=not wrote)


def _show_text(number: int, text: GeneratedText, has_ended: bool) -> None:
    """Show one text and, once all have ended, the choice behind each of its tokens."""
    if text.job.error is not None:
        show_refusal(ValueError(str(text.job.error) or "It could not be written."))
        return
    places, task = text.places, text.task
    tokenizer = read_vocabulary(task.vocabulary)
    ids = [place.choice.token_id for place in places]
    note = count(len(ids), "token")
    if text.is_under_way:
        note = f"{len(ids)} of {count(task.tokens, 'token')}"
    prompt, written = decode_parts([task.prompt, ids], tokenizer)
    pieces = [Piece(on_few_lines(prompt), "prompt"), Piece(on_few_lines(written))]
    sample_list([Entry(describe_decoding(task.decoding), note, pieces)], "A text", f"text-{number}")
    if has_ended and places:
        _show_choices(number, task, places)


def _show_choices(number: int, task: GenerationTask, places: list[Place]) -> None:
    """Show the tokens and, for the selected one, its candidates, to continue from another."""
    tokenizer = read_vocabulary(task.vocabulary)
    found = [_found(place.choice) for place in places]
    selected = token_chips(
        [place.choice.token_id for place in places],
        label=f"What was written: {describe_decoding(task.decoding)}",
        key=f"{session_keys.WRITE_CHIPS}-{number}",
        second_line=[
            "yours" if place.is_yours else format_probability(p)
            for place, p in zip(places, found, strict=True)
        ],
        strengths=[probability_strength(p) for p in found],
        scale=replace(SCALE, has_legend=number == 0),
        marks=["new" if place.is_yours else "" for place in places],
        tokenizer=tokenizer,
    )
    if selected is None:
        if number == 0:
            st.caption("Below each token: how probable the model found it. Select one.")
        return
    choice = places[selected].choice
    names = [readable(tokenizer.decode_single_token_bytes(i)) for i in choice.candidates]
    at = choice.candidates.index(choice.token_id)
    live_chart(
        choice_bars(names, choice.before, choice.after, at),
        f"Candidates for this position. Chosen: {names[at]}, with probability "
        f"{choice.before[at]:.3f} in the model and {choice.after[at]:.3f} under these settings.",
        key=f"choice-{number}",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        other = st.selectbox(
            "Another token in its place",
            [i for i in range(len(names)) if i != at],
            format_func=lambda i: f"{i + 1}. {names[i]}: {format_probability(choice.before[i])}",
            key=f"branch-{number}-{selected}-{choice.token_id}",
            width=260,
        )
        st.button(
            "Continue from it",
            key=f"go-on-{number}",
            on_click=_branch,
            args=(number, selected, choice.candidates[other]),
        )


def _found(choice: Choice) -> float:
    """Return the model's probability of the chosen token, before decoding changes it."""
    return choice.before[choice.candidates.index(choice.token_id)]


def _branch(number: int, position: int, token_id: int) -> None:
    """Continue a text from another token at one position, with the same settings."""
    text = _texts()[number]
    before = text.places
    yours = Place(replace(before[position].choice, token_id=token_id), is_yours=True)
    try:
        _texts()[number] = _begin(text.task, (*before[:position], yours))
    except ValueError as error:
        toast(error)
