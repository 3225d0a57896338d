"""A run written down without training it."""

from gpt_core.store import Baselines, RunStore
from tests.conftest import TINY, TINY_TRAINING


def add_run(store: RunStore, run_id: str = "a-run", baselines: Baselines | None = None) -> None:
    store.add_run(
        *(run_id, "ada", "tiny", TINY, TINY_TRAINING, "a text", "0" * 64, 900, 100, 20),
        {"torch": "x"},
        baselines=baselines,
    )
