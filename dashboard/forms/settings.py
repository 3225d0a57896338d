"""Every field of a configuration as a widget with help, in groups."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.app import get_runner, hidden_controls, session_keys, show_refusal
from dashboard.charts import count, format_bytes
from dashboard.forms.rows import MAX_TASKS, parse_rows, split_rows
from dashboard.forms.weights import MIN_CONTEXT_LENGTH, StartingWeights
from gpt_core.config import (
    BEYOND,
    GPTConfig,
    TrainingConfig,
    field_groups,
    field_help,
)
from gpt_core.model import BYTES_PER_PARAMETER, count_config_parameters
from gpt_core.presets import PRESETS, Preset
from gpt_core.vocabularies import SINGLE_BYTES, get_tokenizer, token_ids_to_text
from gpt_core.weights import FREE

RANDOM_WEIGHTS = StartingWeights()
FEW = 6  # up to so many settings are all shown outside the panel
BYTE_PAIRS = 512  # suggested: a story gives as many
MAX_OWN_PROBES = 4
MAX_OWN_CHARACTERS = 33  # of a probe in another vocabulary than GPT-2's
CHOICES = {
    f.name: f.metadata["choices"]
    for config_class in (GPTConfig, TrainingConfig)
    for f in fields(config_class)
    if f.metadata["choices"]
}
PRECISION_NOTES = {
    "auto": "Measured: bfloat16 if this machine is clearly faster with it, else float32.",
    "float32": "About seven digits, as in the chapter. On a PC's CPU (x86-64) the chapter's run "
    "gives the book's losses digit for digit.",
    "bfloat16": "Products are rounded: faster on some CPUs, but only close to the book's losses.",
}
TOGETHER = (
    "Each takes accumulation_steps batches of an update. The losses are those of one process that "
    "takes all of them, up to the last digits."
)
BEYOND_NOTE = (
    "What later models do differently, one change at a time: as they are here, they are the "
    "chapter's. The Model page shows what each makes of the parts and their sizes."
)


@dataclass(frozen=True)
class Limits:
    """The range of a number field, and the step of its buttons."""

    lowest: float
    highest: float
    step: float


LIMITS = {
    "vocab_size": Limits(258, 50257, 1),  # of byte pairs
    "context_length": Limits(MIN_CONTEXT_LENGTH, 1024, 1),
    "emb_dim": Limits(1, 4096, 1),
    "n_heads": Limits(1, 64, 1),
    "n_layers": Limits(1, 64, 1),
    "drop_rate": Limits(0.0, 0.95, 0.05),
    "batch_size": Limits(1, 64, 1),
    "stride": Limits(1, 1_000_000, 1),
    "num_epochs": Limits(1, 100_000, 1),
    "learning_rate": Limits(1e-7, 1.0, 1e-4),
    "warmup_steps": Limits(0, 1_000_000, 1),
    "min_learning_rate": Limits(0.0, 1.0, 1e-5),
    "weight_decay": Limits(0.0, 1.0, 0.01),
    "beta1": Limits(0.0, 0.999, 0.01),
    "beta2": Limits(0.0, 0.9999, 0.001),
    "max_grad_norm": Limits(1e-3, 1000.0, 0.1),
    "accumulation_steps": Limits(1, 1024, 1),
    "eval_freq": Limits(1, 100_000, 1),
    "eval_iter": Limits(1, 10_000, 1),
    "sample_tokens": Limits(1, 500, 1),
    "keep_epochs": Limits(0, 1000, 1),
    "seed": Limits(0, 2**53 - 1, 1),
}
TITLES = {
    "model": "Model",
    "optimizer": "Optimizer",
    "data": "Data",
    "evaluation": "Evaluation",
    "machine": "Machine",
    BEYOND: "Beyond the chapter",
}


def setting_of(preset: Preset, name: str, beginning: StartingWeights = RANDOM_WEIGHTS) -> Any:
    """Return the value of a field, whether or not its widget is shown."""
    default = getattr(_config_of(preset, name), name)
    key = key_of(preset, name, beginning)
    if name == "keep_epochs" and st.session_state.get(f"{key}-every"):
        return setting_of(preset, "num_epochs", beginning)
    if _is_fixed(preset, name, beginning):
        return default
    return st.session_state.get(key, default)


def show_setting(preset: Preset, name: str, beginning: StartingWeights = RANDOM_WEIGHTS) -> None:
    """Show the widget of one field; its value is the same on every page during the session.

    If a run starts from given weights, the fields that they fix are disabled.
    """
    config = _config_of(preset, name)
    default, label, helped = getattr(config, name), name, field_help(type(config))[name]
    key = key_of(preset, name, beginning)
    chosen = st.session_state.get(key)  # may come from a run that is repeated
    common: dict[str, Any] = {"help": helped, "key": key, "persist_state": "session"}
    if _is_fixed(preset, name, beginning):
        key = f"{key}-{default}"  # separate for each value that weights fix
        if isinstance(default, str):
            st.selectbox(label, [default], help=helped, key=key, disabled=True)
        else:
            shown = st.toggle if isinstance(default, bool) else st.number_input
            shown(label, value=default, help=helped, key=key, disabled=True)
    elif beginning.weights is not None and name == "context_length":
        longest = beginning.weights.model.config.context_length
        st.number_input(label, MIN_CONTEXT_LENGTH, longest, default, step=1, **common)
    elif name in CHOICES:
        options = list(CHOICES[name])
        if name == "vocabulary":
            common |= {"on_change": _suggest_size, "args": (preset, beginning)}
        st.selectbox(label, options, index=options.index(default), **common)
    elif name == "train_ratio":
        lowest, highest = (0.5, 0.99) if chosen is None else (min(0.5, chosen), max(0.99, chosen))
        st.slider(label, lowest, highest, default, step=0.01, **common)
    elif name in LIMITS:
        limits = LIMITS[name]
        is_asked_for = setting_of(preset, "vocabulary", beginning) == "bpe"
        follows = name == "vocab_size" and not is_asked_for
        keeps_every = name == "keep_epochs" and _choose_to_keep_every_epoch(preset, beginning)
        st.number_input(
            label,
            limits.lowest if chosen is None else min(limits.lowest, chosen),
            limits.highest if chosen is None else max(limits.highest, chosen),
            default,
            step=limits.step,
            format="%g" if isinstance(limits.step, float) else None,
            disabled=keeps_every or follows,
            placeholder="one window" if name == "stride" else "none",
            **common,
        )
    elif isinstance(default, bool):
        st.toggle(label, default, **common)
    else:
        st.text_input(label, default, max_chars=2000, **common)


def _suggest_size(preset: Preset, beginning: StartingWeights) -> None:
    """Set vocab_size for a vocabulary that was just chosen: only "bpe" asks for it."""
    size = preset.model.vocab_size
    if setting_of(preset, "vocabulary", beginning) == "bpe" and size == GPTConfig().vocab_size:
        size = BYTE_PAIRS
    st.session_state[key_of(preset, "vocab_size", beginning)] = size


def _choose_to_keep_every_epoch(preset: Preset, beginning: StartingWeights) -> bool:
    """Let the user keep the weights of every epoch, and say what that takes on disk."""
    fields = {name: setting_of(preset, name, beginning) for name in asdict(preset.model)}
    kind, cost = setting_of(preset, "vocabulary", beginning), ""
    if kind == "bytes":
        fields["vocab_size"] = SINGLE_BYTES + 1
    if kind != "characters" or beginning.weights is not None:  # else the text gives the size
        with suppress(ValueError):  # which the form reports
            size = BYTES_PER_PARAMETER * count_config_parameters(GPTConfig(**fields))
            epochs = count(setting_of(preset, "num_epochs", beginning), "epoch")
            cost = f"{epochs} of {format_bytes(size)} each."
    wanted = st.toggle(
        "Keep the weights of every epoch",
        key=f"{key_of(preset, 'keep_epochs', beginning)}-every",
        help="To look into the model, or write with it, as it was after each epoch.",
        persist_state="session",
    )
    if cost:
        st.caption(cost)
    return wanted


def _config_of(preset: Preset, name: str) -> GPTConfig | TrainingConfig:
    """Return the configuration of a preset that has the field."""
    return preset.model if hasattr(preset.model, name) else preset.training


def _is_fixed(preset: Preset, name: str, beginning: StartingWeights) -> bool:
    """Return whether the weights that a run starts from fix a field."""
    return beginning.weights is not None and _comes_with_weights(preset, name) and name not in FREE


def _comes_with_weights(preset: Preset, name: str) -> bool:
    """Return whether a field describes the model, or the vocabulary that belongs to it."""
    return hasattr(preset.model, name) or name == "vocabulary"


def key_of(preset: Preset, name: str, beginning: StartingWeights = RANDOM_WEIGHTS) -> str:
    """Return the session key of a field: one per preset; for fields of the model, one per choice
    of starting weights; for the prompt, one per prompt that suits a text.
    """
    has_weights = _comes_with_weights(preset, name) and beginning.option
    of_weights = f"-{beginning.option}" if has_weights else ""
    of_text = f"-{preset.training.start_context}" if name == "start_context" else ""
    # A proposal's defaults follow from the text: other ones are other widgets.
    of_proposal = "" if preset.name in PRESETS else f"-{hash((preset.model, preset.training))}"
    return f"{session_keys.SETTING}-{name}-{preset.name}{of_proposal}{of_weights}{of_text}"


def choose_settings(
    preset: Preset, beginning: StartingWeights = RANDOM_WEIGHTS, in_front: Sequence[str] = ()
) -> Preset | None:
    """Let the user change each field of a preset; None after saying what is wrong.

    Args:
        preset: the preset to start from.
        beginning: the weights that the run starts from; the preset has their model.
        in_front: fields shown before the others, outside the panel.
    """
    hidden = hidden_controls()
    settings = {**vars(preset.model), **vars(preset.training)}
    shown = [name for name in (*in_front, *settings) if name not in hidden]
    if len(shown) <= FEW:  # few controls, as in a first lesson: no panel is needed
        in_front = [name for name in dict.fromkeys(shown) if name != "probes"]
    in_front = [name for name in in_front if name not in hidden]
    for column, name in zip(_columns(len(in_front)), in_front, strict=False):
        with column:
            show_setting(preset, name, beginning)
    if folded := [name for name in shown if name not in in_front]:
        rest = st.expander(
            "All settings" if not in_front else "All other settings",
            key=session_keys.OTHER_SETTINGS,
            on_change="rerun",
        )
        if rest.open:  # built only when open
            with rest:
                _show_groups(preset, beginning, folded)
    values = settings | {name: setting_of(preset, name, beginning) for name in shown}
    if values["vocabulary"] != "bpe" and beginning.weights is None:
        values["vocab_size"] = GPTConfig().vocab_size  # it follows from the vocabulary
    own = st.session_state.get(session_keys.OWN_PROBES) if "probes" in folded else None
    try:
        probes = own_probes(own or "", values["context_length"], values["vocabulary"])
        extra = tuple(probe for probe in probes if probe not in preset.training.probes)
        values["probes"] = (*preset.training.probes, *extra)
        model = replace(preset.model, **{n: values[n] for n in asdict(preset.model)})
        training = replace(preset.training, **{n: values[n] for n in asdict(preset.training)})
    except ValueError as error:
        show_refusal(error)
        return None
    _show_changes(preset, model, training, beginning)
    return replace(preset, model=model, training=training)


def _show_groups(preset: Preset, beginning: StartingWeights, names: Sequence[str]) -> None:
    """Show settings in tabs, one per group."""
    by_class = (field_groups(GPTConfig), field_groups(TrainingConfig))
    groups = {
        group: [n for groups in by_class for n in groups.get(group, ()) if n in names]
        for group in TITLES
    }
    groups = {group: own for group, own in groups.items() if own}
    tabs = st.tabs([TITLES[group] for group in groups])
    for tab, own in zip(tabs, groups.values(), strict=True):
        with tab:
            others = [name for name in own if name != "probes"]
            for column, name in zip(_columns(len(others)), others, strict=False):
                with column:
                    show_setting(preset, name, beginning)
            if "tied_head" in own:
                st.caption(BEYOND_NOTE)
            if "precision" in own and get_runner().max_processes > 1:
                _choose_devices()
            if "precision" in own:
                st.caption(PRECISION_NOTES[setting_of(preset, "precision", beginning)])
            if "probes" in own:
                _show_own_probes()


def _choose_devices() -> None:
    """Let the user choose the GPUs, or the number of processes, that train the run together."""
    most = get_runner().max_processes
    if len(_gpus()) > 1:
        st.multiselect(
            "GPUs",
            _gpus(),
            max_selections=most,
            placeholder="One that is free",
            key=session_keys.DEVICES,
            persist_state="session",
            help=f"Two or more train the run together, started by torchrun. {TOGETHER}",
        )
    else:
        st.number_input(
            "processes",
            *(1, most, 1),
            key=session_keys.PROCESSES,
            persist_state="session",
            help=f"How many train the run together, started by torchrun. {TOGETHER}",
        )


def chosen_devices() -> tuple[str, ...]:
    """Return the devices that the user has chosen to train a run together; () for any one."""
    gpus, most = _gpus(), get_runner().max_processes
    if len(gpus) > 1:
        return tuple(gpu for gpu in st.session_state.get(session_keys.DEVICES, ()) if gpu in gpus)
    processes = min(st.session_state.get(session_keys.PROCESSES, 1), most)
    return ("cpu",) * processes if processes > 1 else ()


def _gpus() -> list[str]:
    return [device for device in get_runner().devices if device.startswith("cuda:")]


def _columns(count: int) -> Iterator[DeltaGenerator]:
    """Yield columns for widgets, three per row; on a phone they keep their order."""
    for _ in range(0, count, 3):
        yield from st.columns(3, gap="medium")


def _show_own_probes() -> None:
    st.caption(
        "Each evaluation records how probable the model finds the tokens of the chapter's two rows "
        "and of a line of the text. Add up to four rows of your own."
    )
    st.text_area(
        "Rows of your own, one per line", key=session_keys.OWN_PROBES, persist_state="session"
    )


def _show_changes(
    preset: Preset, model: GPTConfig, training: TrainingConfig, beginning: StartingWeights
) -> None:
    """Show what differs from the preset, with a button that resets it."""
    changed = list(preset.changes(model, training))
    if not changed:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Changed from {preset.name}: {', '.join(changed)}.")
        st.button(
            "Reset to the preset",
            on_click=_reset,
            args=(preset, tuple(changed), beginning),
        )


def _reset(preset: Preset, names: tuple[str, ...], beginning: StartingWeights) -> None:
    for name in names:
        if name == "probes":
            st.session_state[session_keys.OWN_PROBES] = ""
        else:
            value = getattr(_config_of(preset, name), name)
            st.session_state[key_of(preset, name, beginning)] = value


def own_probes(entered: str, context_length: int, vocabulary: str = "gpt2") -> tuple[str, ...]:
    """Return the rows that a user entered, without repetitions.

    How many tokens a row has in a vocabulary that is still to be learnt, the run checks.

    Raises:
        ValueError: there are too many, or one is too short or too long.
    """
    if not entered.strip():
        return ()
    if vocabulary != "gpt2":
        lines = split_rows(entered, MAX_OWN_PROBES)
        for number, line in enumerate(lines, start=1):
            if len(line) > MAX_OWN_CHARACTERS:
                raise ValueError(
                    f"Row {number} has {len(line):,} characters: give it {MAX_OWN_CHARACTERS} or "
                    "fewer."
                )
        return tuple(dict.fromkeys(lines))
    rows = parse_rows(entered, min(context_length, MAX_TASKS), MAX_OWN_PROBES)
    return tuple(dict.fromkeys(token_ids_to_text(row, get_tokenizer()) for row in rows))
