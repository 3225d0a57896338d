"""Checkpoints: weights and optimizer as safetensors, everything else as JSON.

A checkpoint is a folder that is whole or absent: it is written under another name, flushed to
disk, and renamed.
"""

import base64
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from gpt_core.config import GPTConfig, as_settings
from gpt_core.distributed import Sharded
from gpt_core.model import (
    BYTES_PER_PARAMETER,
    TRAINED_BYTES_PER_PARAMETER,
    GPTModel,
    count_config_parameters,
    get_random_state,
    outline,
    set_random_state,
)
from gpt_core.system import read_json
from gpt_core.training import TrainingState
from gpt_core.weights.file_names import (
    OPTIMIZER_FILE,
    STATE_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
)


def save_weights(folder: Path, model: GPTModel) -> int:
    """Save a model's weights, configuration and vocabulary; return the bytes written.

    Raises:
        OSError: the disk is full or cannot be written; nothing is left behind.
    """
    return _write_whole(folder, model, {WEIGHTS_FILE: model.state_dict()}, {})


def save_checkpoint(
    folder: Path, model: GPTModel, optimizer: Optimizer, state: TrainingState
) -> int:
    """Save all that is needed to resume exactly, with the current random state of the model.

    Call it between steps, in the training thread. Returns the bytes written.

    Raises:
        OSError: the disk is full or cannot be written; nothing is left behind.
    """
    assert state.between_steps
    tensors = {WEIGHTS_FILE: model.state_dict(), OPTIMIZER_FILE: _moments(model, optimizer)}
    training = vars(state).copy()
    if state.epoch_rng_state is not None:
        training["epoch_rng_state"] = _to_text(state.epoch_rng_state)
    random_state = {name: _to_text(value) for name, value in get_random_state(model).items()}
    facts = {"training": training, "random_state": random_state}
    return _write_whole(folder, model, tensors, facts)


def load_weights(folder: Path) -> GPTModel:
    """Load a model in eval mode, without drawing from a random generator.

    Raises:
        ValueError: the checkpoint is damaged or missing.
    """
    try:
        config = GPTConfig(**read_json(folder / STATE_FILE)["model"])
        model = outline(config)
        model.vocabulary = read_vocabulary_file(folder)
        model.load_state_dict(load_file(folder / WEIGHTS_FILE), assign=True)
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"The checkpoint {folder.parent.name}/{folder.name} cannot be read: {error}."
        ) from error
    return model.eval()


def load_checkpoint(folder: Path, model: GPTModel, optimizer: Optimizer) -> TrainingState:
    """Load weights and moments into model and optimizer, and restore the model's random state.

    Call it in the training thread; the run then continues exactly. Checkpoints of version 0.2.0
    and before hold the state of torch's global generator, which a run then drew from: it is the
    same state.

    Raises:
        ValueError: the checkpoint is damaged, missing, or of another model.
    """
    try:
        facts = read_json(folder / STATE_FILE)
        if read_vocabulary_file(folder) != model.vocabulary:
            raise ValueError("its vocabulary is another one")
        device = next(model.parameters()).device
        model.load_state_dict(load_file(folder / WEIGHTS_FILE, device=str(device)))
        is_sharded = isinstance(optimizer, Sharded)  # one device cannot hold all its moments
        moments = load_file(folder / OPTIMIZER_FILE, device="cpu" if is_sharded else str(device))
        if isinstance(optimizer, Sharded):
            optimizer.expect_all()
        for name, parameter in model.named_parameters():
            optimizer.state[parameter] = {
                key: moments[f"{name}.{key}"] for key in optimizer.state[parameter]
            }
        training = facts["training"]
        if training["epoch_rng_state"] is not None:
            training["epoch_rng_state"] = _to_tensor(training["epoch_rng_state"])
        state = TrainingState(**training)
        states = {name: _to_tensor(text) for name, text in facts["random_state"].items()}
        set_random_state(model, states)
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"The checkpoint {folder.parent.name}/{folder.name} cannot be read: {error}."
        ) from error
    return state


def max_checkpoint_bytes(config: GPTConfig, keep_epochs: int) -> int:
    """Return the maximum size of a run's checkpoints, in bytes.

    Kept are one whole checkpoint (two while the next is written), the best weights, and the
    weights of ``keep_epochs`` epochs (and one more while it is written). Muon keeps less than
    AdamW.
    """
    weights = BYTES_PER_PARAMETER * (keep_epochs + 2)
    return count_config_parameters(config) * (2 * TRAINED_BYTES_PER_PARAMETER + weights)


def remove(folder: Path) -> None:
    """Remove a checkpoint's folder, which is whole or absent at any time."""
    doomed = folder.with_name(f".{folder.name}.removed")
    shutil.rmtree(doomed, ignore_errors=True)  # left by a process killed here
    if folder.exists():
        folder.rename(doomed)
        shutil.rmtree(doomed)


def remove_orphans(folder: Path, kept: set[str]) -> None:
    """Remove all but ``kept`` from a run's folder: killed processes leave parts behind."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def read_vocabulary_file(folder: Path) -> str:
    """Return the vocabulary of the model in a folder; "" if it has no file: GPT-2's.

    Raises:
        OSError, ValueError: the file cannot be read.
    """
    file = folder / TOKENIZER_FILE
    return file.read_bytes().decode() if file.exists() else ""


def _write_whole(
    folder: Path, model: GPTModel, tensors: dict[str, dict[str, Tensor]], facts: dict[str, Any]
) -> int:
    """Write files under another name, flush them to disk, and rename: whole or absent."""
    part = folder.with_name(f".{folder.name}.part")
    for left_behind in (part, folder):  # by a process killed before the row was written
        shutil.rmtree(left_behind, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for name, values in tensors.items():
            save_file(values, part / name)
        facts = {"model": model.config, **facts}
        (part / STATE_FILE).write_text(json.dumps(facts, default=as_settings, indent=1))
        if model.vocabulary:
            (part / TOKENIZER_FILE).write_bytes(model.vocabulary.encode())
        for path in (*part.iterdir(), part):
            _flush_to_disk(path)
        written = sum(path.stat().st_size for path in part.iterdir())
        part.rename(folder)
        _flush_to_disk(folder.parent)
    except SafetensorError as error:  # the library's error for a full or read-only disk
        raise OSError(str(error)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return written


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _moments(model: GPTModel, optimizer: Optimizer) -> dict[str, Tensor]:
    """Return what the optimizer keeps of each parameter, by the parameter's name.

    AdamW keeps its step count and two moments, Muon a momentum.
    """
    return {
        f"{name}.{key}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
    }


def _to_text(state: Tensor) -> str:
    return base64.b64encode(bytes(state.tolist())).decode("ascii")


def _to_tensor(text: str) -> Tensor:
    return torch.tensor(list(base64.b64decode(text)), dtype=torch.uint8)
