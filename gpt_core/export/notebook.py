"""A run as a Jupyter notebook that repeats it with ``gpt_core`` and compares the losses."""

import json
import pprint
import re
from typing import Any

from gpt_core.config import GPTConfig, TrainingConfig, as_settings
from gpt_core.store import Run, RunStore, StoredEvaluation
from gpt_core.text import VERDICT_SHA256, Corpus, bundled_text

MAX_INLINE_CHARACTERS = 100_000  # characters of a text in the notebook itself
MAX_INLINE_EVALUATIONS = 200  # recorded evaluations in the notebook

IMPORTS = """\
try:
    import gpt_core
except ModuleNotFoundError:
    raise SystemExit(
        "gpt_core is not installed here: run  pip install .  in the folder of GPT Pretraining Lab, "
        "or move this notebook there."
    ) from None

import plotly.graph_objects as go
import torch
from gpt_core import (
    Corpus, EvaluationRecord, GPTConfig, GPTModel, SampleRecord, TrainingConfig, count_parameters,
    create_optimizer, download_the_verdict, get_tokenizer, has_the_verdict, load_text,
    prepare_data, train,
)"""
BUNDLED = """\
corpus = load_text({key!r})"""
THE_VERDICT = """\
corpus = load_text("the-verdict") if has_the_verdict() else download_the_verdict()"""
WITHIN = """\
TEXT = (
{lines}
)
corpus = Corpus({name!r}, TEXT)"""
BESIDE = """\
from pathlib import Path

FILE = Path({file!r})  # the run's text: save it next to this notebook
if not FILE.exists():
    raise SystemExit(f"{{FILE}} is missing: download the run's text from the Runs page.")
corpus = Corpus({name!r}, FILE.read_bytes().decode("utf-8"))"""
CHECK_TEXT = """\
if corpus.sha256 != {sha256!r}:
    raise SystemExit("This is not the text that the run was trained on.")
print(f"{{len(corpus.text):,}} characters. It begins: {{corpus.text[:60]!r}}")"""
MODEL = """\
torch.set_num_threads({threads})  # rounding depends on the number of threads
{tokenizer}
data = prepare_data(corpus.text, tokenizer, model_config, training_config)

device = torch.device(training_config.device)
torch.manual_seed(training_config.seed)
model = GPTModel(model_config).to(device)
optimizer = create_optimizer(model, training_config)
print(f"{{count_parameters(model):,}} parameters, {{data.train_tokens:,}} training tokens")"""
GPT2_TOKENIZER = """\
tokenizer = get_tokenizer()"""
OWN_TOKENIZER = """\
from gpt_core import fit_vocabulary, load_model, vocabulary_sha256

# The vocabulary that the run has: {origin}.
vocabulary, tokenizer, model_config = fit_vocabulary(
    corpus.text, model_config, training_config, given={given}
)
if vocabulary_sha256(vocabulary) != {sha256!r}:
    raise SystemExit("This is not the run's vocabulary: was it learnt by another version?")"""
INITIAL = """\
from pathlib import Path

from gpt_core import load_model, weights_sha256

WEIGHTS = Path({file!r})  # the run's initial weights: {name}
if not WEIGHTS.exists():
    raise SystemExit(f"{{WEIGHTS}} is missing: download the checkpoint from the Weights page.")
initial = load_model(WEIGHTS)
if weights_sha256(initial) != {sha256!r}:
    raise SystemExit("These are not the run's initial weights.")
model.load_state_dict(initial.state_dict())"""
TRAINING = """\
losses = {}  # step: (training loss, validation loss)
records = train(
    model, data.train_loader, data.val_loader, optimizer, tokenizer, training_config
)
for record in records:
    if isinstance(record, EvaluationRecord):
        losses[record.global_step] = (record.train_loss, record.val_loss)
        print(
            f"Ep {record.epoch} (Step {record.global_step:06d}): "
            f"Train loss {record.train_loss:.3f}, Val loss {record.val_loss:.3f}"
        )
    elif isinstance(record, SampleRecord):
        print(record.text.replace("\\n", " "))"""
CHART = """\
figure = go.Figure()
for column, name in enumerate(("Training", "Validation")):
    figure.add_scatter(x=list(losses), y=[pair[column] for pair in losses.values()], name=name)
figure.update_layout(xaxis_title="Step", yaxis_title="Loss", template="simple_white")
figure"""
COMPARISON = """\
recorded = {recorded}
difference = max(
    abs(now - then)
    for step, pair in recorded.items() if step in losses
    for now, then in zip(losses[step], pair)
)
print(f"Largest difference from the recorded run: {{difference:.2g}}")"""


def write_notebook(store: RunStore, run: Run) -> str:
    """Return a notebook, as JSON, that repeats a run.

    A text of at most :data:`MAX_INLINE_CHARACTERS` characters is part of the notebook; a longer
    text is read from a file next to it. User input appears in code cells, as data, never in
    Markdown.
    """
    threads = run.versions.get("threads", "1")
    ran_on = ", ".join(f"{name} {value}" for name, value in run.versions.items())
    recorded = {
        row.global_step: (row.train_loss, row.val_loss)
        for row in _evenly(store.evaluations(run.id), MAX_INLINE_EVALUATIONS)
    }
    cells = [
        _markdown(
            f"# Run `{run.id}`, repeated",
            "Exported from GPT Pretraining Lab. This notebook trains the same model on the same "
            "text from the same seed, with `gpt_core`. Run all cells from top to bottom.",
        ),
        _code(IMPORTS),
        _markdown("## The settings"),
        _code(f"model_config = {_as_python(run.model_config)}\n"),
        _code(f"training_config = {_as_python(run.training_config)}\n"),
        _markdown("## The text"),
        _code(text := _text_cell(store, run), is_folded=len(text) > 2000),
        _code(CHECK_TEXT.format(sha256=run.text_sha256)),
        _markdown("## The model"),
        _code(
            MODEL.format(
                threads=int(threads) if threads.isdecimal() else 1, tokenizer=_tokenizer_code(run)
            )
        ),
        *(_initial_cells(run) if run.initial_sha256 else ()),
        _markdown(
            "## Training",
            "`train` yields a record of each step, evaluation and sample. The cell prints the "
            "evaluations and samples in the book's format.",
        ),
        _code(TRAINING),
        _code(CHART),
    ]
    if recorded:
        cells += [
            _markdown(
                "## Is it the same run?",
                f"The recorded run used {ran_on}. With the same setup the difference is 0. With "
                "another one the last digits differ, and dropout may draw other random numbers: "
                "the curves are then only close.",
            ),
            _code(COMPARISON.format(recorded=pprint.pformat(recorded, sort_dicts=False))),
        ]
    notebook = {
        "cells": [{"id": f"cell-{i}", **cell} for i, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1)


def _tokenizer_code(run: Run) -> str:
    """Return the code that makes the run's tokenizer: GPT-2's, or that of its own vocabulary."""
    if not run.vocabulary_sha256:
        return GPT2_TOKENIZER
    origin, given = "learnt from the training split", "None"
    if run.initial_sha256:
        origin, given = (
            "that of its initial weights",
            f"load_model({_initial_file(run)!r}).vocabulary",
        )
    return OWN_TOKENIZER.format(origin=origin, given=given, sha256=run.vocabulary_sha256)


def _initial_file(run: Run) -> str:
    """Return the Weights page's file name of the run's initial weights."""
    return f"{run.id}-initial-ours.zip"


def _initial_cells(run: Run) -> list[dict[str, Any]]:
    """Return the cells that load the run's initial weights into the model."""
    code = INITIAL.format(
        file=_initial_file(run),
        # Without line breaks, for a comment.
        name=" ".join(run.initial_name.split()),
        sha256=run.initial_sha256,
    )
    return [
        _markdown(
            "## The initial weights",
            "The run did not start from random weights but from these. Download them from the "
            "Weights page, where they are among the run's checkpoints, as a ZIP of safetensors "
            "and JSON.",
        ),
        _code(code),
    ]


def text_file_name(run: Run) -> str:
    """Return the file name of a run's text: letters, digits and dashes of the text's name."""
    name = re.sub(r"\W+", "-", run.text_name.removesuffix(".txt")).strip("-_")
    return f"{name[:40] or 'text'}.txt"


def _text_cell(store: RunStore, run: Run) -> str:
    """Return the code that loads the run's text."""
    if run.text_sha256 == VERDICT_SHA256:
        return THE_VERDICT
    if key := bundled_text(run.text_sha256):
        return BUNDLED.format(key=key)
    try:
        text = store.text(run.text_sha256)
    except ValueError:  # lost in this store: the reader may have the file
        text = ""
    if not text or len(text) > MAX_INLINE_CHARACTERS:
        return BESIDE.format(file=text_file_name(run), name=run.text_name)
    lines = "\n".join(f"    {line!r}" for line in text.splitlines(keepends=True))
    return WITHIN.format(lines=lines, name=Corpus(run.text_name, text).name)


def _as_python(config: GPTConfig | TrainingConfig) -> str:
    """Return the Python code of a configuration, one line per field."""
    fields = "\n".join(f"    {name}={value!r}," for name, value in as_settings(config).items())
    return f"{type(config).__name__}(\n{fields}\n)"


def _evenly(rows: list[StoredEvaluation], most: int) -> list[StoredEvaluation]:
    """Return at most ``most`` rows, evenly spread, with the first and the last."""
    if len(rows) <= most:
        return rows
    return [rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most)]


def _markdown(*paragraphs: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": "\n\n".join(paragraphs)}


def _code(source: str, is_folded: bool = False) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"jupyter": {"source_hidden": True}} if is_folded else {},
        "outputs": [],
        "source": source.strip(),
    }
