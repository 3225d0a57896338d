"""How a text is laid out in windows, and its first batch."""

import streamlit as st
from torch import Tensor

from dashboard.charts import count
from dashboard.components.token_chips import readable_text
from dashboard.ui import show_table
from gpt_core.presets import Preset
from gpt_core.text import (
    BatchCounts,
    count_batches,
    create_dataloader,
)
from gpt_core.training import steps_in_run
from gpt_core.vocabularies import Tokenizer

DRAWN_WINDOWS = 6


def show_windows(preset: Preset, train: BatchCounts, val: BatchCounts) -> None:
    """Show the layout of the windows, and how many batches, steps and epochs it makes."""
    length = preset.model.context_length
    stride = preset.training.stride or length
    st.html(windows_drawing(length, stride, train.windows))
    overlap = max(0, length - stride)
    between = f"each overlaps the next by {count(overlap, 'token')}" if overlap else (
        "none overlap" if stride == length else f"{count(stride - length, 'token')} between two"
    )  # fmt: skip
    st.caption(f"A window of {count(length, 'token')} begins every {stride:,} tokens: {between}.")
    rows = [
        {
            "part": name,
            "tokens": counts.tokens,
            "windows": counts.windows,
            "batches": counts.batches,
            "windows left out": counts.left_over_windows,
            "tokens left over": counts.left_over_tokens,
        }
        for name, counts in (("training", train), ("validation", val))
    ]
    show_table(rows)
    epochs, together = preset.training.num_epochs, preset.training.accumulation_steps
    each = "each is" if together == 1 else f"{together} together are"
    size = count(preset.training.batch_size, "window")
    st.markdown(
        f"A **batch** is {size} of {count(length, 'token')}; {each} "
        f"one **step**, an update of all weights. Once through {'all ' * (train.batches > 1)}"
        f"{count(train.batches, 'batch', 'batches')} is "
        f"an **epoch**. {count(epochs, 'epoch')} {'is' if epochs == 1 else 'are'} "
        f"**{count(steps_in_run(train.batches, preset.training), 'step')}**, in which the "
        f"model sees {epochs * train.batches * preset.training.batch_size * length:,} tokens. "
        "The training loader shuffles the windows anew in each epoch and leaves out a last batch "
        "that is not full; the validation loader does neither."
    )


def windows_drawing(length: int, stride: int, windows: int) -> str:
    """Return the first windows as HTML: bars, each one stride to the right of the last."""
    drawn = min(windows, DRAWN_WINDOWS)
    whole = max((drawn - 1) * stride + length + 1, 1)
    bars = "".join(
        f'<span style="margin-left: {100 * i * stride / whole:.2f}%; '
        f'width: {100 * length / whole:.2f}%">{i * stride:,} – {i * stride + length - 1:,}</span>'
        for i in range(drawn)
    )
    return (
        f'<div class="gpt-windows" role="img" aria-label="The first {count(drawn, "window")}, each '
        f'{count(length, "token")} long, one every {stride}">{bars}</div>'
    )


def show_batch(preset: Preset, train_ids: Tensor, tokenizer: Tokenizer) -> None:
    """Show the text's first batch as the two tensors and as text."""
    settings = (preset.training.batch_size, preset.model.context_length, preset.training.stride)
    loader = create_dataloader(train_ids, *settings, shuffle=False, drop_last=False)
    inputs, targets = next(iter(loader))  # (B, T), (B, T)
    st.code(
        f"inputs  {tuple(inputs.shape)}\n{inputs}\n\ntargets {tuple(targets.shape)}\n{targets}",
        height=320,
    )
    text = readable_text(inputs[0].tolist(), tokenizer)
    st.text(f"Its first row reads: “{text[:400]}{'…' * (len(text) > 400)}”")


def batch_counts(
    preset: Preset, train_tokens: int, val_tokens: int
) -> tuple[BatchCounts, BatchCounts]:
    """Return the numbers of windows and batches of the training and the validation split."""
    return (
        count_batches(train_tokens, preset.model, preset.training, drop_last=True),
        count_batches(val_tokens, preset.model, preset.training, drop_last=False),
    )
