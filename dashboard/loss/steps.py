"""The steps of the walk on the page: each with its shape, formula, chart and code."""

import math
from collections.abc import Callable
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from dashboard.charts import count, format_exactly, loss_walk, probability_strength
from dashboard.components.live_chart import live_chart
from dashboard.components.token_chips import PROBABILITIES, Row, readable_text, token_chips
from dashboard.loss.walk import Position, Walk, readable_token
from dashboard.ui import (
    common_mistake,
    formula,
    heading,
    show_code,
    show_numbers,
    show_statements,
)
from gpt_core.model import loss_in_one_call, loss_walkthrough, perplexity
from gpt_core.text import IGNORE_INDEX, rows_to_batch

TOP = 10  # candidates shown for a position
MAX_COLUMNS = 12  # of the slice of the logits
MAX_SPELT_OUT = 8  # positions whose logarithms a formula names one by one
TERMS_PER_LINE = 2


def show_rows(walk: Walk) -> None:
    """Show the rows as inputs and, one token later, as targets."""
    with _step(
        "Inputs and targets",
        f"inputs, targets: {_shape(walk.inputs)}",
        r"y_{ij} = x_{i,\,j+1}",
        "x: the tokens of row i. y: its targets, the same tokens one later. B rows of T tokens are "
        "B · T prediction tasks in one batch.",
        code=rows_to_batch,
    ):
        ids: list[int] = []
        rows: list[Row] = []
        for i, inputs, targets in zip(walk.numbers, walk.inputs, walk.targets, strict=True):
            asked = targets != IGNORE_INDEX  # (T,)
            rows += [Row(len(ids), f"row {i}: inputs"), Row(len(ids) + int(asked.sum()), "targets")]
            ids += [*inputs[asked].tolist(), *targets[asked].tolist()]
        token_chips(
            ids,
            label="Inputs and targets of each row",
            key="walk-rows",
            rows=rows,
            tokenizer=walk.tokenizer,
        )
        if (walk.targets == IGNORE_INDEX).any():
            st.caption(
                "A batch is a rectangle: shorter rows are padded at their end, which no earlier "
                f"token can see. The padded positions have the target {IGNORE_INDEX} and do not "
                "count."
            )
        if walk.is_of_the_chapter:
            common_mistake(
                "“The chapter's two rows are two batches.” In fact they are one, of shape (2, 3)."
            )


def show_logits(walk: Walk, at: Position) -> None:
    """Show step 1: a score for each token of the vocabulary, at each position."""
    vocab_size, row = walk.steps.logits.shape[-1], walk.numbers[at.row]
    read = partial(readable_token, tokenizer=walk.tokenizer)
    with _step(
        "1 · Logits",
        f"logits: {_shape(walk.steps.logits)}",
        r"z = \operatorname{GPT}(x)",
        "z: at each position one score for each token of the vocabulary, of any size and sign.",
        "logits",
    ):
        positions = [p for p in walk.positions if p.row == at.row]
        logits = walk.steps.logits[at.row, : len(positions)]  # (T, vocab_size)
        best = logits.topk(3, dim=-1).indices.tolist()  # (T, 3)
        each = [[p.target_id, *ids] for p, ids in zip(positions, best, strict=True)]
        # The targets first, then the tokens ranked 1, 2 and 3, until the slice is full.
        columns = list(dict.fromkeys(i for ids in zip(*each, strict=True) for i in ids))
        columns = columns[:MAX_COLUMNS]
        live_chart(
            loss_walk.logits_heatmap(
                logits[:, columns].tolist(),
                [f"p{p.name} after “{read(int(walk.inputs[p.row, p.column]))}”" for p in positions],
                [f"{read(i)} {i}" for i in columns],
            ),
            f"Logits of row {row} for {count(len(columns), 'token')}: its targets and the tokens "
            "with the highest scores.",
            key="logits",
        )
        st.caption(
            f"The columns of {count(len(columns), 'token')}, of {vocab_size:,}: first the targets "
            f"of row {row}, then the tokens with the highest scores at its positions."
        )
        common_mistake(
            "“The logits are a tensor of probabilities.” In fact they are scores: only after the "
            "softmax do they lie between 0 and 1 and, at each position, sum to 1."
        )


def show_probas(walk: Walk, at: Position) -> None:
    """Show step 2: their probabilities by softmax; the top candidates of one position."""
    vocab_size = walk.steps.probas.shape[-1]
    read = partial(readable_token, tokenizer=walk.tokenizer)
    with _step(
        "2 · Probabilities",
        f"probas: {_shape(walk.steps.probas)}",
        r"p_v = \frac{e^{z_v}}{\sum_{w=0}^{V-1} e^{z_w}}",
        f"Softmax, at each position by itself. V = {vocab_size:,}: a uniform guess would give each "
        f"token {1 / vocab_size:.2e}.",
        "probas",
    ):
        probas = walk.steps.probas[at.row, at.column]  # (vocab_size,)
        top = probas.topk(min(TOP, vocab_size))
        ids = top.indices.tolist()
        shown = [f"{rank}. {read(i)}" for rank, i in enumerate(ids, start=1)]
        values = top.values.tolist()
        if at.target_id not in ids:
            ids.append(at.target_id)
            shown.append(f"{at.rank:,}. {at.target}")
            values.append(at.proba)
        live_chart(
            loss_walk.candidates_bars(shown, values, ids.index(at.target_id)),
            f"The {TOP} most probable tokens at p{at.name}: "
            + ", ".join(f"{n} {p:.2e}" for n, p in zip(shown, values, strict=True)),
            key="candidates",
        )
        st.text(
            f"After “{at.context}”: the {TOP} most probable of all tokens. The target "
            f"“{at.target}” has rank {at.rank:,}. All probabilities sum to {probas.sum():.6f}."
        )


def show_predictions(walk: Walk) -> None:
    """Show the most probable token of each position, and the text of each row of them."""
    with _step(
        "What it would say: argmax",
        f"predicted_ids: {_shape(walk.steps.predicted_ids)}",
        r"\hat y_{ij} = \operatorname*{arg\,max}_v \; p_{ijv}",
        "The token with the highest probability, which is also the one with the highest logit.",
        "predicted_ids",
    ):
        token_chips(
            [position.predicted_id for position in walk.positions],
            label="The most probable token of each position",
            key="predictions",
            rows=walk.rows("row {}"),
            tokenizer=walk.tokenizer,
            marks=["predicted"] * len(walk.positions),
            details=[f"the target is “{position.target}”" for position in walk.positions],
        )
        for i in range(len(walk.inputs)):
            said = [p.predicted_id for p in walk.positions if p.row == i]
            st.text(f"Row {walk.numbers[i]} reads: “{readable_text(said, walk.tokenizer)}”")


def show_target_probas(walk: Walk) -> None:
    """Show step 3: of each position's probabilities, the one of the right token."""
    with _step(
        "3 · Target probabilities",
        f"target_probas: {_shape(walk.steps.target_probas)}",
        r"p_{ij} = p_{i\,j\,y_{ij}}",
        "p11 is the probability that the model gives, in row 1 at position 1, to the right next "
        "token, the target, whose ID is the index y11. Training wants all of these probabilities "
        "as close to 1 as possible.",
        "target_ids",
        "target_probas",
    ):
        token_chips(
            [position.target_id for position in walk.positions],
            label="Target tokens and their probabilities",
            key="target-probas",
            rows=walk.rows("row {}"),
            tokenizer=walk.tokenizer,
            second_line=[f"p{p.name} {format_exactly(p.proba)}" for p in walk.positions],
            details=[
                f"y{p.name} = {p.target_id}, rank {p.rank:,} by probability; the model "
                f"would say “{p.predicted}”"
                for p in walk.positions
            ],
            strengths=[probability_strength(p.proba) for p in walk.positions],
            scale=PROBABILITIES,
        )
        if walk.is_of_the_chapter:
            common_mistake(
                "the first row's probabilities printed for the second, too. In fact each row has "
                "its own. For the untrained model they are 1.034e-05, 5.678e-05 and 4.756e-06."
            )


def show_logs(walk: Walk) -> None:
    """Show step 4: logarithms, so that a product of many small numbers becomes a sum."""
    logs = [position.log_proba for position in walk.positions]
    with _step(
        "4 · Logarithms",
        f"log_probas: {_shape(walk.steps.log_probas)}",
        r"\log p_{ij}",
        "0 means certain; the less probable, the further below 0. The probability of all targets "
        "together is the product of all p, a number too small to compute with for a long text; "
        "its logarithm is a sum, and stays in range.",
        "log_probas",
    ):
        _log_bars(walk, None, key="logs")
        st.code(", ".join(f"{value:.4f}" for value in logs), language=None, wrap_lines=True)


def show_mean(walk: Walk) -> None:
    """Show step 5: the mean of the logarithms."""
    mean = walk.steps.mean_log_proba.item()
    n = len(walk.positions)
    logs = _sum([f"{p.log_proba:+.4f}" for p in walk.positions], " ")
    with _step(
        "5 · Mean",
        "mean_log_proba: ()",
        rf"\begin{{aligned}} \tfrac{{1}}{{{n}}} {logs} \\ = {{}} & {mean:.4f} \end{{aligned}}",
        "One number for the whole batch, whatever its size.",
        "mean_log_proba",
    ):
        _log_bars(walk, mean, key="mean")


def show_loss(walk: Walk) -> None:
    """Show step 6: the negative of the mean, which is the loss."""
    uniform = math.log(walk.steps.logits.shape[-1])
    n = len(walk.positions)
    logs = _sum([rf"\log p_{{{p.name}}}" for p in walk.positions], " + ")
    with _step(
        "6 · Negative mean: the loss",
        "loss: ()",
        rf"\begin{{aligned}} \text{{Loss}} = -\tfrac{{1}}{{{n}}} {logs} \\ "
        rf"= {{}} & {walk.loss:.4f} \end{{aligned}}",
        "Logarithms of probabilities are never above 0, so the minus makes the loss positive: the "
        "smaller, the better. It is in nats per token; 0 would mean certainty of every target.",
        "loss",
    ):
        live_chart(
            loss_walk.loss_scale(walk.loss, uniform),
            f"The loss {walk.loss:.4f} on a line with 0 and the loss of a uniform guess, "
            f"{uniform:.3f}.",
            key="loss-scale",
        )
        if walk.is_of_the_chapter:
            common_mistake(
                "the formula with minus signs between the logarithms. In fact there is one minus, "
                "before the whole fraction. Or 10.77 for the chapter's loss, as in its prose: its "
                "own code prints 10.7940."
            )


def show_one_call(walk: Walk) -> None:
    """Show the same number, computed by PyTorch in one call."""
    batch, tokens, vocab_size = walk.steps.logits.shape
    with _step(
        "The same in one call",
        f"logits_flat: ({batch * tokens}, {vocab_size}) · targets_flat: ({batch * tokens},)",
        rf"\operatorname{{cross\_entropy}}(z, y) = {walk.one_call:.4f}",
        "PyTorch takes the logits, not the probabilities, and does all six steps at once: faster, "
        "and right even where a probability is too small for a float32.",
        code=loss_in_one_call,
    ):
        equal = math.isclose(walk.one_call, walk.loss, rel_tol=1e-5, abs_tol=1e-6)
        numbers = {"Six steps": f"{walk.loss:.6f}", "One call": f"{walk.one_call:.6f}"}
        show_numbers(numbers)
        st.text(
            "Equal, as far as float32 can tell."
            if equal
            else "Not equal: a probability was too small for a float32 and was rounded, perhaps to "
            "0, whose logarithm is infinite. The one call is right."
        )


def show_perplexity(walk: Walk) -> None:
    """Show the perplexity: the loss as a number of equally likely tokens."""
    vocab_size = walk.steps.logits.shape[-1]
    with _step(
        "Perplexity",
        "perplexity: a number",
        rf"e^{{\text{{Loss}}}} = e^{{{walk.loss:.4f}}}",
        "Among how many equally likely tokens the model seems to choose.",
        code=perplexity,
    ):
        show_numbers(
            {
                "Perplexity": f"{walk.steps.perplexity:,.1f}",
                "Vocabulary, V": f"{vocab_size:,}",
                "ln V": f"{math.log(vocab_size):.3f}",
            }
        )
        st.text(describe_perplexity(walk.steps.perplexity, vocab_size))


def describe_perplexity(perplexity: float, vocab_size: int) -> str:
    """Return in words what a perplexity means, below and above that of a uniform guess."""
    guess = f"a uniform guess, which has the perplexity {vocab_size:,} = V and the loss ln V"
    if perplexity <= vocab_size:
        return (
            f"As unsure as if it chose among {perplexity:,.1f} equally likely tokens. Compare it "
            f"with {guess}; a model that is sure of wrong tokens has an even higher one."
        )
    return (
        f"{perplexity:,.0f} is more than there are tokens: on these rows the model does worse than "
        f"{guess}, because it is sure of wrong tokens."
    )


def _log_bars(walk: Walk, mean: float | None, key: str) -> None:
    names = [f"p{position.name}" for position in walk.positions]
    logs = [position.log_proba for position in walk.positions]
    live_chart(
        loss_walk.log_bars(names, logs, mean),
        "Logarithms of the target probabilities: "
        + ", ".join(f"{n} {v:.2f}" for n, v in zip(names, logs, strict=True))
        + ("" if mean is None else f"; their mean {mean:.4f}"),
        key=key,
    )


def _sum(terms: list[str], between: str) -> str:
    """Return a sum as LaTeX: in parentheses, a few terms per line, or with a sum sign if long."""
    if len(terms) > MAX_SPELT_OUT:
        return r"& \sum_{ij} \log p_{ij}"
    lines = [
        between.join(terms[i : i + TERMS_PER_LINE]) for i in range(0, len(terms), TERMS_PER_LINE)
    ]
    return r"\bigl( & " + (r" \\ & " + between).join(lines) + r" \bigr)"


def _step(
    title: str,
    shapes: str,
    latex: str,
    meaning: str,
    *names: str,
    code: Callable[..., object] | None = None,
) -> DeltaGenerator:
    """Show a step's shape, formula and code on the right; return the left, for its chart.

    The code is ``code``, a function, or the lines of the walk that compute ``names``.
    """
    heading(title)
    with st.container(key=f"step-{title}"):
        left, right = st.columns([3, 2], gap="large")
    with right:
        st.code(shapes, language=None, wrap_lines=True)
        formula(latex, meaning)
        if names:
            show_statements(loss_walkthrough, *names)
        if code:
            show_code(code)
    return left


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
