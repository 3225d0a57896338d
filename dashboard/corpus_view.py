"""The parts of the Data page: what a model will see of a text, and what training on it takes."""

import streamlit as st
from torch import Tensor, cat

from dashboard import config_form, preflight_view, state, widgets
from dashboard.frames import count
from dashboard.initial_choice import SHORTEST_CONTEXT
from dashboard.people import allowed_presets
from dashboard.refusals import show_refusal
from dashboard.runtime import get_store
from dashboard.token_chips import token_chips
from gpt_core.config import TrainingConfig
from gpt_core.presets import PRESETS, Preset
from gpt_core.text import (
    ENGLISH_TOKENS_PER_CHARACTER,
    Corpus,
    Layout,
    Survey,
    create_dataloader,
    fitting_context_length,
    lay_out,
    split_text,
    survey_tokens,
    token_cache_in,
)
from gpt_core.training import encode_splits, steps_in_run
from gpt_core.vocabularies import END_OF_TEXT, get_tokenizer, token_ids_to_text

LONG_TEXT = 3_000_000  # characters that take a while to encode
DRAWN_WINDOWS = 6
CUTTING = ("train_ratio", "context_length", "batch_size", "stride")  # settings


def choose_settings(corpus: Corpus) -> Preset | None:
    """Let the user set how the text is cut up; return the preset with these settings."""
    name = st.selectbox(
        "Model and training", allowed_presets(), key=state.PRESET, persist_state="session"
    )
    has_boundaries = END_OF_TEXT in corpus.text
    in_front = (*CUTTING, "end_of_text") if has_boundaries else CUTTING
    return config_form.choose_settings(PRESETS[name], in_front=in_front)


def encode(corpus: Corpus, config: TrainingConfig) -> tuple[Tensor, Tensor]:
    """Return the token IDs of both splits, with a progress bar where that takes a while."""
    cache = token_cache_in(get_store().runs_dir)
    if len(corpus.text) < LONG_TEXT:
        return encode_splits(corpus.text, get_tokenizer(), config, cache)
    bar = st.progress(0.0, text="Encoding the text…")

    def report(share: float) -> None:
        bar.progress(share, text=f"Encoding the text: {share:.0%}")

    splits = encode_splits(corpus.text, get_tokenizer(), config, cache, report)
    bar.empty()
    return splits


def show_survey(survey: Survey) -> None:
    """Show how many tokens a text is, which, and what its script costs."""
    tokenizer = get_tokenizer()
    widgets.show_numbers(
        {
            "Characters": f"{survey.characters:,}",
            "Tokens": f"{survey.tokens:,}",
            "Different tokens": f"{survey.distinct:,}",
            "Of the vocabulary": f"{100 * survey.distinct / tokenizer.n_vocab:.1f}%",
            "Tokens per character": f"{survey.tokens_per_character:.2f}",
        }
    )
    times = survey.tokens_per_character / ENGLISH_TOKENS_PER_CHARACTER
    if times > 1.3:
        st.text(
            f"{times:.1f} times as many tokens per character as English prose "
            f"({ENGLISH_TOKENS_PER_CHARACTER}): the vocabulary was made from English, and takes "
            "other scripts, digits and rare words apart, down to their bytes. A window of the same "
            "length holds less of this text."
        )
    else:
        st.caption(
            f"English prose takes about {ENGLISH_TOKENS_PER_CHARACTER} tokens per character."
        )
    st.subheader("Its most frequent tokens")
    token_chips(
        [token_id for token_id, _ in survey.most_frequent],
        label="The most frequent tokens",
        key="frequent",
        second_line=[f"{times:,}×" for _, times in survey.most_frequent],
    )
    st.subheader("Its longest tokens")
    token_chips(list(survey.longest), label="The longest tokens", key="longest")


def show_split(corpus: Corpus, preset: Preset, train_tokens: int, val_tokens: int) -> None:
    """Show where the text is cut in two, with the words around the cut."""
    train, val = split_text(corpus.text, preset.training.train_ratio)
    st.dataframe(
        [
            {"part": "training", "characters": len(train), "tokens": train_tokens},
            {"part": "validation", "characters": len(val), "tokens": val_tokens},
        ],
        hide_index=True,
    )
    st.text(f"The cut: “…{' '.join(train[-120:].split())}” | “{' '.join(val[:120].split())}…”")
    st.caption(
        "By characters, as in the chapter: the model learns from what stands before the cut, and "
        "its validation loss is measured on what stands after it, which it never sees."
    )


def show_windows(preset: Preset, train: Layout, val: Layout) -> None:
    """Show how windows lie on the tokens, and how many batches, steps and epochs that makes."""
    length = preset.model.context_length
    stride = preset.training.stride or length
    st.html(windows_drawing(length, stride, train.windows))
    overlap = max(0, length - stride)
    between = f"{count(overlap, 'token')} of each are in the next, too" if overlap else (
        "none overlap" if stride == length else f"{count(stride - length, 'token')} between two"
    )  # fmt: skip
    st.caption(f"A window of {length:,} tokens begins every {stride:,}: {between}.")
    rows = [
        {
            "part": name,
            "tokens": layout.tokens,
            "windows": layout.windows,
            "batches": layout.batches,
            "windows left out": layout.left_over_windows,
            "tokens left over": layout.left_over_tokens,
        }
        for name, layout in (("training", train), ("validation", val))
    ]
    st.dataframe(rows, hide_index=True)
    epochs, together = preset.training.num_epochs, preset.training.accumulation_steps
    each = "each is" if together == 1 else f"{together} together are"
    size = count(preset.training.batch_size, "window")
    st.markdown(
        f"A **batch** is {size} of {length:,} tokens; {each} "
        f"one **step**, an update of all weights. Once through, {train.batches:,} of them, is "
        f"an **epoch**. {epochs} epochs are "
        f"**{steps_in_run(train.batches, preset.training):,} steps**, in which the "
        f"model sees {epochs * train.batches * preset.training.batch_size * length:,} tokens. "
        "The training loader shuffles the windows anew in each epoch and leaves out a last batch "
        "that is not full; the validation loader does neither."
    )


def windows_drawing(length: int, stride: int, windows: int) -> str:
    """Return the first windows over the tokens as HTML: bars, each a stride further on."""
    drawn = min(windows, DRAWN_WINDOWS)
    whole = max((drawn - 1) * stride + length + 1, 1)
    bars = "".join(
        f'<span style="margin-left: {100 * i * stride / whole:.2f}%; '
        f'width: {100 * length / whole:.2f}%">{i * stride:,} – {i * stride + length - 1:,}</span>'
        for i in range(drawn)
    )
    return (
        f'<div class="gpt-windows" role="img" aria-label="The first {drawn} windows, each '
        f'{length} tokens long, one every {stride}">{bars}</div>'
    )


def show_batch(preset: Preset, train_ids: Tensor) -> None:
    """Show the text's first batch as the two tensors and as text."""
    settings = (preset.training.batch_size, preset.model.context_length, preset.training.stride)
    loader = create_dataloader(train_ids, *settings, shuffle=False, drop_last=False)
    inputs, targets = next(iter(loader))  # (B, T), (B, T)
    st.code(
        f"inputs  {tuple(inputs.shape)}\n{inputs}\n\ntargets {tuple(targets.shape)}\n{targets}",
        height=320,
    )
    text = token_ids_to_text(inputs[0], get_tokenizer())
    st.text(f"Its first row reads: “{text[:400]}{'…' * (len(text) > 400)}”")


def show_preflight(corpus: Corpus, preset: Preset, train_tokens: int) -> None:
    """Show what a run on this text takes: steps, tokens, memory, disk and, measured, time."""
    widgets.show_numbers(preflight_view.facts(preset, train_tokens))
    try:
        preflight_view.refuse_too_large(preset)
    except ValueError as error:
        show_refusal(error)
        return
    preflight_view.show_expected_time(corpus, preset)
    st.caption("It takes a few steps with these settings; what trains meanwhile waits for them.")
    if st.button("Train on this text", type="primary"):
        run_id = widgets.start_run(preset, corpus)
        if run_id:
            st.switch_page("pages/train.py", query_params={state.RUN: run_id})


def offer_mends(preset: Preset, train_tokens: int, val_tokens: int) -> None:
    """Offer, one click each, what would make both splits long enough."""
    training = preset.training
    fits = fitting_context_length(train_tokens, val_tokens, training.batch_size, training.stride)
    if fits >= SHORTEST_CONTEXT:
        st.button(
            f"Use context_length = {min(fits, 1024)}",
            on_click=_set,
            args=(config_form.key_of(preset, "context_length"), min(fits, 1024)),
        )
    total, needed = train_tokens + val_tokens, preset.model.context_length + 1
    ratio = int(100 * (1 - 1.1 * needed / total)) / 100 if total else 0.0
    stride = training.stride or preset.model.context_length
    train_needed = (training.batch_size - 1) * stride + needed
    if 0.5 <= ratio < training.train_ratio and 0.95 * ratio * total >= train_needed:
        st.button(
            f"Use {ratio:.0%} for training",
            on_click=_set,
            args=(config_form.key_of(preset, "train_ratio"), ratio),
        )


def _set(key: str, value: float) -> None:
    st.session_state[key] = value


def survey_of(corpus: Corpus, train_ids: Tensor, val_ids: Tensor) -> Survey:
    """Count the tokens of a text as training sees it: both parts."""
    return survey_tokens(corpus.text, cat((train_ids, val_ids)), get_tokenizer())


def layouts(preset: Preset, train_tokens: int, val_tokens: int) -> tuple[Layout, Layout]:
    """Return how both splits are laid out in windows and batches."""
    return (
        lay_out(train_tokens, preset.model, preset.training, drop_last=True),
        lay_out(val_tokens, preset.model, preset.training, drop_last=False),
    )
