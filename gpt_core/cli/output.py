"""The terminal's output of a run while it trains."""

import sys

from tqdm import tqdm

from gpt_core.analysis import SPEED_STEPS, Progress, run_progress
from gpt_core.runner import TrainingRunner, describe_speed
from gpt_core.store import Run, RunStore, StoredEvaluation, StoredSample
from gpt_core.system import count

POLL_SECONDS = 0.2


def print_notices(store: RunStore) -> None:
    """Print the notices about damaged records to standard error."""
    for path, notice in store.notices().items():
        print(f"{notice} (Delete {path.name} when you have read this.)", file=sys.stderr)


def print_run(store: RunStore, runner: TrainingRunner, run_id: str) -> Run:
    """Print a run's evaluations and samples from the store until it has ended."""
    run = store.run(run_id)
    assert run is not None
    print(f"Run {run.id}: {run.preset} on {run.text_name}, {run.train_tokens:,} training tokens")
    print(f"Computing in {run.training_config.precision} on {run.training_config.device}")
    # The earlier records of a resumed run were printed before.
    printed = ("evaluations", "samples")
    before = store.records_since(run_id, printed, {})
    seen = {table: max((r.id for r in getattr(before, table)), default=0) for table in printed}
    done = store.last_steps(run_id, 1)
    start = done[0].global_step + 1 if done else 0
    was_paused = False
    with tqdm(total=run.total_steps, initial=start, unit="step", dynamic_ncols=True) as bar:
        while True:
            has_ended = runner.wait(run_id, POLL_SECONDS)  # first: then all records are there
            is_paused = runner.is_paused(run_id)  # likewise
            new = store.records_since(run_id, printed, seen)
            # The sort is stable: at the same step, the evaluation comes before the sample.
            records: list[StoredEvaluation | StoredSample] = [*new.evaluations, *new.samples]
            for record in sorted(records, key=lambda record: record.global_step):
                bar.write(_line(record))
            seen |= {t: getattr(new, t)[-1].id for t in printed if getattr(new, t)}
            _advance(bar, run, run_progress(run, store.last_steps(run_id, SPEED_STEPS)))
            if is_paused != was_paused and not has_ended:
                bar.write(_pause_line(is_paused, bar.n))
            was_paused = is_paused
            if has_ended:
                break
    run = store.run(run_id)
    assert run is not None
    last = store.evaluations(run_id)[-1:]
    if last:
        losses = f"train loss {last[0].train_loss:.3f}, val loss {last[0].val_loss:.3f}"
        losses += _measures(last[0])
        label = f"{last[0].global_step:06d}"
        print(f"{run.state.capitalize()} after {count(bar.n, 'step')}. At step {label}: {losses}")
    return run


def _line(record: StoredEvaluation | StoredSample) -> str:
    """Return the book's log line for an evaluation, or a sample on one line."""
    if isinstance(record, StoredSample):
        return record.text.replace("\n", " ")
    return (
        f"Ep {record.epoch} (Step {record.global_step:06d}): "
        f"Train loss {record.train_loss:.3f}, Val loss {record.val_loss:.3f}{_measures(record)}"
    )


def _pause_line(is_paused: bool, steps: int) -> str:
    """Return what the terminal says when the app has paused or resumed its run."""
    if not is_paused:
        return "Resumed from the app."
    return (
        f"Paused from the app after {count(steps, 'step')}: it waits until it is resumed there. "
        "Ctrl-C saves and ends it."
    )


def _measures(evaluation: StoredEvaluation) -> str:
    """Return what else was measured on the validation text; empty in an older run."""
    if evaluation.val_bits_per_byte is None or evaluation.val_accuracy is None:
        return ""
    exact = evaluation.exact_match
    return (
        f" · validation {evaluation.val_bits_per_byte:.3f} bits per byte, "
        f"{evaluation.val_accuracy:.1%} of tokens right"
        + ("" if exact is None else f", {exact:.1%} of answers exact")
    )


def _advance(bar: "tqdm[None]", run: Run, progress: Progress) -> None:
    """Move the progress bar to the last step, with the run's tokens per second."""
    bar.update(progress.steps_done - bar.n)
    if progress.tokens_per_second is not None:
        bar.set_postfix_str(describe_speed(run, progress.tokens_per_second, " tokens/s"))
