"""What several test files share: the tokenizer, small configurations, the book's text."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from hypothesis import HealthCheck, settings
from streamlit.runtime.pages_manager import PagesManager

from dashboard.app import runtime
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.runner import TrainingRunner
from gpt_core.store import Run, RunState, RunStore
from gpt_core.system import foreign_json
from gpt_core.text import has_the_verdict, load_text
from gpt_core.vocabularies import get_tokenizer
from gpt_core.weights import loading
from gpt_core.weights.reading import conversion
from tests.support.shared_reader import SharedReader

# A tiny GPT that trains in a second; everything else about it is the real thing.
TINY = GPTConfig(context_length=32, emb_dim=16, n_heads=2, n_layers=2)
TINY_TRAINING = TrainingConfig(num_epochs=2, eval_freq=5, eval_iter=2, sample_tokens=5)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--whole-run",
        action="store_true",
        help="also the chapter's whole run and what else takes longest, many minutes",
    )


def pytest_configure(config: pytest.Config) -> None:
    # A test that uses the runs directory has one of its own: this one cannot be made.
    os.environ["GPT_LAB_RUNS_DIR"] = os.path.join(os.devnull, "a test without a runs directory")
    if config.getoption("numprocesses", None):
        # Several share the cores: two that each compute on all of them wait for each other.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        os.environ.setdefault("GPT_LAB_THREADS", "1")
    # Hypothesis tries the same few things at each run, or thousands of others.
    common = settings(
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    settings.register_profile("quick", common, max_examples=100, derandomize=True)
    settings.register_profile("thousands", common, max_examples=2000, print_blob=True)
    settings.load_profile("thousands" if config.getoption("--whole-run") else "quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--whole-run"):
        skip = pytest.mark.skip(reason="takes long: pytest --whole-run")
        for item in items:
            if "whole_run" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def shared_readers() -> Iterator[tuple[SharedReader, SharedReader]]:
    """The processes that read all weights and all JSON; each starts at the first file."""
    readers = SharedReader(conversion.__name__), SharedReader()
    yield readers
    for reader in readers:
        reader.close()


@pytest.fixture(autouse=True)
def files_are_read_by_shared_processes(
    shared_readers: tuple[SharedReader, SharedReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "weights_reader", lambda *_: shared_readers[0])
    monkeypatch.setattr(foreign_json, "json_reader", lambda: shared_readers[1])


@pytest.fixture(scope="session")
def tokenizer() -> tiktoken.Encoding:
    return get_tokenizer()


@pytest.fixture(scope="session")
def verdict() -> str:
    if not has_the_verdict():
        if os.environ.get("CI"):
            pytest.fail("data/the-verdict.txt is missing: .ci/run should have put it there")
        pytest.skip("data/the-verdict.txt is missing: python -m gpt_core fetch-verdict")
    return load_text("the-verdict").text


@pytest.fixture
def runs_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which this test's runs are kept, also by the app."""
    path = tmp_path / "runs"
    monkeypatch.setenv("GPT_LAB_RUNS_DIR", str(path))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    """An empty store."""
    store = RunStore(tmp_path)
    yield store
    store.close()


@pytest.fixture
def runner(store: RunStore) -> Iterator[TrainingRunner]:
    """A runner of that store, whose sums do not depend on the machine's cores."""
    runner = TrainingRunner(store, threads=1)
    yield runner
    runner.close()


@pytest.fixture
def run() -> Run:
    return Run(
        id="a-run",
        created_at=0.0,
        owner="ada",
        preset="tiny",
        model_config=TINY,
        training_config=TINY_TRAINING,
        text_name="a text",
        text_sha256="0" * 64,
        train_tokens=900,
        val_tokens=100,
        total_steps=20,
        versions={},
        state=RunState.RUNNING,
        state_at=0.0,
        message="",
    )


@pytest.fixture
def own_runtime(runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # AppTest forgets before each run what dashboard/runtime.py has told Streamlit once for the
    # whole process: that pages/ is not a folder of its older kind, whose pages have no frame.
    make = PagesManager.__init__

    def make_for_navigation(manager: PagesManager, *args: Any, **kwargs: Any) -> None:
        make(manager, *args, **kwargs)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", make_for_navigation)
    yield
    runtime.close_runtime()
