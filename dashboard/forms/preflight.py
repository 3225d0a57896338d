"""What a run will take, before it starts: steps, tokens, memory, disk and, measured, time."""

import shutil

import psutil
import streamlit as st

from dashboard.app import get_runner, get_store, is_restricted, session_keys, show_refusal
from dashboard.charts import count, format_bytes, format_duration
from gpt_core.inspection import summarize
from gpt_core.presets import Preset
from gpt_core.runner import time_steps
from gpt_core.system import describe_error
from gpt_core.text import Corpus, TokenCache, count_batches, token_cache_in
from gpt_core.training import prepare_data, steps_in_run
from gpt_core.vocabularies import get_tokenizer
from gpt_core.weights import max_checkpoint_bytes

MEASURE_SECONDS = 110  # as long as a measurement is waited for


def facts(preset: Preset, train_tokens: int) -> dict[str, str]:
    """Return what a run takes, by what it is called."""
    config = preset.training
    batches = count_batches(train_tokens, preset.model, config, drop_last=True).batches
    seen = config.num_epochs * batches * config.batch_size * preset.model.context_length
    return {
        "Steps": f"{steps_in_run(batches, config):,}",
        "Tokens seen": f"{seen:,}",
        "Memory, at least": format_bytes(summarize(preset.model, 1, 1).training_bytes),
        "Disk, at most": format_bytes(max_checkpoint_bytes(preset.model, config.keep_epochs)),
    }


def show_line(corpus: Corpus, preset: Preset) -> bool:
    """Show on one line what a run takes, or why it cannot be; return whether it can."""
    try:
        data = prepare_data(corpus.text, get_tokenizer(), preset.model, preset.training, _cache())
        require_memory(preset)
    except ValueError as error:
        show_refusal(error)
        return False
    named = facts(preset, data.train_tokens)
    with st.container(horizontal=True, vertical_alignment="center"):
        parameters = summarize(preset.model, 1, 1).parameters
        st.caption(
            f"{count(parameters, 'parameter')} · {named['Steps']} steps · "
            f"{named['Tokens seen']} tokens seen · at least {named['Memory, at least']} of memory "
            f"· at most {named['Disk, at most']} of disk"
        )
        show_expected_time(corpus, preset)
    return True


def require_memory(preset: Preset) -> None:
    """Raise ValueError where a run needs more memory than this machine has, or more disk."""
    memory = summarize(preset.model, 1, 1).training_bytes
    there = psutil.virtual_memory().total
    if memory > there:
        raise ValueError(
            f"The model needs at least {format_bytes(memory)} of memory, and this machine has "
            f"{format_bytes(there)}: choose a smaller emb_dim or n_layers."
        )
    disk = max_checkpoint_bytes(preset.model, preset.training.keep_epochs)
    free = shutil.disk_usage(get_store().runs_dir).free
    if disk > free:
        raise ValueError(
            f"The run's checkpoints may take {format_bytes(disk)} of disk, and "
            f"{format_bytes(free)} are free: choose fewer keep_epochs or a smaller model."
        )


def show_expected_time(corpus: Corpus, preset: Preset) -> None:
    """Offer to measure how long a run takes, and show what came of it."""
    if is_restricted():  # it would take the machine from the others
        return
    key = f"{corpus.sha256} {preset}"
    measured = st.session_state.get(session_keys.MEASURED, {})
    if st.button("Measure how long it takes"):
        measured = {key: _measure(corpus, preset)}
        st.session_state[session_keys.MEASURED] = measured
    seconds = measured.get(key)
    if seconds is not None:
        st.text(
            f"About {format_duration(seconds)}, from a few of its own steps on this machine, if "
            "nothing else runs beside it."
        )


def _measure(corpus: Corpus, preset: Preset) -> float | None:
    try:
        with st.spinner("Taking a few steps…", show_time=True):
            data = prepare_data(
                corpus.text, get_tokenizer(), preset.model, preset.training, _cache()
            )
            pace = time_steps(get_runner(), preset.model, preset.training, data)
            answer = pace.result(MEASURE_SECONDS)
    except TimeoutError:
        pace.cancel()  # nobody waits for it any more
        st.text("It was not measured: the machine had no time for it. Try again.")
        return None
    except (ValueError, RuntimeError, MemoryError) as error:
        show_refusal(ValueError(describe_error(error)))
        return None
    return answer.of_the_run(preset.training, steps_in_run(len(data.train_loader), preset.training))


def _cache() -> TokenCache:
    return token_cache_in(get_store().runs_dir)
