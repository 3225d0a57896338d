"""Compare the settings of runs, to explain different results."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from gpt_core.store import Run


def settings_of(run: Run) -> dict[str, Any]:
    """Return a run's text, initial weights, configurations and machine, by name.

    Texts of the same name differ by their hash.
    """
    return {
        "text": run.text_name,
        "text_sha256": run.text_sha256[:12],
        "begins with": run.initial_name or "random weights",
        "initial_sha256": run.initial_sha256[:12],
        **asdict(run.model_config),
        **asdict(run.training_config),
        **run.versions,
    }


def differing_settings(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Return only the settings in which runs differ, each with its value in every run.

    The value is None where a run does not have the setting.
    """
    settings = [settings_of(run) for run in runs]
    names = dict.fromkeys(name for of_a_run in settings for name in of_a_run)
    table = {name: [of_a_run.get(name) for of_a_run in settings] for name in names}
    differing = {name: row for name, row in table.items() if any(v != row[0] for v in row)}
    if "initial_sha256" not in differing:  # the same weights under another name
        differing.pop("begins with", None)
    for name, sha256 in (("text", "text_sha256"), ("begins with", "initial_sha256")):
        if name in differing:  # the name suffices
            differing.pop(sha256, None)
    return differing
