"""The same core from a terminal: ``python -m gpt_core train``.

The terminal is one more viewer: the run trains in the runner's thread, and what is printed
is read from the store.
"""

import argparse
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from gpt_core.analysis import SPEED_STEPS, Progress, run_progress
from gpt_core.config import DEVICES, PRECISIONS, TrainingConfig, field_help
from gpt_core.export import EXPORTS, export_runs, read_settings, write_event_file
from gpt_core.presets import PRESETS, Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import Row, Run, RunStore, default_runs_dir, find_run, mark_interrupted_runs
from gpt_core.text import (
    BUNDLED_TEXTS,
    DEFAULT_TEXT,
    VERDICT,
    Corpus,
    bundled_text,
    download_the_verdict,
    load_text,
    read_text_file,
    readable_name,
)
from gpt_core.training import with_text_probe
from gpt_core.vocabularies import get_tokenizer
from gpt_core.weights import (
    GPT2_REPOSITORIES,
    InitialWeights,
    download_gpt2,
    load_model,
    max_checkpoint_bytes,
    repository,
    weights_sha256,
)

FINISHED, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130  # exit codes
POLL_SECONDS = 0.2


def run() -> NoReturn:
    """Run the command that this process was started with, and end with its exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    sys.exit(main())


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the process's exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.CRITICAL)  # what went wrong is said in words, below
    try:
        return int(options.command(options))
    except ValueError as error:
        print(error, file=sys.stderr)
        return REFUSED


def train_command(options: argparse.Namespace) -> int:
    """Train a preset on a text, printing the book's log lines as they come."""
    preset, sha256, initial_sha256 = PRESETS[options.preset or "pocket"], "", ""
    if options.settings:
        preset, sha256, initial_sha256 = read_settings(_read(options.settings))
    initial = None
    if options.weights:
        initial = _find_weights(options.weights, preset.model.n_heads if options.settings else None)
    if initial is None and initial_sha256:
        raise ValueError("These settings begin with weights: name their file with --weights.")
    if initial is not None:
        if not options.settings:
            preset = replace(preset, model=initial.config(preset.model))
        _check_weights(initial, preset, initial_sha256)
    changes = {
        name: getattr(options, name)
        for name in ("num_epochs", "precision", "device", "keep_epochs")
        if getattr(options, name) is not None
    }
    config = replace(preset.training, **changes, probes=(*preset.training.probes, *options.probe))
    if options.text or not sha256:
        corpus = _find_text(options.text or DEFAULT_TEXT)
    else:
        corpus = _text_of_the_settings(sha256, options.runs_dir)
    config = with_text_probe(config, corpus.text, get_tokenizer(), preset.model.context_length)
    space = max_checkpoint_bytes(preset.model, config.keep_epochs)
    print(f"Checkpoints will take up to {space / 1e9:.1f} GB in {options.runs_dir}")
    return _watch(
        options,
        lambda runner: runner.start(preset, corpus, config, run_id=options.run_id, initial=initial),
    )


def resume_command(options: argparse.Namespace) -> int:
    """Go on with a run that was interrupted, stopped or failed, from its last checkpoint."""

    def resume(runner: TrainingRunner) -> str:
        runner.resume(options.run).result()
        return str(options.run)

    return _watch(options, resume)


def runs_command(options: argparse.Namespace) -> int:
    """List the runs, the newest first."""
    with closing(RunStore(options.runs_dir)) as store:
        _print_notices(store)
        mark_interrupted_runs(store)
        print(f"{'RUN':24} {'STATE':12} {'STEP':>13}  {'STARTED':16}  TEXT")
        for run in store.runs():
            last = store.last_steps(run.id, 1)
            step = f"{last[0]['global_step'] + 1 if last else 0:,} of {run.total_steps:,}"
            started = datetime.fromtimestamp(run.created_at).strftime("%Y-%m-%d %H:%M")
            print(f"{run.id:24} {run.state:12} {step:>13}  {started}  {run.text_name}")
    return FINISHED


def export_command(options: argparse.Namespace) -> int:
    """Write a run in one of the forms of ``EXPORTS``: to standard output, or below ``--to``."""
    with closing(RunStore(options.runs_dir)) as store:
        run = find_run(store, options.run)
        try:
            if options.format == "tensorboard":  # a folder, as TensorBoard wants it
                path = write_event_file(store, run, options.to or Path("tensorboard"))
            else:
                name, data = export_runs(store, [run], options.format)
                if options.to is None:
                    sys.stdout.buffer.write(data)
                    return FINISHED
                path = options.to / name if options.to.is_dir() else options.to
                path.write_bytes(data)
        except OSError as error:
            raise ValueError(f"It was not written: {error}.") from error
    print(f"Written: {path}", file=sys.stderr)
    if options.format == "tensorboard":
        print(f"Look at it: tensorboard --logdir {path.parents[1]}", file=sys.stderr)
    return FINISHED


def _watch(options: argparse.Namespace, begin: Callable[[TrainingRunner], str]) -> int:
    """Begin a run in a runner of this process and print it until it ends or is interrupted."""
    store = RunStore(options.runs_dir)
    _print_notices(store)
    runner = TrainingRunner(store)
    run_id = None
    try:
        run_id = begin(runner)
        run = _print_run(store, runner, run_id)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would cut the saving off
        print("\nSaving a checkpoint after this step …", file=sys.stderr)
        runner.close()
        if run_id:
            print(
                f"Interrupted. Go on with: python -m gpt_core resume {run_id} "
                f"--runs-dir {options.runs_dir}",
                file=sys.stderr,
            )
        return INTERRUPTED
    finally:
        runner.close()
        store.close()
    if run.message:
        print(run.message, file=sys.stderr)
    return FINISHED if run.state == "finished" else FAILED


def _print_notices(store: RunStore) -> None:
    for path, notice in store.notices().items():
        print(f"{notice} (Delete {path.name} when you have read this.)", file=sys.stderr)


def fetch_verdict_command(options: argparse.Namespace) -> int:
    """Download "The Verdict" into the data directory."""
    corpus = download_the_verdict()
    print(f"{corpus.name}: {len(corpus.text):,} characters. Train on it with --text {VERDICT}")
    return FINISHED


def _print_run(store: RunStore, runner: TrainingRunner, run_id: str) -> Run:
    """Print a run's evaluations and samples from the store until it has ended."""
    run = store.run(run_id)
    assert run is not None
    print(f"Run {run.id}: {run.preset} on {run.text_name}, {run.train_tokens:,} training tokens")
    print(f"Computing in {run.training_config.precision} on {run.training_config.device}")
    # A resumed run has been printed up to here before.
    seen = {
        "evaluations": max((row["id"] for row in store.evaluations(run_id)), default=0),
        "samples": max((row["id"] for row in store.samples(run_id)), default=0),
    }
    done = store.last_steps(run_id, 1)
    start = done[0]["global_step"] + 1 if done else 0
    with tqdm(total=run.total_steps, initial=start, unit="step", dynamic_ncols=True) as bar:
        while True:
            has_ended = runner.wait(run_id, POLL_SECONDS)  # first: all records are written then
            rows = [
                *(("evaluations", row) for row in store.evaluations(run_id, seen["evaluations"])),
                *(("samples", row) for row in store.samples(run_id, seen["samples"])),
            ]
            # Of one step, the evaluation comes before the sample, as it happened.
            for table, row in sorted(rows, key=lambda item: (item[1]["global_step"], item[0])):
                seen[table] = row["id"]
                bar.write(_line(row))
            _advance(bar, run_progress(run, store.last_steps(run_id, SPEED_STEPS)))
            if has_ended:
                break
    run = store.run(run_id)
    assert run is not None
    last = store.evaluations(run_id)[-1:]
    if last:
        losses = f"train loss {last[0]['train_loss']:.3f}, val loss {last[0]['val_loss']:.3f}"
        label = f"{last[0]['global_step']:06d}"
        print(f"{run.state.capitalize()} after {bar.n} steps. At step {label}: {losses}")
    return run


def _line(row: Row) -> str:
    """Return the book's log line for an evaluation, or a sample on one line."""
    if "text" in row:
        return str(row["text"]).replace("\n", " ")
    return (
        f"Ep {row['epoch']} (Step {row['global_step']:06d}): "
        f"Train loss {row['train_loss']:.3f}, Val loss {row['val_loss']:.3f}"
    )


def _advance(bar: "tqdm[None]", progress: Progress) -> None:
    """Move the progress bar to the last step, with the run's tokens per second."""
    bar.update(progress.steps_done - bar.n)
    if progress.tokens_per_second is not None:
        bar.set_postfix_str(f"{progress.tokens_per_second:,.0f} tokens/s")


def _find_text(name: str) -> Corpus:
    """Return a text by its name or, for anything else, from a file."""
    if name in (*BUNDLED_TEXTS, VERDICT):
        return load_text(name)
    if not Path(name).exists():
        raise ValueError(
            f"--text {name}: there is no such file, and no text of that name. "
            f"Texts: {', '.join((*BUNDLED_TEXTS, VERDICT))}."
        )
    return read_text_file(Path(name))


def _find_weights(source: str, n_heads: int | None) -> InitialWeights:
    """Return weights from a file or folder or, where there is none, from the hub.

    The number of heads is for files that do not say it.
    """
    path = Path(source)
    if path.exists():
        return InitialWeights(readable_name(path.resolve().name), load_model(path, n_heads))
    if repository(source) is None:
        raise ValueError(
            f"--weights {source}: there is no such file or folder, and no GPT-2 of that name on "
            f"the Hugging Face hub. OpenAI's: {', '.join(GPT2_REPOSITORIES)}."
        )
    with tqdm(unit="B", unit_scale=True, desc=source, dynamic_ncols=True) as bar:

        def report(bytes_done: int, bytes_total: int) -> None:
            bar.total = bytes_total
            bar.update(bytes_done - bar.n)

        folder = download_gpt2(source, report)
    return InitialWeights(f"GPT-2 {source}", load_model(folder))


def _check_weights(initial: InitialWeights, preset: Preset, sha256: str) -> None:
    """Raise ValueError where these are not the weights of that hash; "" is that of any."""
    if sha256 and weights_sha256(initial.fitted(preset.model)) != sha256:
        raise ValueError(f"{initial.name} are not the weights that these settings begin with.")


def _text_of_the_settings(sha256: str, runs_dir: Path) -> Corpus:
    """Return the text of that hash: one that comes with the app, or of a run in the directory."""
    if name := bundled_text(sha256):
        return load_text(name)
    with closing(RunStore(runs_dir)) as store:
        for run in store.runs():
            if run.text_sha256 == sha256:
                return Corpus(run.text_name, store.text(sha256))
    raise ValueError("The text of these settings is not here: name it, or its file, with --text.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gpt_core", description="Train a small GPT from the terminal."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    directory = argparse.ArgumentParser(add_help=False)
    directory.add_argument(
        "--runs-dir",
        type=Path,
        default=default_runs_dir(),
        metavar="DIR",
        help="where runs are kept (default: $GPT_LAB_RUNS_DIR, or runs/ in the project)",
    )

    helps = field_help(TrainingConfig)
    train = commands.add_parser(
        "train", parents=[directory], help="train a GPT and watch its losses"
    )
    train.set_defaults(command=train_command)
    settings = train.add_mutually_exclusive_group()
    settings.add_argument("--preset", choices=PRESETS, help="default: pocket")
    settings.add_argument(
        "--settings", type=Path, metavar="FILE", help="a run's settings, as export writes them"
    )
    train.add_argument(
        "--text",
        metavar="NAME|FILE",
        help=f"{', '.join((*BUNDLED_TEXTS, VERDICT))}, or a file (default: {DEFAULT_TEXT}, or the "
        "text of --settings)",
    )
    train.add_argument(
        "--epochs", dest="num_epochs", type=int, metavar="N", help=helps["num_epochs"]
    )
    train.add_argument("--precision", choices=PRECISIONS, help=helps["precision"])
    train.add_argument("--device", choices=DEVICES, help=helps["device"])
    train.add_argument("--keep-epochs", type=int, metavar="N", help=helps["keep_epochs"])
    train.add_argument(
        "--probe",
        action="append",
        default=[],
        metavar="TEXT",
        help="a row of text "
        "whose probabilities are recorded at each evaluation; may be given several times",
    )
    train.add_argument(
        "--weights",
        metavar="PATH|NAME",
        help="begin with these: a model's file or folder, or a GPT-2 of the Hugging Face hub, such "
        "as 124M (default: random ones)",
    )
    train.add_argument("--run-id", metavar="NAME", help="the run's name (default: one is made up)")

    resume = commands.add_parser(
        "resume", parents=[directory], help="go on with a run from its last checkpoint"
    )
    resume.set_defaults(command=resume_command)
    resume.add_argument("run", metavar="RUN")

    runs = commands.add_parser("runs", parents=[directory], help="list the runs")
    runs.set_defaults(command=runs_command)

    export = commands.add_parser("export", parents=[directory], help="take a run away")
    export.set_defaults(command=export_command)
    export.add_argument("run", metavar="RUN")
    export.add_argument("--format", choices=EXPORTS, default="csv", help="default: csv")
    export.add_argument(
        "--to",
        type=Path,
        metavar="PATH",
        help="a file or folder (default: standard output; for tensorboard: ./tensorboard)",
    )

    fetch = commands.add_parser("fetch-verdict", help='download "The Verdict", the book\'s text')
    fetch.set_defaults(command=fetch_verdict_command)
    return parser
