"""The commands that train. Like a page, they read a run's progress from the store."""

import argparse
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from gpt_core.access import LOCAL
from gpt_core.cli.commands import FAILED, FINISHED, INTERRUPTED, discard_output
from gpt_core.cli.options import chosen_settings
from gpt_core.cli.output import print_notices, print_run
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.export import read_settings
from gpt_core.presets import PRESETS, Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunState, RunStore, run_locks
from gpt_core.system import MAX_SETTINGS_BYTES
from gpt_core.text import (
    BUNDLED_TEXTS,
    DEFAULT_TEXT,
    VERDICT,
    Corpus,
    bundled_text,
    load_text,
    prompt_of,
    read_text_file,
    readable_name,
    token_cache_in,
)
from gpt_core.training import fit_vocabulary, with_text_probe
from gpt_core.vocabularies import describe_sample, describe_unknown, get_tokenizer
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


def train_command(options: argparse.Namespace) -> int:
    """Train a preset on a text and print the book's log lines."""
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
    if note := describe_sample(config.vocabulary, corpus.text):
        print(note)
    if note := describe_unknown(config.start_context, fitted.tokenizer):
        print(note)
    preset = replace(preset, model=fitted.model_config)
    config = with_text_probe(config, corpus.text, fitted.tokenizer, preset.model.context_length)
    space = max_checkpoint_bytes(preset.model, config.keep_epochs)
    print(f"Checkpoints will take up to {space / 1e9:.1f} GB in {options.runs_dir}")
    return _train(
        options,
        lambda runner: runner.start(
            preset, corpus, config, run_id=options.run_id, initial=initial, actor=LOCAL
        ),
    )


def resume_command(options: argparse.Namespace) -> int:
    """Resume an interrupted, stopped or failed run from its last checkpoint."""

    def resume(runner: TrainingRunner) -> str:
        run_locks.require_not_held(runner.store, options.run)  # another process has it
        runner.resume(options.run, actor=LOCAL).result()
        return str(options.run)

    return _train(options, resume)


def _train(options: argparse.Namespace, begin: Callable[[TrainingRunner], str]) -> int:
    """Train a run in this process and print its progress until it ends or is interrupted."""
    store = RunStore(options.runs_dir)
    print_notices(store)
    runner = TrainingRunner(store)
    run_id = None
    try:
        run_id = begin(runner)
        run = print_run(store, runner, run_id)
    except (KeyboardInterrupt, BrokenPipeError) as error:
        for again in (signal.SIGINT, signal.SIGTERM):  # a second one would interrupt the save
            signal.signal(again, signal.SIG_IGN)
        if isinstance(error, BrokenPipeError):  # "train | head": its reader has ended
            discard_output()
        print("\nSaving a checkpoint after this step …", file=sys.stderr)
        runner.close()
        if run_id:
            _print_how_to_resume("Interrupted.", options, run_id)
        return INTERRUPTED
    finally:
        runner.close()
        store.close()
    if run.message:
        print(run.message, file=sys.stderr)
    if run.state is RunState.STOPPED:
        _print_how_to_resume("Stopped from the app.", options, run.id)
        return INTERRUPTED
    return FINISHED if run.state is RunState.FINISHED else FAILED


def _print_how_to_resume(why: str, options: argparse.Namespace, run_id: str) -> None:
    command = f"{options.program} resume {run_id} --runs-dir {options.runs_dir}"
    print(f"{why} Resume it with: {command}", file=sys.stderr)


def _find_text(name: str) -> Corpus:
    """Return a bundled text by its name, or else the text of a file."""
    if name in (*BUNDLED_TEXTS, VERDICT):
        return load_text(name)
    if not Path(name).exists():
        raise ValueError(
            f"--text {name}: there is no such file, and no bundled text of that name. "
            f"Texts: {', '.join((*BUNDLED_TEXTS, VERDICT))}."
        )
    return read_text_file(Path(name))


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


def _text_of_the_settings(sha256: str, runs_dir: Path) -> Corpus:
    """Return the text with this hash: a bundled one, or that of a run in the directory."""
    if name := bundled_text(sha256):
        return load_text(name)
    with closing(RunStore(runs_dir)) as store:
        for run in store.runs():
            if run.text_sha256 == sha256:
                return Corpus(run.text_name, store.text(sha256))
    raise ValueError("The text of these settings was not found: give its name or file with --text.")


def _read(path: Path) -> bytes:
    """Return a file of settings, or as much of it as shows that it is none."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_SETTINGS_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
