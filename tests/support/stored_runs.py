"""A run written down without training it."""

from typing import Any

from gpt_core.store import RunStore
from tests.conftest import TINY, TINY_TRAINING


def add_run(store: RunStore, run_id: str = "a-run", **facts: Any) -> None:
    """Record a run; ``facts`` are its vocabulary and its baselines."""
    configs, tokens, versions = (TINY, TINY_TRAINING), (900, 100, 20), {"torch": "x"}
    about_text = ("a text", "0" * 64)
    store.add_run(run_id, "ada", "tiny", *configs, *about_text, *tokens, versions, **facts)
