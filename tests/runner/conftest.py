"""What the tests of the runner share."""

from collections.abc import Iterator

import pytest

from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import Corpus, load_text


@pytest.fixture
def runner(store: RunStore) -> Iterator[TrainingRunner]:
    runner = TrainingRunner(store)
    yield runner
    runner.close()


@pytest.fixture
def corpus() -> Corpus:
    return load_text("counting")
