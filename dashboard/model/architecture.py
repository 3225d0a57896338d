"""The architecture of a configuration: its fields, its drawing, its size."""

from dataclasses import replace
from typing import Any

import streamlit as st

from dashboard.app import session_keys, show_refusal
from dashboard.charts import count, format_bytes
from dashboard.ui import common_mistake, show_code, show_numbers
from gpt_core.config import BEYOND, GPTConfig, field_groups, field_help
from gpt_core.inspection import ModelSummary, summarize
from gpt_core.model import (
    FeedForward,
    GPTModel,
    LayerNorm,
    MultiHeadAttention,
    TiedHead,
    TransformerBlock,
    draw_gpt2_weights,
    rotary_turns,
    rotate,
)
from gpt_core.presets import GPT2_CONFIGS, GPT_CONFIG_124M, PRESETS

BATCH_SIZE = 2  # rows in the batch whose shapes are shown, as in the chapter
MAX_TOKENS = 256  # of such a row
MOST = {  # beyond any trained model; larger ones would take minutes to draw
    "vocab_size": 1_000_000,
    "context_length": 1_000_000,
    "emb_dim": 100_000,
    "n_heads": 1000,
    "n_layers": 200,
}
SHAPES = {
    **{f"{preset.name} (a preset of this app)": preset.model for preset in PRESETS.values()},
    **{f"OpenAI's GPT-2 {name}": config for name, config in GPT2_CONFIGS.items()},
}
NORM_WORDS = {
    "layernorm": ("Layer norm", "mean 0, variance 1, then scaled and shifted"),
    "none": ("no norm", ""),
}
POSITION_WORDS = {
    "learned": "",
    "rotary": "; queries and keys are turned by their token's position",
    "none": "; nothing but the mask tells their order",
}
CHAPTERS = "book-124m (a preset of this app)"


def choose_config() -> GPTConfig | None:
    """Let the user set each field, from a known model; return None if they do not fit."""
    name = st.selectbox(
        "Begin with",
        list(SHAPES),
        index=list(SHAPES).index(CHAPTERS),
        key=session_keys.MODEL_PRESET,
        persist_state="session",
        on_change=_begin_afresh,
    )
    known = SHAPES[name]
    values: dict[str, Any] = {}
    groups = field_groups(GPTConfig)
    beyond = groups.pop(BEYOND)
    _choose_each([field for group in groups.values() for field in group], known, name, values)
    with st.expander("Beyond the chapter", key=session_keys.BEYOND_FIELDS):
        _choose_each(beyond, known, name, values)
    try:
        return replace(known, **values)
    except ValueError as error:
        show_refusal(error)
        return None


def _choose_each(names: list[str], known: GPTConfig, preset: str, values: dict[str, Any]) -> None:
    """Let the user set fields, in two columns; add their values."""
    columns = st.columns(2)
    for i, name in enumerate(names):
        with columns[i % 2]:
            values[name] = _choose(name, getattr(known, name), preset)


def _begin_afresh() -> None:
    """Forget the changes made to models chosen before."""
    for key in [key for key in st.session_state if str(key).startswith(session_keys.MODEL_FIELD)]:
        del st.session_state[key]


def _choose(field: str, value: Any, preset: str) -> Any:
    about: dict[str, Any] = {
        "key": f"{session_keys.MODEL_FIELD}-{preset}-{field}",
        "persist_state": "session",
    }
    if choices := GPTConfig.__dataclass_fields__[field].metadata["choices"]:
        value = st.selectbox(field, choices, choices.index(value), **about)
    elif isinstance(value, bool):
        value = st.toggle(field, value, **about)
    elif isinstance(value, float):
        value = st.number_input(field, 0.0, 0.99, value, step=0.05, format="%.2f", **about)
    else:
        value = st.number_input(field, 1, MOST[field], value, **about)
    st.caption(field_help(GPTConfig)[field])
    return value


def num_tokens(config: GPTConfig) -> int:
    """Return the number of tokens in each row of the batch whose shapes are shown."""
    return min(MAX_TOKENS, config.context_length)


def show_size(summary: ModelSummary) -> None:
    """Show how many parameters the model has, and the memory that training it takes."""
    show_numbers(
        {
            "Parameters": f"{summary.parameters:,}",
            "Weights": format_bytes(summary.weights_bytes),
            "Gradients": format_bytes(summary.weights_bytes),
            "AdamW's moments": format_bytes(summary.optimizer_bytes),
            "A whole checkpoint": format_bytes(summary.checkpoint_bytes),
        }
    )
    training = summary.training_bytes
    st.caption(
        f"Four bytes for each weight, for its gradient, and for each of the two moments that AdamW "
        f"keeps for it: training takes {format_bytes(training)} of memory, plus the intermediate "
        "results of a batch."
    )


def show_count(config: GPTConfig, summary: ModelSummary) -> None:
    """Explain why the chapter's "124M" has more parameters than its name says."""
    if config.tied_head:
        st.markdown(
            "The output head is the token embedding, “tied” as in OpenAI's GPT-2: its "
            f"{config.vocab_size:,} × {config.emb_dim:,} numbers are counted once in these "
            f"**{summary.parameters:,}**."
        )
        return
    head = summary.part("out_head").parameters
    openais = summarize(GPT2_CONFIGS["124M"], 1, 1)
    st.markdown(
        f"The output head is a matrix of its own here: {config.vocab_size:,} × {config.emb_dim:,} "
        f"= {head:,} parameters, as many as the token embedding. OpenAI's GPT-2 uses the embedding "
        f"for both (“tied” weights) and counts it once. Counted that way, these "
        f"**{summary.parameters:,}** are **{summary.tied_parameters:,}**."
    )
    if config == GPT_CONFIG_124M:
        st.markdown(
            f"GPT-2's own number is {openais.tied_parameters:,}: its context is four times as "
            "long, and its queries, keys and values have biases. Choose it above to see it."
        )
    common_mistake(
        "“A model of 124M parameters.” In fact the chapter's configuration, with the output head "
        "that its code builds, has 162,419,712."
    )


def show_source() -> None:
    """Show the code of the model, part by part."""
    show_code(GPTModel)
    show_code(TransformerBlock)
    show_code(MultiHeadAttention, FeedForward, LayerNorm)
    show_code(rotary_turns, rotate, TiedHead, draw_gpt2_weights)


def drawing(config: GPTConfig, summary: ModelSummary) -> str:
    """Return the architecture as HTML: the parts in order, and the tensor's shape between them.

    It contains only fixed text and numbers, so nothing to escape.
    """
    emb_dim, hidden = f"{config.emb_dim:,}", f"{4 * config.emb_dim:,}"
    block = "trf_blocks.0."
    blocks, heads = count(config.n_layers, "transformer block"), count(config.n_heads, "head")
    norm, what_norm = NORM_WORDS[config.norm]
    second = "second layer norm" if config.norm == "layernorm" else "feed-forward's part"
    tied = ", the product with its embedding" if config.tied_head else ""
    added = ", then added to what entered the {}"
    if not config.residual:
        added = "; what entered the {} is not added"

    def part(name: str, title: str, what: str) -> str:
        parameters = summary.part(name).parameters
        size, share = "no parameters", ""
        if parameters:
            # A part of a block counts once in each block.
            times = config.n_layers if name.startswith(block) else 1
            percent = 100 * times * parameters / summary.parameters
            size = f"{parameters:,} · {percent:.1f}%" if times == 1 else f"{parameters:,}"
            share = f'<span class="share" style="--part: {percent:.2f}%"></span>'
        return (
            f'<div class="part"><span><span class="name">{title}</span> '
            f'<code>{name.removeprefix(block)}</code></span><span class="count">{size}</span>'
            f'<span class="what">{what}</span>{share}</div>'
        )

    def flow(shape: tuple[int, ...], note: str = "") -> str:
        return f'<div class="flow">↓ <code>({", ".join(map(str, shape))})</code><b>{note}</b></div>'

    def after(name: str, note: str = "") -> str:
        return flow(summary.part(name).output_shape, note)

    def normed(name: str, title: str, what: str) -> list[str]:
        return [part(name, title, what), after(name)] if config.norm != "none" else []

    positions = [
        part("pos_emb", "Position embedding", f"for each of the {config.context_length:,} "
             "positions a vector, added to the token's"),
        after("tok_emb"),
    ] if config.positions == "learned" else []  # fmt: skip
    tokens = summary.part("out_head").output_shape[:2]
    per_block = summary.part("trf_blocks.0").parameters
    share = 100 * config.n_layers * per_block / summary.parameters
    rows = [
        flow(tokens, "token IDs: rows of a batch, tokens in a row"),
        part("tok_emb", "Token embedding", f"for each of the {config.vocab_size:,} tokens a vector "
             f"of {emb_dim} numbers"),
        after("tok_emb", "one vector per token"),
        *positions,
        part("drop_emb", "Dropout", f"in training, {config.drop_rate:.0%} of the numbers are set "
             "to 0"),
        after("drop_emb"),
        f'<div class="blocks"><p class="head"><span>{blocks}, one '
        f"after another</span><span>{config.n_layers} × {per_block:,} · {share:.1f}%</span></p>",
        *normed(f"{block}norm1", norm, what_norm),
        part(f"{block}att", "Masked multi-head attention", f"{heads} of {config.head_dim} "
             f"numbers: each token looks at itself and at those before it"
             f"{POSITION_WORDS[config.positions]}"),
        after(f"{block}att", f"dropout{added.format('block')}"),
        *normed(f"{block}norm2", norm, "as above"),
        part(f"{block}ff", "Feed-forward", f"{emb_dim} → {hidden}, GELU, → "
             f"{emb_dim}, for each token by itself"),
        after(f"{block}ff", f"dropout{added.format(second)}"),
        "</div>",
        after("trf_blocks.0", f"{count(config.n_layers, 'time')}, the same shape"),
        *normed("final_norm", f"Final {norm[0].lower() + norm[1:]}", "as in the blocks"),
        part("out_head", "Output head", f"{emb_dim} → {config.vocab_size:,}: a score for each "
             f"token of the vocabulary{tied}"),
        after("out_head", "logits"),
    ]  # fmt: skip
    return f'<div class="gpt-model">{"".join(rows)}</div>'
