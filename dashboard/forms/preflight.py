"""The cost of a run before it starts: steps, tokens, memory, disk and time."""

import shutil
from collections.abc import Sequence
from dataclasses import replace

import psutil
import streamlit as st

from dashboard.app import (
    current_actor,
    get_cached_store,
    get_runner,
    get_store,
    is_restricted,
    session_keys,
    show_refusal,
)
from dashboard.charts import count, format_bytes, format_duration, format_estimate
from dashboard.forms import vocabulary
from gpt_core.access import seconds_left
from gpt_core.export import RECORDED_RUN
from gpt_core.inspection import summarize
from gpt_core.model import best_device, check_compile, resolve_auto, training_memory
from gpt_core.presets import Preset
from gpt_core.runner import estimate_seconds, find_largest_batch, require_devices, time_steps
from gpt_core.system import describe_error
from gpt_core.text import Corpus, TokenCache, count_batches, token_cache_in
from gpt_core.training import prepare_data, steps_in_run
from gpt_core.weights import max_checkpoint_bytes

MEASURE_SECONDS = 110  # timeout of a measurement


def facts(preset: Preset, train_tokens: int, seconds: float | None) -> dict[str, str]:
    """Return the cost of a run as labelled texts: steps, tokens, time, memory and disk.

    ``seconds`` are those of :func:`expected_seconds`.
    """
    config = preset.training
    batches = count_batches(train_tokens, preset.model, config, drop_last=True).batches
    seen = config.num_epochs * batches * config.batch_size * preset.model.context_length
    return {
        "Steps": f"{steps_in_run(batches, config):,}",
        "Tokens seen": f"{seen:,}",
        "Time on this machine": _in_words(seconds),
        "Memory, at least": format_bytes(training_memory(preset.model, resolve_auto(config)).peak),
        "Disk, at most": format_bytes(max_checkpoint_bytes(preset.model, config.keep_epochs)),
    }


def show_line(
    corpus: Corpus, preset: Preset, given: str | None = None, devices: Sequence[str] = ()
) -> bool:
    """Show the cost of a run on one line, or why it is refused; return whether it can start.

    Args:
        corpus: the text.
        preset: the settings.
        given: the vocabulary of its initial weights; None if they are random.
        devices: those of several processes that train it together.
    """
    try:
        batches = max(1, len(devices)) * preset.training.accumulation_steps  # in an update
        preset = replace(preset, training=replace(preset.training, accumulation_steps=batches))
        fitted = vocabulary.fit_preset(corpus, preset, given)
        preset, tokenizer = fitted
        data = prepare_data(corpus.text, tokenizer, preset.model, preset.training, _cache())
        require_memory(preset)
        config = resolve_auto(preset.training)
        check_compile(preset.model, config)
        runner, actor = get_runner(), current_actor()
        require_devices(devices, config.device, runner.devices, runner.max_processes, actor)
    except ValueError as error:
        show_refusal(error)
        return False
    seconds = expected_seconds(preset, data.train_tokens, data.val_tokens)
    if seconds is not None:
        seconds /= _parallel(devices)
    named = facts(preset, data.train_tokens, seconds)
    with st.container(horizontal=True, vertical_alignment="center"):
        steps = steps_in_run(len(data.train_loader), preset.training)
        costs = [
            count(summarize(preset.model, 1, 1).parameters, "parameter"),
            f"{count(steps, 'step')} with {named['Tokens seen']} tokens",
            named["Time on this machine"],
            f"at least {named['Memory, at least']} of memory",
            f"at most {named['Disk, at most']} of disk",
        ]
        st.caption(" · ".join(costs))
        _warn_of_limit(seconds)
        measure_time(corpus, fitted, devices)
        if best_device() == "cuda":
            offer_largest_batch(preset, data.train_tokens)
    vocabulary.show_size(fitted, data.train_tokens + data.val_tokens)
    vocabulary.show_notes(corpus, fitted)
    return True


def show_expected_times(corpus: Corpus, presets: Sequence[Preset]) -> None:
    """Show how long each preset is expected to train on a text."""
    try:
        times = {}
        for preset in presets:
            seconds = expected_seconds(preset, *vocabulary.expect_tokens(corpus, preset))
            times[preset.name] = _in_words(seconds)
    except ValueError:
        return  # the form says why this text cannot be trained on
    st.caption(
        "Expected on this text and this machine: "
        + ", ".join(f"{name} {time}" for name, time in times.items())
        + "."
    )


def _in_words(seconds: float | None) -> str:
    """Return an expected time in words."""
    return "needs a longer text" if seconds is None else format_estimate(seconds)


def expected_seconds(preset: Preset, train_tokens: int, val_tokens: int) -> float | None:
    """Return the seconds of a run, at the speed measured last here or else recorded last.

    None if the text is too short for it.
    """
    settings = (preset.model, preset.training, train_tokens, val_tokens)
    _, measured, counted = st.session_state.get(session_keys.MEASURED, ("", None, None))
    if measured and counted:
        seconds = estimate_seconds(*settings)
        return None if seconds is None else seconds * measured / counted
    recorded = get_cached_store().summaries()
    made_here = [summary for summary in recorded if summary.run.id != RECORDED_RUN]
    return estimate_seconds(*settings, made_here)


def _warn_of_limit(seconds: float | None) -> None:
    """Say so if a student's run is expected to take longer than the training time they have."""
    rules = get_runner().rules
    if not is_restricted() or rules.most_minutes is None or seconds is None:
        return
    left = seconds_left(get_store(), rules, current_actor())
    if seconds > left:
        st.text(
            f"You have {format_duration(max(0.0, left))} of training time left: it would be "
            "stopped before its end. Choose fewer epochs or a shorter text."
        )


def require_memory(preset: Preset) -> None:
    """Check that a run fits into this machine's memory and free disk space.

    Raises:
        ValueError: it does not.
    """
    memory = training_memory(preset.model, preset.training).model
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


def _parallel(devices: Sequence[str]) -> int:
    """Return by how much devices shorten a run at most; CPU processes share the same cores."""
    return max(1, len([device for device in devices if device != "cpu"]))


def measure_time(
    corpus: Corpus, fitted: vocabulary.FittedPreset, devices: Sequence[str] = ()
) -> None:
    """Let the user measure how long a run takes, and show the result."""
    preset = fitted.preset
    if is_restricted():  # measuring would slow the others down
        return
    key = f"{corpus.sha256} {preset}"
    helped = "Takes a few steps with these settings; other training waits."
    if st.button("Measure how long it takes", help=helped) and (timed := _measure(corpus, fitted)):
        st.session_state[session_keys.MEASURED] = (key, *timed)
        st.rerun()  # all estimates follow
    measured_key, seconds, _ = st.session_state.get(session_keys.MEASURED, ("", None, None))
    if measured_key == key and seconds is not None:
        shared = f" and divided by {_parallel(devices)}" if _parallel(devices) > 1 else ""
        st.text(
            f"About {format_duration(seconds / _parallel(devices))}, estimated from a few steps on "
            f"this machine{shared}, if nothing else runs at the same time."
        )


def offer_largest_batch(preset: Preset, train_tokens: int) -> None:
    """Let the user find the largest batch that fits into the GPU's memory, and show it."""
    if is_restricted() or resolve_auto(preset.training).device != "cuda":
        return
    helped = "Tries larger and larger batches with these settings; other training waits."
    if not st.button("Find the largest batch", help=helped):
        return
    windows = count_batches(train_tokens, preset.model, preset.training, drop_last=True).windows
    finding = find_largest_batch(get_runner(), preset.model, preset.training, windows)
    try:
        with st.spinner("Trying batches…", show_time=True):
            size = finding.result(MEASURE_SECONDS)
    except TimeoutError:
        finding.cancel()  # no longer needed
        st.text("Not found: the machine is busy. Try again when no run trains.")
    except (ValueError, RuntimeError, MemoryError) as error:
        show_refusal(ValueError(describe_error(error)))
    else:
        st.text(
            f"The largest batch_size that fits is {size:,}."
            if size
            else "Not even one window fits: choose a smaller model or context_length."
        )


def _measure(corpus: Corpus, fitted: vocabulary.FittedPreset) -> tuple[float, float | None] | None:
    """Return the seconds of a run by a few of its steps, and by counting; None if that fails."""
    preset, tokenizer = fitted
    try:
        with st.spinner("Taking a few steps…", show_time=True):
            data = prepare_data(corpus.text, tokenizer, preset.model, preset.training, _cache())
            timing = time_steps(get_runner(), preset.model, preset.training, data)
            answer = timing.result(MEASURE_SECONDS)
    except TimeoutError:
        timing.cancel()  # no longer needed
        st.text("Not measured: the machine is busy. Try again when no run trains.")
        return None
    except (ValueError, RuntimeError, MemoryError) as error:
        show_refusal(ValueError(describe_error(error)))
        return None
    seconds = answer.of_the_run(
        preset.training, steps_in_run(len(data.train_loader), preset.training)
    )
    counted = estimate_seconds(preset.model, preset.training, data.train_tokens, data.val_tokens)
    return seconds, counted


def _cache() -> TokenCache:
    return token_cache_in(get_store().runs_dir)
