"""The commands that train. Like a page, they read a run's progress from the store."""

import argparse
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from gpt_core.access import LOCAL
from gpt_core.cli.commands import FAILED, FINISHED, INTERRUPTED, discard_output
from gpt_core.cli.in_group import launcher, notes_on_processes, run_in_group
from gpt_core.cli.options import chosen_settings
from gpt_core.cli.output import print_notices, print_run
from gpt_core.cli.publishing import Publishing
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.distributed import LAUNCH, Group, launch_id
from gpt_core.export import read_settings
from gpt_core.presets import PRESETS, Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import Run, RunState, RunStore, mark_interrupted_runs, run_locks
from gpt_core.system import MAX_SETTINGS_BYTES
from gpt_core.text import (
    BUNDLED_TEXTS,
    DEFAULT_TEXT,
    VERDICT,
    Corpus,
    TextFile,
    bundled_text,
    load_text,
    open_text,
    prompt_of,
    readable_name,
    run_text,
    token_cache_in,
)
from gpt_core.training import encode_splits, fit_vocabulary, with_text_probe
from gpt_core.vocabularies import (
    SAMPLE_BYTES,
    Tokenizer,
    describe_sample,
    describe_unknown,
    get_tokenizer,
)
from gpt_core.weights import (
    GPT2_REPOSITORIES,
    InitialWeights,
    download_gpt2,
    load_model,
    max_checkpoint_bytes,
    read_model,
    repository,
    weights_sha256,
)

ENCODING = "{desc}: {percentage:3.0f} %|{bar}| {elapsed}, {remaining} left"


def train_command(options: argparse.Namespace) -> int:
    """Train a preset on a text and print the book's log lines."""
    return run_in_group(options, _train_new)


def resume_command(options: argparse.Namespace) -> int:
    """Resume an interrupted, stopped or failed run from its last checkpoint."""
    return run_in_group(options, partial(_resume, run_id=options.run))


def _train_new(options: argparse.Namespace, group: Group) -> int:
    """Train a new run or, where torchrun has started its processes again, resume the one begun."""
    if begun := _begun_before(options.runs_dir):
        print(f"torchrun has started this again: run {begun.id} was {begun.state}.")
        if begun.state in (RunState.FINISHED, RunState.STOPPED):
            return FINISHED
        return _resume(options, group, begun.id)
    preset, sha256, initial_sha256 = PRESETS[options.preset or "pocket"], "", ""
    if options.settings:
        preset, sha256, initial_sha256 = read_settings(_read(options.settings))
    initial = None
    if options.weights:
        n_heads = preset.model.n_heads if options.settings else None
        initial = _find_weights(options.weights, getattr(options, "n_heads", n_heads))
    if initial is None and initial_sha256:
        raise ValueError("These settings need initial weights: give their file with --weights.")
    if initial is not None and not options.settings:
        training = replace(preset.training, vocabulary=initial.vocabulary)
        preset = replace(preset, model=initial.config(preset.model), training=training)
    if initial is not None:
        _check_weights(initial, preset, initial_sha256)
    changes = chosen_settings(options, TrainingConfig)
    shape = chosen_settings(options, GPTConfig)
    if initial is None and changes.get("vocabulary", "bpe") != "bpe":
        shape = {"vocab_size": GPTConfig().vocab_size, **shape}  # it follows from the vocabulary
    model = replace(preset.model, **shape)
    preset = replace(preset, model=model)
    if initial is not None:
        initial.fitted(model)  # refuses settings that are not those of the weights
    probes = (*preset.training.probes, *options.probe)
    config = replace(preset.training, **changes, probes=probes)
    if options.text or not sha256:
        corpus = _find_text(options.text or DEFAULT_TEXT)
    else:
        corpus = _text_of_the_settings(sha256, options.runs_dir)
    if not options.settings and "start_context" not in changes:
        config = replace(config, start_context=prompt_of(corpus, get_tokenizer()))
    given = None if initial is None else initial.model.vocabulary
    cache = token_cache_in(options.runs_dir)
    fitted = fit_vocabulary(corpus.text, preset.model, config, given, cache)
    if isinstance(corpus, TextFile):
        _encode_file(corpus, fitted.tokenizer, config, options.runs_dir)
    elif note := describe_sample(config.vocabulary, corpus.text):
        print(note)
    if note := describe_unknown(config.start_context, fitted.tokenizer):
        print(note)
    preset = replace(preset, model=fitted.model_config)
    config = with_text_probe(config, corpus.text, fitted.tokenizer, preset.model.context_length)
    if not group.is_single and (not options.settings or "accumulation_steps" in changes):
        config = replace(config, accumulation_steps=config.accumulation_steps * group.world_size)
    for note in notes_on_processes(config, group):
        print(note)
    space = max_checkpoint_bytes(preset.model, config.keep_epochs)
    print(f"Checkpoints will take up to {space / 1e9:.1f} GB in {options.runs_dir}")
    return _train(
        options,
        group,
        lambda runner: runner.start(
            preset, corpus, config, run_id=options.run_id, initial=initial, actor=LOCAL
        ),
    )


def _resume(options: argparse.Namespace, group: Group, run_id: str) -> int:
    def resume(runner: TrainingRunner) -> str:
        run_locks.require_not_held(runner.store, run_id)  # another process has it
        runner.resume(run_id, actor=LOCAL).result()
        return run_id

    return _train(options, group, resume)


def _begun_before(runs_dir: Path) -> Run | None:
    """Return the run that earlier processes of this start by torchrun began, if they did."""
    if not (launch := launch_id()):
        return None
    with closing(RunStore(runs_dir)) as store:
        mark_interrupted_runs(store)
        return next((run for run in store.runs() if run.versions.get(LAUNCH) == launch), None)


def _train(
    options: argparse.Namespace, group: Group, begin: Callable[[TrainingRunner], str]
) -> int:
    """Train a run in this process and print its progress until it ends or is interrupted."""
    publishing = Publishing(options, options.publish)
    store = RunStore(options.runs_dir)
    print_notices(store)
    runner = TrainingRunner(store, group=group)
    run_id = None
    try:
        run_id = begin(runner)
        publishing.begin(store, run_id)
        run = print_run(store, runner, run_id)
    except (KeyboardInterrupt, BrokenPipeError) as error:
        for again in (signal.SIGINT, signal.SIGTERM):  # a second one would interrupt the save
            signal.signal(again, signal.SIG_IGN)
        if isinstance(error, BrokenPipeError):  # "train | head": its reader has ended
            discard_output()
        print("\nSaving a checkpoint after this step …", file=sys.stderr)
        runner.close()
        publishing.finish(is_interrupted=True)
        if run_id:
            _print_how_to_resume("Interrupted.", options, group, run_id)
        return INTERRUPTED
    finally:
        runner.close()
        publishing.finish()
        store.close()
    if run.message:
        print(run.message, file=sys.stderr)
    if run.state is RunState.STOPPED:
        _print_how_to_resume("Stopped from the app.", options, group, run.id)
        return FINISHED if launch_id() else INTERRUPTED  # or torchrun would begin again
    return FINISHED if run.state is RunState.FINISHED else FAILED


def _print_how_to_resume(why: str, options: argparse.Namespace, group: Group, run_id: str) -> None:
    command = f"{launcher(options.program, group)} resume {run_id} --runs-dir {options.runs_dir}"
    print(f"{why} Resume it with: {command}", file=sys.stderr)


def _encode_file(
    text: TextFile, tokenizer: Tokenizer, config: TrainingConfig, runs_dir: Path
) -> None:
    """Encode a text that stays in its file, with a progress bar: it may take minutes.

    Raises:
        ValueError: the disk has no room for a copy of the text and its tokens.
    """
    tokens = text.size * (2 if tokenizer.name in ("characters", "bytes") else 0.5)
    needed = (text.size + tokens) / 1e9
    runs_dir.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(runs_dir).free / 1e9) < needed:
        raise ValueError(
            f"A copy of the text and its tokens take about {needed:.1f} GB, and {runs_dir} has "
            f"{free:.1f} GB left: choose a directory on another disk with --runs-dir."
        )
    print(
        f"{text.name} has {text.size / 1e9:.1f} GB and stays on the disk, its line endings as they "
        f"are; a copy and its tokens will take about {needed:.1f} GB in {runs_dir}"
    )
    if config.vocabulary == "bpe":
        print(f"Its byte pairs are learnt from {SAMPLE_BYTES / 1e6:.0f} MB from all over it.")
    with tqdm(total=1.0, desc="Encoding", dynamic_ncols=True, bar_format=ENCODING) as bar:
        cache = token_cache_in(runs_dir)
        encode_splits(text, tokenizer, config, cache, lambda done: bar.update(done - bar.n))
        bar.update(1 - bar.n)  # also if they were there already


def _find_text(name: str) -> Corpus | TextFile:
    """Return a bundled text by its name, or else the text of a file."""
    if name in (*BUNDLED_TEXTS, VERDICT):
        return load_text(name)
    if not Path(name).exists():
        raise ValueError(
            f"--text {name}: there is no such file, and no bundled text of that name. "
            f"Texts: {', '.join((*BUNDLED_TEXTS, VERDICT))}."
        )
    return open_text(Path(name))


def _find_weights(source: str, n_heads: int | None) -> InitialWeights:
    """Return the weights of a file or folder or, if there is none, from the hub.

    ``n_heads`` is for files that do not state the number of heads. What was assumed or left out to
    read them is printed.
    """
    path = Path(source)
    if path.exists():
        name, loaded = readable_name(path.resolve().name), read_model(path, n_heads)
        for note in loaded.notes:
            print(f"{name}: {note}")
        return InitialWeights(name, loaded.model)
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
    """Raise ValueError unless the weights have this hash; "" accepts all weights."""
    if sha256 and weights_sha256(initial.fitted(preset.model)) != sha256:
        raise ValueError(f"The weights of {initial.name} are not those of these settings.")


def _text_of_the_settings(sha256: str, runs_dir: Path) -> Corpus | TextFile:
    """Return the text with this hash: a bundled one, or that of a run in the directory."""
    if name := bundled_text(sha256):
        return load_text(name)
    with closing(RunStore(runs_dir)) as store:
        for run in store.runs():
            if run.text_sha256 == sha256:
                return run_text(store, run)
    raise ValueError("The text of these settings was not found: give its name or file with --text.")


def _read(path: Path) -> bytes:
    """Return a file of settings, or as much of it as shows that it is none."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_SETTINGS_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
