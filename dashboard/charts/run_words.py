"""A run's state, changes and waiting time, in words and colours."""

import math

from dashboard.charts.formatting import format_duration
from gpt_core.presets import PRESETS
from gpt_core.store import Run

STATE_COLORS = {
    "queued": "gray",
    "running": "green",
    "paused": "orange",
    "finished": "blue",
    "stopped": "gray",
    "failed": "red",
    "interrupted": "orange",
}


def changes_from_preset(run: Run) -> list[str]:
    """Return what differs from the run's preset: "n_layers 4". Not what changes no loss.

    What a user wrote is named without its words: these stand among markup of ours.
    """
    preset = PRESETS.get(run.preset)
    if preset is None:
        return []
    return [
        name if name == "start_context" else f"{name} {value}"
        for name, value in preset.changes(run.model_config, run.training_config).items()
        if not (run.is_redacted and name == "start_context")
        and name not in ("probes", "precision", "device", "keep_epochs")
    ]


def describe_wait(seconds: float) -> str:
    """Say in how many seconds something is expected, if anybody knows: ", in about 2 min"."""
    if math.isinf(seconds):
        return ""
    if seconds < 2:
        return ", any moment"
    roughly = f"{seconds / 60:.0f} min" if 100 <= seconds < 3600 else format_duration(seconds)
    return f", in about {roughly}"
