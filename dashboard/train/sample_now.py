"""Sample now: a copy of the model that trains continues the user's prompt."""

from dataclasses import dataclass

import streamlit as st

from dashboard.app import (
    current_actor,
    fragment,
    get_generation_worker,
    get_model_cache,
    get_runner,
    get_store,
    get_visible_runs,
    session_keys,
    show_refusal,
    toast,
)
from dashboard.components.sample_list import Entry, describe_copying, marked, sample_list
from dashboard.ui import can_be_copied
from gpt_core.analysis import Copying, find_copying
from gpt_core.inference import GenerationJob
from gpt_core.model import GPTModel
from gpt_core.store import Run, RunState
from gpt_core.text import run_text, token_cache_in
from gpt_core.training import encode_splits
from gpt_core.vocabularies import (
    decode_parts,
    describe_unknown,
    run_tokenizer,
    text_to_token_ids,
)
from gpt_core.weights import INITIAL_STEP


@dataclass
class Asked:
    """A text that the user asked for: its run, its prompt and its job."""

    run_id: str
    prompt: str
    job: GenerationJob | None = None
    step: int | None = None  # of the weights; the worker sets it once it has them
    copying: Copying | None = None  # once the text has ended

    @property
    def is_under_way(self) -> bool:
        """Tell whether the worker has not finished it yet."""
        return self.job is not None and not self.job.ended.is_set()


def show(run: Run | None) -> None:
    """Let the user give the model a prompt; show the text as it is generated."""
    if run is not None and session_keys.REPLAY not in st.query_params:
        writes = is_under_way()
        fragment(_show_sample_now, run_every=1 if writes else None)(run.id, writes)


def is_under_way() -> bool:
    """Tell whether a text is being written for this visitor."""
    asked = st.session_state.get(session_keys.ASKED)
    return asked is not None and asked.is_under_way


def _show_sample_now(run_id: str, wrote: bool) -> None:
    if is_under_way() != wrote:
        st.rerun()  # the redraw interval changes
    run = get_visible_runs().run(run_id)
    if run is None or run.is_redacted:
        return
    step = _newest_weights(run)
    if step is None and (run.state is RunState.QUEUED or not can_be_copied(run)):
        return  # it has no weights yet, or none on this machine
    st.header("Let it write")
    when = "as it is now"
    if not can_be_copied(run) and step is not None:
        saved = "before the first update" if step == INITIAL_STEP else f"saved at step {step:,}"
        when = f"as it was {saved}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            f"Ask the model, {when}, to continue",
            run.training_config.start_context,
            key=f"{session_keys.PROMPT}-{run.id}",
            persist_state="session",
            max_chars=2000,
        )
        st.button("Write", on_click=_ask, args=(run, step), disabled=is_under_way())
    asked = st.session_state.get(session_keys.ASKED)
    if asked is not None and asked.run_id == run.id and asked.job is not None:
        _show(run, asked)


def _newest_weights(run: Run) -> int | None:
    steps = [int(row.global_step) for row in get_visible_runs().checkpoints(run.id)]
    return max(steps, default=None)


def _ask(run: Run, saved_step: int | None) -> None:
    """Submit the prompt to the generation worker, which takes the copy, without waiting."""
    prompt = st.session_state.get(f"{session_keys.PROMPT}-{run.id}") or ""
    asked = Asked(run.id, prompt)
    runner, model_cache, store = get_runner(), get_model_cache(), get_store()
    actor = current_actor()  # the worker knows no visitor
    may_copy = can_be_copied(run)

    def take_copy() -> GPTModel:
        now = store.run(run.id)
        if may_copy and now is not None and now.is_live:  # not ended since
            snapshot = model_cache.snapshot(runner, run.id, actor=actor)
            asked.step = snapshot.global_step
            return snapshot.model
        if saved_step is None:
            raise ValueError("The run has ended and saved no weights.")
        asked.step = saved_step
        return model_cache.checkpoint(store, run.id, saved_step, actor=actor)

    try:
        token_ids = text_to_token_ids(prompt, run_tokenizer(store, run))  # (1, T)
        asked.job = get_generation_worker().submit(
            take_copy, token_ids, run.training_config.sample_tokens, owner=actor
        )
    except ValueError as error:
        toast(error)
        return
    st.session_state[session_keys.ASKED] = asked


def _show(run: Run, asked: Asked) -> None:
    """Show a text as far as it is generated and, once it has ended, what is copied."""
    job = asked.job
    assert job is not None
    has_ended = job.ended.is_set()  # read before the text, which is then complete
    if job.error is not None:
        show_refusal(ValueError(str(job.error) or "It took too long. Try again."))
        return
    if asked.step is None:
        st.caption("Waiting for the end of a step…")
        return
    tokenizer = run_tokenizer(get_store(), run)
    ids = text_to_token_ids(asked.prompt, tokenizer)[0].tolist()
    [text] = decode_parts([[*ids, *job.new_ids]], tokenizer)
    if note := describe_unknown(asked.prompt, tokenizer):
        st.caption(note)
    if has_ended and asked.copying is None:
        try:
            asked.copying = _find_copying(run, text, asked.prompt)
        except ValueError as error:  # the run's text is missing, or damaged
            show_refusal(error)
    when = "Before the first step" if asked.step < 0 else f"At step {asked.step:,}"
    note = describe_copying(asked.copying) if asked.copying else "" if has_ended else "writing…"
    sample_list([Entry(when, note, marked(text, asked.copying))], "A text", "now")


def _find_copying(run: Run, text: str, prompt: str) -> Copying:
    store = get_store()
    tokenizer = run_tokenizer(store, run)
    cache = token_cache_in(store.runs_dir)
    corpus = run_text(store, run)
    train_ids, _ = encode_splits(corpus.text, tokenizer, run.training_config, cache)
    return find_copying(text, prompt, train_ids, tokenizer)
