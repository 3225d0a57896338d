"""The cost of a run before it starts: steps, tokens, memory, disk and measured time."""

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

MEASURE_SECONDS = 110  # timeout of a measurement


def facts(preset: Preset, train_tokens: int) -> dict[str, str]:
    """Return the cost of a run as labelled texts: steps, tokens, memory and disk."""
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
    """Show the cost of a run on one line, or why it is refused; return whether it can start."""
    try:
        data = prepare_data(corpus.text, get_tokenizer(), preset.model, preset.training, _cache())
        require_memory(preset)
    except ValueError as error:
        show_refusal(error)
        return False
    named = facts(preset, data.train_tokens)
    with st.container(horizontal=True, vertical_alignment="center"):
        parameters = summarize(preset.model, 1, 1).parameters
        steps = "step" if named["Steps"] == "1" else "steps"
        st.caption(
            f"{count(parameters, 'parameter')} · {named['Steps']} {steps} · "
            f"{named['Tokens seen']} tokens seen · at least {named['Memory, at least']} of memory "
            f"· at most {named['Disk, at most']} of disk"
        )
        show_expected_time(corpus, preset)
    return True


def require_memory(preset: Preset) -> None:
    """Check that a run fits into this machine's memory and free disk space.

    Raises:
        ValueError: it does not.
    """
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
            f"{format_bytes(free)} are free: choose a lower keep_epochs or a smaller model."
        )


def show_expected_time(corpus: Corpus, preset: Preset) -> None:
    """Let the user measure how long a run takes, and show the result."""
    if is_restricted():  # measuring would slow the others down
        return
    key = f"{corpus.sha256} {preset}"
    measured = st.session_state.get(session_keys.MEASURED, {})
    if st.button("Measure how long it takes"):
        measured = {key: _measure(corpus, preset)}
        st.session_state[session_keys.MEASURED] = measured
    seconds = measured.get(key)
    if seconds is not None:
        st.text(
            f"About {format_duration(seconds)}, estimated from a few steps on this machine, if "
            "nothing else runs at the same time."
        )


def _measure(corpus: Corpus, preset: Preset) -> float | None:
    try:
        with st.spinner("Taking a few steps…", show_time=True):
            data = prepare_data(
                corpus.text, get_tokenizer(), preset.model, preset.training, _cache()
            )
            timing = time_steps(get_runner(), preset.model, preset.training, data)
            answer = timing.result(MEASURE_SECONDS)
    except TimeoutError:
        timing.cancel()  # no longer needed
        st.text("The time was not measured: the machine was busy. Try again.")
        return None
    except (ValueError, RuntimeError, MemoryError) as error:
        show_refusal(ValueError(describe_error(error)))
        return None
    return answer.of_the_run(preset.training, steps_in_run(len(data.train_loader), preset.training))


def _cache() -> TokenCache:
    return token_cache_in(get_store().runs_dir)
