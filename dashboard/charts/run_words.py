"""A run's state, changed settings and waiting time, in words and colours."""

import math

from dashboard.charts.formatting import format_duration
from gpt_core.access import is_student, student_seed
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
    """Return the settings that differ from the run's preset, such as "n_layers 4".

    What changes no loss is left out (prompt, probes, keep_epochs), and precision, device and a
    student's own seed.
    """
    preset = PRESETS.get(run.preset)
    if preset is None:
        return []
    has_own_seed = is_student(run.owner) and run.training_config.seed == student_seed(run.owner)
    return [
        f"{name} {value}"
        for name, value in preset.changes(run.model_config, run.training_config).items()
        if not (has_own_seed and name == "seed")
        and name not in ("start_context", "probes", "precision", "device", "keep_epochs")
    ]


def describe_wait(seconds: float) -> str:
    """Return a waiting time in words, such as ", in about 2 min"; empty if it is unknown."""
    if math.isinf(seconds):
        return ""
    if seconds < 2:
        return ", any moment now"
    roughly = f"{seconds / 60:.0f} min" if 100 <= seconds < 3600 else format_duration(seconds)
    return f", starting in about {roughly}"
