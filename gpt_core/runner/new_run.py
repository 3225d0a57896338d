"""NewRun: everything a run needs, checked and prepared before the run is recorded."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from gpt_core.access import ClassRules, require_allowed_run
from gpt_core.analysis import measure_baselines
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import (
    GPTModel,
    check_compile,
    count_config_parameters,
    find_device_difference,
    resolve_auto,
)
from gpt_core.presets import Preset
from gpt_core.store import Baselines, RunSetup, RunState, RunStore
from gpt_core.text import Corpus, TextFile, TokenCache, prompt_of, split_text
from gpt_core.training import (
    TrainingData,
    fit_vocabulary,
    prepare_data,
    steps_in_run,
    token_bytes,
)
from gpt_core.vocabularies import get_tokenizer
from gpt_core.weights import (
    InitialWeights,
    max_checkpoint_bytes,
    save_initial_weights,
    weights_sha256,
)

# What find_device_difference does, perhaps in another thread.
DeviceComparison = Callable[[GPTConfig, TrainingConfig], str]


@dataclass(frozen=True)
class NewRun:
    """The model, text, settings, owner and initial weights of a run to come."""

    preset: Preset
    config: TrainingConfig
    corpus: Corpus | TextFile
    data: TrainingData
    vocabulary: str  # its tokenizer.json; "" for GPT-2's
    owner: str
    initial_name: str
    initial: GPTModel | None  # None for random weights
    initial_sha256: str
    baselines: Baselines
    note: str = ""  # why it does not train on the fastest device, as a sentence

    @property
    def setup(self) -> RunSetup:
        """Return what distinguishes the run from others, as ``Run.setup`` does later."""
        configs = (self.preset.model, self.config)
        return RunSetup(self.owner, *configs, self.corpus.sha256, self.initial_sha256)

    @property
    def total_steps(self) -> int:
        """Return the number of steps in the whole run."""
        return steps_in_run(len(self.data.train_loader), self.config)

    @property
    def max_checkpoint_bytes(self) -> int:
        """Return the maximum size of its checkpoints, in bytes."""
        return max_checkpoint_bytes(self.preset.model, self.config.keep_epochs)

    def require_allowed(self, rules: ClassRules, preset: Preset, asked: TrainingConfig) -> None:
        """Refuse a student's run that the rules of the class do not allow.

        ``asked`` is the configuration as requested, with "auto" unresolved.

        Raises:
            ValueError: the rules do not allow the run.
        """
        parameters = count_config_parameters(preset.model)
        require_allowed_run(
            *(rules, preset, asked, self.total_steps, parameters),
            begins_with_weights=self.initial is not None,
            prompt=prompt_of(self.corpus, get_tokenizer()),
            owner=self.owner,
        )

    def write_down(self, store: RunStore, run_id: str, versions: dict[str, str]) -> None:
        """Record the run, with its text, its initial weights and the machine's properties.

        Raises:
            OSError: the disk is full or cannot be written.
            ValueError: the file of its text was changed.
            sqlite3.Error: the record cannot be written.
        """
        text = self.corpus.text if isinstance(self.corpus, Corpus) else self.corpus.path
        store.save_text(text, self.corpus.sha256)
        store.add_run(
            run_id=run_id,
            owner=self.owner,
            preset=self.preset.name,
            model_config=self.preset.model,
            training_config=self.config,
            text_name=self.corpus.name,
            text_sha256=self.corpus.sha256,
            train_tokens=self.data.train_tokens,
            val_tokens=self.data.val_tokens,
            total_steps=self.total_steps,
            versions=versions,
            initial_name=self.initial_name,
            initial_sha256=self.initial_sha256,
            vocabulary=self.vocabulary,
            baselines=self.baselines,
        )
        if self.note:
            store.set_state(run_id, RunState.QUEUED, self.owner, self.note)
        # Again: the text may have been deleted just before there was a run that needs it.
        store.save_text(text, self.corpus.sha256)
        if self.initial:
            save_initial_weights(store, run_id, self.initial, self.owner)


def prepare_run(
    preset: Preset,
    corpus: Corpus | TextFile,
    training_config: TrainingConfig | None,
    owner: str,
    initial: InitialWeights | None,
    cache: TokenCache,
    compare: DeviceComparison = find_device_difference,
) -> NewRun:
    """Check and prepare a run: encode its text, fit its weights, resolve "auto".

    The arguments are those of :meth:`gpt_core.runner.training_runner.TrainingRunner.start`, and
    what compares a device's numbers with the CPU's.

    Raises:
        ValueError: the text is too short, the device is not available, the vocabulary does not
            fit the text or the weights, or these not the model.
    """
    asked = training_config or preset.training
    config = resolve_auto(asked)
    given = initial.model.vocabulary if initial else None
    fitted = fit_vocabulary(corpus.text, preset.model, config, given, cache)
    vocabulary, tokenizer, model_config = fitted
    config, note = choose_device(model_config, asked, compare)
    weights = initial.fitted(model_config) if initial else None
    preset = replace(preset, model=model_config)
    data = prepare_data(
        corpus.text, tokenizer, model_config, config, cache, generator=torch.Generator()
    )
    name, sha256 = (initial.name, weights_sha256(weights)) if initial and weights else ("", "")
    baselines = measure_baselines(
        *(data.train_ids, data.val_ids, model_config.vocab_size),
        token_bytes(tokenizer),
        split_text(corpus.text, config.train_ratio)[1] if isinstance(corpus, Corpus) else "",
    )
    return NewRun(
        *(preset, config, corpus, data, vocabulary, owner, name, weights, sha256, baselines, note)
    )


def choose_device(
    model_config: GPTConfig, asked: TrainingConfig, compare: DeviceComparison
) -> tuple[TrainingConfig, str]:
    """Return the configuration with a device that computes as the CPU does, and what to say of it.

    If the fastest one does not, "auto" becomes the CPU, in a sentence.

    Raises:
        ValueError: a device asked for by its name does not, or compiling it is not supported.
    """
    config, note = resolve_auto(asked), ""
    if difference := compare(model_config, config):
        if asked.device != "auto":
            raise ValueError(f"{difference} Choose device=cpu, or another version of torch.")
        config = resolve_auto(replace(asked, device="cpu"))
        note = f"{difference} The run trains on the CPU."
    check_compile(model_config, config)
    return config, note
