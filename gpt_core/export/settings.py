"""A run's whole configuration as JSON: export and import."""

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import NamedTuple

from gpt_core.config import GPTConfig, TrainingConfig, as_settings
from gpt_core.presets import Preset
from gpt_core.store import Run, RunStore
from gpt_core.system import foreign_json


class Settings(NamedTuple):
    """The result of :func:`read_settings`: a preset, and the hashes of text and weights."""

    preset: Preset
    text_sha256: str
    initial_sha256: str  # of the initial weights; "" for random ones


def settings_json(store: RunStore, run: Run) -> bytes:
    """Return a run's configuration as JSON: ``python -m gpt_core train --settings`` reads it."""
    facts = {
        "run": run.id,
        "name": run.name,
        "note": run.note,
        "started": datetime.fromtimestamp(run.created_at, UTC).isoformat(timespec="seconds"),
        "preset": run.preset,
        "model": as_settings(run.model_config),
        "training": as_settings(run.training_config),
        "text": {
            "name": run.text_name,
            "sha256": run.text_sha256,
            "train_tokens": run.train_tokens,
            "val_tokens": run.val_tokens,
        },
        "vocabulary_sha256": run.vocabulary_sha256,  # of its tokenizer.json; "" for GPT-2's
        "initial_weights": {"name": run.initial_name, "sha256": run.initial_sha256}
        if run.initial_sha256
        else None,
        "ran_on": run.versions,
    }
    return json.dumps(facts, indent=1, ensure_ascii=False).encode()


def read_settings(data: bytes) -> Settings:
    """Return a run's settings from the JSON of :func:`settings_json`, parsed in a sandbox.

    Raises:
        ValueError: it is no such JSON, or a setting is unknown or out of range.
    """
    try:
        facts = foreign_json.parse_foreign_json(data, "the file")
    except ValueError as error:
        raise ValueError(f"These are not the settings of a run: {error}.") from error
    text = facts.get("text") if isinstance(facts, dict) else None
    if not isinstance(text, dict) or not all(
        isinstance(facts.get(part), dict) for part in ("model", "training")
    ):
        raise ValueError("These are not the settings of a run: they need model, training and text.")
    for part, config in (("model", GPTConfig), ("training", TrainingConfig)):
        if unknown := sorted(set(facts[part]) - {field.name for field in fields(config)}):
            raise ValueError(f"{part} has no setting {unknown[0]!r}: remove it.")
    model, training = GPTConfig(**facts["model"]), TrainingConfig(**facts["training"])
    preset = Preset(str(facts.get("preset") or "custom"), "", model, training)
    initial = facts.get("initial_weights")
    initial_sha256 = str(initial.get("sha256", "")) if isinstance(initial, dict) else ""
    return Settings(preset, str(text.get("sha256")), initial_sha256)
