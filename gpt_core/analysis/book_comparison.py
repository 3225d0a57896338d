"""Compare a run with the book's printed log of the chapter's training."""

from dataclasses import asdict, dataclass

from gpt_core.analysis.reference_runs import BAND, BOOK_RUN
from gpt_core.analysis.run_history import Numbers
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.presets import GPT_CONFIG_124M
from gpt_core.store import Run
from gpt_core.text import VERDICT_SHA256

SIZE = ("vocab_size", "emb_dim", "n_heads", "n_layers")
# Settings that change no loss: the length, and what is sampled, probed and saved.
WITHOUT_EFFECT = {"num_epochs", "start_context", "sample_tokens", "probes", "keep_epochs"}
X86_64 = ("x86_64", "AMD64")


@dataclass(frozen=True)
class BookComparison:
    """How a run compares with the book's."""

    kind: str  # "other", "early", "equal", "inside" or "outside"
    sentence: str
    causes: tuple[str, ...] = ()  # possible explanations of a difference, likeliest first


def is_comparable(run: Run) -> bool:
    """Tell whether a run began with random weights and has the chapter's size and vocabulary."""
    has_its_vocabulary = run.training_config.vocabulary == TrainingConfig().vocabulary
    return (
        not run.initial_sha256
        and has_its_vocabulary
        and all(getattr(run.model_config, n) == getattr(GPT_CONFIG_124M, n) for n in SIZE)
    )


def compare_with_book(run: Run, evaluations: Numbers) -> BookComparison:
    """Compare a run's evaluations with the book's printed log at every shared step.

    Args:
        run: the run.
        evaluations: its evaluations, (N,).
    """
    own = {
        int(row["global_step"]): (float(row["train_loss"]), float(row["val_loss"]))
        for row in evaluations
    }
    if changes := differences_from_book(run):
        return BookComparison(
            "other",
            "This run is another one than the book's, so its losses must differ from the printed "
            f"log: {'; '.join(changes)}.",
        )
    steps = [step for step in BOOK_RUN.losses if step in own]
    causes = machine_causes(run)
    if not steps:
        return BookComparison(
            "early", "Nothing to compare yet: the book's log begins at step 0.", causes
        )
    off = [step for step in steps if not _is_equal(own[step], BOOK_RUN.losses[step])]
    points = f"{len(steps)} of the book's {len(BOOK_RUN.losses)} points"
    if not off:
        return BookComparison(
            "equal", f"Yes, digit for digit: {points} are there, and all equal the printed ones."
        )
    outside = [step for step in steps if not _is_inside(own[step], BOOK_RUN.losses[step])]
    if outside:
        step = outside[0]
        return BookComparison(
            "outside",
            f"No: it is outside the band from step {step} on. {_compare(own[step], step)} The band "
            f"is ±{BAND.train_loss} for training and ±{BAND.val_loss} for validation.",
            causes or (f"an error in the code, or in torch {run.versions.get('torch', '')}",),
        )
    inside = f"inside the band at all {points}, though not digit for digit."
    if causes:
        return BookComparison("inside", f"As it should be: {inside}", causes)
    step = off[0]
    return BookComparison(
        "inside",
        f"Almost: {inside} With these settings an x86-64 CPU gives the printed digits. "
        f"{_compare(own[step], step)}",
        (f"another version of torch: this is {run.versions.get('torch', 'unknown')}",),
    )


def differences_from_book(run: Run) -> tuple[str, ...]:
    """Return in which text and settings a run differs from the chapter's, in words.

    Settings that change no loss are left out, and so are device and precision.
    """
    differences = []
    if run.text_sha256 != VERDICT_SHA256:
        differences.append(f"its text is {run.text_name}, not The Verdict")
    mine = {**asdict(run.model_config), **asdict(run.training_config)}
    chapter = {**asdict(GPTConfig()), **asdict(TrainingConfig())}
    differences += [
        f"{name} is {value!r}, {chapter[name]!r} in the chapter"
        for name, value in mine.items()
        if value != chapter[name] and name not in {*WITHOUT_EFFECT, "device", "precision"}
    ]
    return tuple(differences)


def machine_causes(run: Run) -> tuple[str, ...]:
    """Return why a run of the chapter's text and settings may have other losses on its machine."""
    causes = []
    training = run.training_config
    machine = run.versions.get("machine", "")
    if training.device != "cpu":
        causes.append(f"device {training.device}: dropout draws differently there than on a CPU")
    elif not machine.startswith(X86_64):
        causes.append(f"processor {machine}: dropout draws differently there than on x86-64")
    if training.precision != "float32":
        causes.append(f"precision {training.precision}: products are rounded")
    return tuple(causes)


def _is_equal(own: tuple[float, float], book: tuple[float, float]) -> bool:
    return all(f"{x:.3f}" == f"{y:.3f}" for x, y in zip(own, book, strict=True))


def _is_inside(own: tuple[float, float], book: tuple[float, float]) -> bool:
    limits = (BAND.train_loss, BAND.val_loss)
    return all(abs(x - y) <= limit for x, y, limit in zip(own, book, limits, strict=True))


def _compare(own: tuple[float, float], step: int) -> str:
    book = BOOK_RUN.losses[step]
    return (
        f"Step {step}: training {own[0]:.3f}, validation {own[1]:.3f}; "
        f"the book {book[0]:.3f} and {book[1]:.3f}."
    )
