"""What the tests of the runner share."""

from collections.abc import Iterator

import pytest

from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import Corpus, load_text
from tests.support.runs import SIX_EPOCHS, everything


@pytest.fixture
def runner(store: RunStore) -> Iterator[TrainingRunner]:
    runner = TrainingRunner(store)
    yield runner
    runner.close()


@pytest.fixture
def corpus() -> Corpus:
    return load_text("counting")


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """Everything recorded by an uninterrupted run."""
    store = RunStore(tmp_path_factory.mktemp("alone"))
    runner = TrainingRunner(store)
    run_id = runner.start(SIX_EPOCHS, load_text("counting"), actor="local")
    runner.wait(run_id, timeout=120)
    runner.close()
    recorded = everything(store, run_id)
    store.close()
    return recorded
