"""Which of a run's rows its model is trained on, in words."""

from dataclasses import replace

import pytest

from dashboard.ui.probes import describe_rows
from gpt_core.config import TrainingConfig
from gpt_core.presets import PRESETS
from gpt_core.store import Run
from gpt_core.text import load_text
from gpt_core.training import with_text_probe
from gpt_core.vocabularies import get_tokenizer

TEXT = load_text("the-lamp-room").text
POCKET = PRESETS["pocket"].model
CHAPTER = TrainingConfig().probes


def described(run: Run, *probes: str, text: str | None = TEXT) -> str:
    config = replace(run.training_config, probes=probes)
    of_the_pocket = replace(run, model_config=POCKET, training_config=config)
    return describe_rows(of_the_pocket, text, get_tokenizer())


@pytest.fixture
def of_the_text(run: Run) -> str:
    config = with_text_probe(run.training_config, TEXT, get_tokenizer(), POCKET.context_length)
    return config.probes[-1]


def test_the_beginning_of_a_window_is_named_and_so_is_what_becomes_of_the_other_rows(
    run: Run, of_the_text: str
) -> None:
    said = described(run, *CHAPTER, of_the_text)
    assert f"“{of_the_text.strip()}” begins a window of the training text" in said
    assert "The other rows are not in the training text. Their loss may rise" in said
    assert "is in the training text, but not" not in said


def test_a_row_from_elsewhere_in_the_text_is_not_said_to_rise_to_1(run: Run) -> None:
    row = TEXT[2000:2030].split(" ", 1)[1]
    said = described(run, row)
    assert "is in the training text, but not at the beginning of a window" in said
    assert "rise towards 1" not in said
    assert "not in the training text" not in said


def test_the_chapters_rows_alone_are_not_in_the_text(run: Run) -> None:
    said = described(run, *CHAPTER)
    assert "These rows are not in the training text." in said
    assert "window" not in said


def test_nothing_is_claimed_of_a_text_that_was_deleted(run: Run, of_the_text: str) -> None:
    said = described(run, *CHAPTER, of_the_text, text=None)
    assert said == "The tokens of a row, and below each p: the probability that the model gave it."
