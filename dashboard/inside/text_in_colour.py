"""Part 4 of the page Inside: a whole text, each token coloured by its loss."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import streamlit as st
from torch import Tensor

from dashboard.app import (
    get_visible_runs,
    is_remembered,
    remember,
    session_keys,
    show_refusal,
)
from dashboard.charts import Bars, count, format_loss, format_probability, mean_bars, palette
from dashboard.components.live_chart import live_chart
from dashboard.components.running_text import Colors, running_text, text_snippets
from dashboard.forms import ChosenModel, choose_model, reading_turn
from dashboard.inside.reading import MAX_TOKENS, Reading
from dashboard.inside.whole_text import WholeText, choose_whole_text
from dashboard.ui import show_code, show_numbers
from gpt_core.inspection import token_losses
from gpt_core.model import count_parameters, perplexity
from gpt_core.vocabularies import Tokenizer, text_to_token_ids, token_ids_to_text

# Weights × tokens: about half a second on two cores. More waits for a button and, as large files
# do, for a turn: a class may press it together.
AT_ONCE = 10**10
NUM_WORST = 10
TAKEN_TOKENS = 65  # into the parts above: a token and the 64 before it
TAKEN_CHARACTERS = 1000  # at most, so that they fit into the page's text
FULL_QUANTILE = 0.98  # of the changes: from there on, the colour is full
MIN_FULL = 0.5  # nats
TIMES_SEEN = (0, 1, 2, 4, 10, 30, 100, 300, 1000, 3000)  # where the bars of a chart begin


@dataclass(frozen=True)
class Losses:
    """The loss of each token of a text but the first, by one model or by two."""

    name: str  # the model's
    of: Tensor  # (T − 1,), in nats
    window: int  # tokens that it reads at once
    vocab_size: int
    other_name: str = ""
    of_other: Tensor | None = None  # (T − 1,), by the model that it is compared with

    @property
    def shown(self) -> Tensor:
        """Return what is coloured, (T − 1,): the loss, or by how much it exceeds the other's."""
        return self.of if self.of_other is None else self.of - self.of_other


def show(reading: Reading) -> None:
    """Show a text of the user's choice in the colours of the model's losses."""
    if st.session_state.pop(session_keys.INSIDE_TAKEN, False):
        st.rerun()  # the parts above, too
    st.text(
        "A whole text, each token in the colour of its loss: the stronger, the less the model "
        "expected it. Select a token to take it, with the text before it, into the parts above."
    )
    whole = choose_whole_text(reading)
    is_compared = st.toggle(
        "Compare with another model or another step",
        key=session_keys.INSIDE_COMPARED,
        persist_state="session",
    )
    other = _choose_other() if is_compared else None
    if whole is None or (is_compared and other is None):
        return
    try:
        losses = _measure(reading, whole, other)
    except ValueError as error:
        show_refusal(error)
        return
    if losses is not None:
        _show_text(reading, whole, losses)
        _show_charts(whole, losses)
    show_code(token_losses)


def _choose_other() -> ChosenModel | None:
    """Let the user choose the second model: at first the same run's, at its first checkpoint."""
    state, slot = st.session_state, session_keys.INSIDE_OTHER
    first = state.get(session_keys.WALK_MODEL)
    step_key = f"{session_keys.WALK_STEP}{slot}-{first}"
    if state.setdefault(session_keys.WALK_MODEL + slot, first) == first and step_key not in state:
        steps = [row.global_step for row in get_visible_runs().checkpoints(str(first))]
        if steps:
            state[step_key] = min(steps)
    return choose_model("Compared with", slot)


def _measure(reading: Reading, whole: WholeText, other: ChosenModel | None) -> Losses | None:
    """Return the losses; None until the user asks for them, if they take long.

    Raises:
        ValueError: the two models have different vocabularies.
    """
    if other and other.model.vocabulary != reading.model.vocabulary:
        raise ValueError(
            f"{reading.name} and {other.name} have different vocabularies. They cut a text into "
            "different tokens, whose losses cannot be compared one by one: choose two models with "
            "the same vocabulary, such as two steps of a run."
        )
    models = [reading.model] if other is None else [reading.model, other.model]
    key = whole.ids.numpy().tobytes()
    missing = [model for model in models if not is_remembered(model, "token losses", key)]
    work = sum(count_parameters(model) for model in missing) * len(whole.ids)
    if work > AT_ONCE and not st.button(f"Read these {count(len(whole.ids), 'token')}"):
        return None
    waits = reading_turn if work > AT_ONCE else st.spinner
    with waits("Reading the text…"):
        found = [
            remember(m, "token losses", key, partial(token_losses, m, whole.ids)) for m in models
        ]
    config = reading.model.config
    window = min(config.context_length, len(whole.ids) - 1)
    pair = () if other is None else (other.name, found[1])
    return Losses(reading.name, found[0], window, config.vocab_size, *pair)


def _show_text(reading: Reading, whole: WholeText, losses: Losses) -> None:
    """Show the losses' means, the text, and the tokens with the largest losses or changes."""
    st.text(f"{whole.name}, as read by {losses.name}.")
    show_numbers(_means(losses))
    ids = whole.ids.tolist()
    limit = min(TAKEN_TOKENS, MAX_TOKENS, reading.model.config.context_length)
    take = partial(_take, whole.ids, reading.tokenizer, limit)
    shown, colors = coloured(losses, whole.is_training)
    strengths = [0.0, *shown.tolist()]  # the first token is not predicted
    running_text(
        ids,
        strengths,
        _details(whole, losses),
        colors,
        label="The text in colour",
        key=session_keys.INSIDE_COLOURED,
        tokenizer=reading.tokenizer,
        on_picked=take,
    )
    heading = "Where the two differ most" if losses.other_name else "What it expected least"
    st.subheader(heading, anchor=False)
    order = losses.shown.abs().topk(min(NUM_WORST, len(losses.shown))).indices.tolist()
    sign = "+" if losses.other_name else ""
    text_snippets(
        ids,
        [j + 1 for j in order],
        [strengths[j + 1] for j in order],
        [f"{float(losses.shown[j]):{sign}.2f}".replace("-", "−") for j in order],
        colors,
        label=heading,
        key=session_keys.INSIDE_WORST,
        tokenizer=reading.tokenizer,
        on_picked=take,
    )


def _means(losses: Losses) -> dict[str, str]:
    """Return the numbers above the text."""
    mean = float(losses.of.mean())
    numbers = {"Mean loss": format_loss(mean), "Perplexity": f"{perplexity(mean):,.1f}"}
    if losses.of_other is None:
        sure = float((losses.of < math.log(2)).float().mean())
        return {**numbers, "Tokens, p > ½": f"{sure:.0%}"}
    lower = float((losses.shown < 0).float().mean())
    return {
        **numbers,
        "Mean of the other": format_loss(float(losses.of_other.mean())),
        "Better predicted": f"{lower:.0%}",
    }


def coloured(losses: Losses, is_training: bool) -> tuple[Tensor, Colors]:
    """Return the strength of each token's colour, −1 to 1, (T − 1,), and what it stands for.

    Of one model the strength grows with the loss; of two it is above 0 where the loss is lower
    than the other's.
    """
    if losses.of_other is None:
        uniform = math.log(losses.vocab_size)
        return (losses.of / uniform).clamp(0, 1), Colors(
            high=palette.TRAINING if is_training else palette.VALIDATION,
            high_words=f"{uniform:.1f} or more, a uniform guess",
            low_words="Loss 0, certain",
        )
    full = max(MIN_FULL, float(losses.shown.abs().quantile(FULL_QUANTILE)))
    return (-losses.shown / full).clamp(-1, 1), Colors(
        high=palette.TARGET,
        high_words=f"lower by {full:.1f} or more",
        low=palette.PREDICTED,
        low_words=f"Loss higher than the other's by {full:.1f} or more",
    )


def _details(whole: WholeText, losses: Losses) -> list[str]:
    """Return what is said of each token, (T,)."""
    said = ["the first token: no token comes before it, so it has no loss"]
    times = None if whole.counts is None else whole.counts.of[whole.ids].tolist()
    others = None if losses.of_other is None else losses.of_other.tolist()
    for j, loss in enumerate(losses.of.tolist()):
        words = f"loss {loss:.3f}, p {format_probability(math.exp(-loss))}"
        if others is not None:
            words += f" · the other's {others[j]:.3f}, p {format_probability(math.exp(-others[j]))}"
        if times is not None:
            words += f" · {times[j + 1]:,}× in the training text"
        said.append(words)
    return said


def _take(ids: Tensor, tokenizer: Tokenizer, limit: int, position: int) -> None:
    """Take a token and the text before it into the parts above, where it is predicted."""
    if position == 0:
        return
    text, place = text_up_to(ids, position, tokenizer, limit)
    st.session_state[session_keys.INSIDE_TEXT] = text
    st.session_state[session_keys.INSIDE_TOKEN] = place
    st.session_state[session_keys.INSIDE_TAKEN] = True
    st.toast("The parts above now show how this token is predicted.")


def text_up_to(ids: Tensor, position: int, tokenizer: Tokenizer, limit: int) -> tuple[str, int]:
    """Return the text that ends with a token, and the position in it that predicts this token.

    It begins where its tokens are the same when it is encoded again: within a word, or within a
    character, they may not be.

    Args:
        ids: the whole text, (T,).
        position: the token's, 1 or more.
        tokenizer: of the vocabulary that the IDs belong to.
        limit: the maximum number of tokens, at least 2.
    """
    first = max(0, position + 1 - limit)
    for start in range(first, position):
        taken = ids[start : position + 1]
        text = token_ids_to_text(taken, tokenizer)
        if len(text) > TAKEN_CHARACTERS:
            continue
        if text_to_token_ids(text, tokenizer)[0].equal(taken):
            return text, position - start - 1
    text = token_ids_to_text(ids[first : position + 1], tokenizer)[-TAKEN_CHARACTERS:]
    return text, max(0, text_to_token_ids(text, tokenizer).shape[1] - 2)


def _show_charts(whole: WholeText, losses: Losses) -> None:
    """Show the mean loss by the tokens before, and by how often a token occurs in training."""
    color = palette.TRAINING if whole.is_training else palette.VALIDATION
    series = [Bars(losses.name, losses.of.numpy(), color)]
    if losses.of_other is not None:
        series.append(Bars(losses.other_name, losses.of_other.numpy(), palette.MEASURED))
    before = tokens_before(len(losses.of), losses.window)  # (T − 1,)
    if losses.other_name:
        st.caption("Below, the bars of the model that it is compared with are grey.")
    left, right = st.columns(2)
    with left:
        st.subheader("By the tokens before it", anchor=False)
        powers = [2**i for i in range(max(1, (losses.window - 1).bit_length()))]
        live_chart(
            mean_bars(series, before, powers, "Tokens before it in the window"),
            "Mean loss by the number of tokens that the model saw before the token.",
            key="loss by position",
        )
    if whole.counts is None:
        return
    with right:
        st.subheader("By how often it occurs", anchor=False)
        times = whole.counts.of[whole.ids[1:]].numpy()  # (T − 1,)
        live_chart(
            mean_bars(series, times, TIMES_SEEN, "Times in the training text"),
            f"Mean loss by how often the token occurs in the training part of {whole.counts.name}.",
            key="loss by count",
        )
        st.text(f"In the training part of {whole.counts.name}.")


def tokens_before(num_losses: int, window: int) -> npt.NDArray[np.int64]:
    """Return how many tokens of its window the model sees before each predicted token.

    ``token_losses`` reads windows one after the other; the last begins early enough to be whole.
    """
    before = np.arange(num_losses) % window + 1  # (T − 1,)
    rest = num_losses % window
    if rest:
        before[-rest:] += window - rest
    return before
