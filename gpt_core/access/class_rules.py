"""ClassRules: what a teacher lets students do on the one machine, and what refuses the rest."""

import json
import logging
import math
from dataclasses import asdict, dataclass, fields

from gpt_core.access.permissions import is_student, require_teacher
from gpt_core.config import GPTConfig, TrainingConfig, field_help
from gpt_core.presets import PRESETS, Preset
from gpt_core.store import RunStore
from gpt_core.validation import check_whole, shown

WEIGHTS, TEXTS = "weights", "texts"  # controls beside the settings: to begin with, of one's own
CONTROLS = (*field_help(GPTConfig), *field_help(TrainingConfig), WEIGHTS, TEXTS)
FIRST_LESSON = ("num_epochs", "learning_rate", "n_layers")  # three knobs, not thirty
MEGABYTE = 10**6
MAX_LIMIT = 2**53 - 1  # a browser's numbers end there

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassRules:
    """What holds for each student of a class; None is no limit.

    Raises:
        ValueError: a limit is below 1, or a preset or a control is not known.
    """

    most_runs: int | None = 5  # that wait, train or are paused at once
    most_steps: int | None = None  # of a run
    most_parameters: int | None = 200_000_000  # of a run's model: the chapter's has 162 million
    most_minutes: int | None = None  # of training, of all their runs together
    most_megabytes: int | None = None  # on the disk: checkpoints, texts and models
    presets: tuple[str, ...] = ()  # which they may use; all of them where it is empty
    hidden: tuple[str, ...] = ()  # of CONTROLS: these stay as the preset has them

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.startswith("most_") and value is not None:
                check_whole(field.name, value, at_least=1, at_most=MAX_LIMIT)
        for field_name, known in (("presets", tuple(PRESETS)), ("hidden", CONTROLS)):
            names = getattr(self, field_name)
            if not isinstance(names, tuple | list):
                raise ValueError(f"{field_name}={shown(names)} is no list: give a list of names.")
            if unknown := [name for name in names if name not in known]:
                raise ValueError(
                    f"{shown(unknown[0])} of {field_name} is not known: choose of "
                    f"{', '.join(known)}."
                )
            object.__setattr__(self, field_name, tuple(names))  # JSON gives a list back

    def allowed_presets(self) -> list[str]:
        """Return the names of the presets that students may use."""
        return [name for name in PRESETS if name in self.presets or not self.presets]


def read_rules(store: RunStore) -> ClassRules:
    """Return the rules that are on record, or those that a class begins with."""
    facts = store.class_store.rules()
    known = {f.name for f in fields(ClassRules)}
    facts = {name: value for name, value in facts.items() if name in known}
    # Of another version there may be names that are none any more: the limits hold all the same.
    try:
        for name, names in (("presets", tuple(PRESETS)), ("hidden", CONTROLS)):
            facts[name] = tuple(n for n in facts.get(name, ()) if n in names)
        return ClassRules(**facts)
    except (ValueError, TypeError):
        log.exception("the rules on record make no sense: those of a new class hold")
        return ClassRules()


def write_rules(store: RunStore, rules: ClassRules, *, actor: str) -> None:
    """Put rules on record.

    Raises:
        PermissionDenied: it is a student who asks.
    """
    require_teacher(store, actor, "set the rules")
    store.class_store.add_rules(asdict(rules), actor)


def require_allowed_run(
    rules: ClassRules,
    preset: Preset,
    config: TrainingConfig,
    steps: int,
    parameters: int,
    begins_with_weights: bool,
) -> None:
    """Refuse a student's run for what it is.

    Args:
        rules: what holds.
        preset: the model, and the name of what it was made from.
        config: how it is to be trained, as it was asked for.
        steps: of the whole run.
        parameters: of the model.
        begins_with_weights: whether with others than random ones.

    Raises:
        ValueError: it is more than the teacher allows, or other.
    """
    allowed = rules.allowed_presets()
    restricts = bool(rules.presets or rules.hidden)
    if restricts and preset.name not in allowed:
        raise ValueError(
            f"The preset {preset.name} is not for this lesson: choose {' or '.join(allowed)}."
        )
    for number, most, what in (
        (steps, rules.most_steps, "steps: choose fewer num_epochs, or a shorter text"),
        (parameters, rules.most_parameters, "parameters: choose a smaller emb_dim or n_layers"),
    ):
        if most is not None and number > most:
            raise ValueError(
                f"Your teacher allows {most:,} a run, and this one has {number:,} {what}."
            )
    if begins_with_weights and WEIGHTS in rules.hidden:
        raise ValueError("In this lesson runs begin with random weights: choose those.")
    if not rules.hidden:
        return
    base = PRESETS[preset.name]
    changes = base.changes(preset.model, config)
    if begins_with_weights:  # they fix the model
        changes = {
            name: value for name, value in changes.items() if not hasattr(preset.model, name)
        }
    own_probes = set(changes.pop("probes", ())) - set(base.training.probes)
    changed = [name for name in changes if name in rules.hidden]
    if len(own_probes) > 1 and "probes" in rules.hidden:  # one is the text's own
        changed.append("probes")
    if changed:
        raise ValueError(f"In this lesson {changed[0]} stays as in the preset {preset.name}.")


def require_training_time(store: RunStore, rules: ClassRules, owner: str) -> None:
    """Refuse a student who has used up their minutes.

    Raises:
        ValueError: they have.
    """
    if is_student(owner) and seconds_left(store, rules, owner) <= 0:
        raise ValueError(
            f"Your training time, {rules.most_minutes} min, is used up: ask your teacher for more."
        )


def seconds_left(store: RunStore, rules: ClassRules, owner: str, leave_out: str = "") -> float:
    """Return for how long a student's runs may still train; those they deleted count, too.

    Args:
        store: where it is written down how long they have.
        rules: what holds.
        owner: the student.
        leave_out: a run that is not counted: whoever asks counts it.
    """
    if rules.most_minutes is None:
        return math.inf
    used = sum(
        summary.seconds
        for summary in store.summaries()
        if summary.run.owner == owner and summary.run.id != leave_out
    )
    used += sum(row.seconds for row in store.deletions() if row.owner == owner)
    return 60 * rules.most_minutes - used


def require_disk_quota(store: RunStore, rules: ClassRules, owner: str, wanted: int) -> None:
    """Refuse a student who wants more of the disk than their share.

    Args:
        store: in whose runs directory it is wanted.
        rules: what holds.
        owner: the student; anybody else has no share.
        wanted: so many bytes more, at most.

    Raises:
        ValueError: it is too much.
    """
    if not is_student(owner) or rules.most_megabytes is None:
        return
    used = bytes_used(store, owner)
    if used + wanted > rules.most_megabytes * MEGABYTE:
        raise ValueError(
            f"Each student has {rules.most_megabytes:,} MB of the disk. You use "
            f"{used / MEGABYTE:,.1f}, and this takes up to {wanted / MEGABYTE:,.1f} more: delete "
            "runs, texts or models that you need no longer."
        )


def bytes_used(store: RunStore, owner: str) -> int:
    """Return what a student has on the disk: their runs' checkpoints, their texts and models."""
    kept = 0
    for folder in ("texts", "models"):
        for path in (store.runs_dir / folder).glob(f"*.{owner}.json"):
            try:
                kept += int(json.loads(path.read_text(encoding="utf-8"))["bytes"])
            except (OSError, ValueError, KeyError, TypeError):
                continue  # damaged, or just deleted
    return kept + store.checkpoint_bytes(owner)
