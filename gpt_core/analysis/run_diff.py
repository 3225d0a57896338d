"""What runs were set up with differently: what may explain that they went differently."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from gpt_core.store import Run


def settings_of(run: Run) -> dict[str, Any]:
    """Return all that a run was set up with, by name: its text, both configurations, its machine.

    Texts are told apart by their content: where it is not the name that differs, see its hash.
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
    """Return just the settings in which runs differ, each with its value in every run.

    None stands for a setting that a run does not know.
    """
    settings = [settings_of(run) for run in runs]
    names = dict.fromkeys(name for of_a_run in settings for name in of_a_run)
    table = {name: [of_a_run.get(name) for of_a_run in settings] for name in names}
    differing = {name: row for name, row in table.items() if any(v != row[0] for v in row)}
    if "initial_sha256" not in differing:  # however the same weights are called
        differing.pop("begins with", None)
    for name, sha256 in (("text", "text_sha256"), ("begins with", "initial_sha256")):
        if name in differing:  # the name says it
            differing.pop(sha256, None)
    return differing
