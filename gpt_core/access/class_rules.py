"""ClassRules: what a teacher allows students on the shared machine, and its enforcement."""

import hashlib
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields

from gpt_core.access.permissions import TEACHER, is_student, require_teacher
from gpt_core.config import GPTConfig, TrainingConfig, field_help
from gpt_core.presets import PRESETS, Preset
from gpt_core.store import Run, RunState, RunStore
from gpt_core.system import count, read_json
from gpt_core.validation import check_whole, shown

WEIGHTS, TEXTS = "weights", "texts"  # controls besides the settings: initial weights, own texts
CONTROLS = (*field_help(GPTConfig), *field_help(TrainingConfig), WEIGHTS, TEXTS)
FIRST_LESSON = ("num_epochs", "learning_rate", "n_layers")  # three settings, not thirty
MEGABYTE = 10**6
TIME_USED_UP = "The training time is used up."  # the message of a run that ended so
SEEDS = 10**6  # six digits: two of thirty students have the same seed in 1 of 2,300 classes
MAX_LIMIT = 2**53 - 1  # the largest exact integer in a browser

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassRules:
    """The limits of each student in a class; None means no limit.

    The defaults are for thirty students on a laptop with two cores, where the pocket preset's run
    takes 50 seconds alone, needs up to 485 MB of disk while it trains and keeps 108 MB when it
    has finished (docs/LOG.md). Its model has 13 million parameters; that of evening has 49 million.

    Raises:
        ValueError: a limit is below 1, or a preset or control is unknown.
    """

    most_runs: int | None = 3  # queued, running or paused at once
    most_steps: int | None = None  # per run
    most_parameters: int | None = 20_000_000  # per model; the chapter's has 162 million
    most_minutes: int | None = 10  # of training, all runs of a student together
    most_megabytes: int | None = 1200  # on disk: checkpoints, texts and models
    # In memory: uploaded and not yet saved. The largest model above has 240 MB with its optimizer.
    most_upload_megabytes: int | None = 250
    presets: tuple[str, ...] = ()  # allowed ones; empty allows all
    hidden: tuple[str, ...] = ()  # from CONTROLS: fixed at the preset's values

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.startswith("most_") and value is not None:
                check_whole(field.name, value, at_least=1, at_most=MAX_LIMIT)
        for field_name, known in (("presets", tuple(PRESETS)), ("hidden", CONTROLS)):
            names = getattr(self, field_name)
            if not isinstance(names, tuple | list):
                raise ValueError(
                    f"{field_name}={shown(names)} is not a list: give a list of names."
                )
            if unknown := [name for name in names if name not in known]:
                raise ValueError(
                    f"{shown(unknown[0])} in {field_name} is not known: choose from "
                    f"{', '.join(known)}."
                )
            object.__setattr__(self, field_name, tuple(names))  # JSON returns lists

    def allowed_presets(self) -> list[str]:
        """Return the names of the presets that students may use."""
        return [name for name in PRESETS if name in self.presets or not self.presets]


def student_seed(member_id: str) -> int:
    """Return a student's own seed, the same each time, from the hash of their ID."""
    return int.from_bytes(hashlib.sha256(member_id.encode()).digest()[:8], "big") % SEEDS


def read_rules(store: RunStore) -> ClassRules:
    """Return the recorded rules, or the defaults of a new class."""
    facts = store.class_store.rules()
    known = {f.name for f in fields(ClassRules)}
    facts = {name: value for name, value in facts.items() if name in known}
    # Another version may have recorded names that no longer exist: the limits still apply.
    try:
        for name, names in (("presets", tuple(PRESETS)), ("hidden", CONTROLS)):
            facts[name] = tuple(n for n in facts.get(name, ()) if n in names)
        return ClassRules(**facts)
    except (ValueError, TypeError):
        log.exception("the recorded rules are invalid: the defaults of a new class apply")
        return ClassRules()


def write_rules(store: RunStore, rules: ClassRules, *, actor: str) -> None:
    """Record new rules.

    Raises:
        PermissionDenied: the actor is a student.
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
    prompt: str,
    owner: str,
) -> None:
    """Refuse a student's run that the rules do not allow.

    Args:
        rules: the class's rules.
        preset: the model, under the name of the preset that it is based on.
        config: the requested training settings.
        steps: optimizer updates in the whole run.
        parameters: the model's number of parameters.
        begins_with_weights: whether the run begins with weights that are not random.
        prompt: the one that suits the text, which may replace the preset's.
        owner: the student, who may also use their own seed where the seed is fixed.

    Raises:
        ValueError: the run exceeds a limit, or changes a setting that is fixed.
    """
    allowed = rules.allowed_presets()
    restricts = bool(rules.presets or rules.hidden)
    if restricts and preset.name not in allowed:
        raise ValueError(
            f"The preset {preset.name} is not for this lesson: choose {' or '.join(allowed)}."
        )
    for number, most, what, change in (
        (steps, rules.most_steps, "step", "a lower num_epochs or a shorter text"),
        (parameters, rules.most_parameters, "parameter", "a smaller emb_dim or n_layers"),
    ):
        if most is not None and number > most:
            raise ValueError(
                f"This run has {count(number, what)}, and your teacher allows at most {most:,}: "
                f"choose {change}."
            )
    if begins_with_weights and WEIGHTS in rules.hidden:
        raise ValueError("In this lesson runs begin with random weights: choose random weights.")
    if not rules.hidden:
        return
    base = PRESETS[preset.name]
    changes = base.changes(preset.model, config)
    if begins_with_weights:  # the weights fix the model's settings
        changes = {
            name: value for name, value in changes.items() if not hasattr(preset.model, name)
        }
    if config.vocabulary != "bpe":
        changes.pop("vocab_size", None)  # it follows from the vocabulary
    own_probes = set(changes.pop("probes", ())) - set(base.training.probes)
    if config.seed == student_seed(owner):
        changes.pop("seed", None)
    if config.start_context == prompt:
        changes.pop("start_context", None)
    changed = [name for name in changes if name in rules.hidden]
    if len(own_probes) > 1 and "probes" in rules.hidden:  # one is added for the text
        changed.append("probes")
    if changed:
        raise ValueError(
            f"In this lesson {changed[0]} stays as in the preset {preset.name}: reset it."
        )


def was_halted_by_teacher(run: Run) -> bool:
    """Tell whether the teacher, and not a limit of the class, paused or stopped a run.

    Then only the teacher continues it.
    """
    is_halted = run.state in (RunState.PAUSED, RunState.STOPPED)
    return is_halted and run.state_actor == TEACHER and not run.message.startswith(TIME_USED_UP)


def require_training_time(store: RunStore, rules: ClassRules, owner: str) -> None:
    """Refuse a student whose training time is used up.

    Raises:
        ValueError: no training time is left.
    """
    if is_student(owner) and seconds_left(store, rules, owner) <= 0:
        raise ValueError(
            f"Your training time, {rules.most_minutes} min, is used up: ask your teacher for more."
        )


def seconds_left(store: RunStore, rules: ClassRules, owner: str, leave_out: str = "") -> float:
    """Return how many seconds a student's runs may still train; deleted runs count too.

    Args:
        store: the store of the runs and deletions.
        rules: the class's rules.
        owner: the student.
        leave_out: the ID of a run to leave out, because the caller counts it.
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


@contextmanager
def within_disk_quota(
    store: RunStore, rules: ClassRules, owner: str, wanted: int
) -> Iterator[None]:
    """Write in this block what a student's disk quota allows; refuse what exceeds it.

    One block runs at a time, so that simultaneous requests count each other's bytes. The arguments
    and errors are those of :func:`require_disk_quota`.
    """
    with store.quota_lock:
        require_disk_quota(store, rules, owner, wanted)
        yield


def require_disk_quota(store: RunStore, rules: ClassRules, owner: str, wanted: int) -> None:
    """Refuse to exceed a student's disk quota.

    Args:
        store: the store of the runs directory.
        rules: the class's rules.
        owner: the student; other actors have no quota.
        wanted: the additional bytes, at most.

    Raises:
        ValueError: the quota would be exceeded.
    """
    if not is_student(owner) or rules.most_megabytes is None:
        return
    used = bytes_used(store, owner)
    if used + wanted > rules.most_megabytes * MEGABYTE:
        raise ValueError(
            f"Each student may use {rules.most_megabytes:,} MB of the disk. You use "
            f"{used / MEGABYTE:,.1f} MB, and this needs up to {wanted / MEGABYTE:,.1f} MB more: "
            "delete runs, texts or models that you no longer need."
        )


def bytes_used(store: RunStore, owner: str) -> int:
    """Return the bytes of a student's checkpoints, texts and models on disk."""
    kept = 0
    for folder in ("texts", "models"):
        for path in (store.runs_dir / folder).glob(f"*.{owner}.json"):
            try:
                kept += int(read_json(path)["bytes"])
            except (OSError, ValueError, KeyError, TypeError):
                continue  # damaged, or deleted meanwhile
    return kept + store.checkpoint_bytes(owner)
