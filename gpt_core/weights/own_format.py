"""The checkpoint folders that this app writes."""

from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from gpt_core.config import GPTConfig
from gpt_core.model import GPTModel
from gpt_core.weights.assembly import (
    assemble,
    count_layers,
    find_vocabulary,
    other_vocabulary,
    short_reason,
)
from gpt_core.weights.checks import check_safetensors_file
from gpt_core.weights.file_names import STATE_FILE, WEIGHTS_FILE
from gpt_core.weights.gpt2_config import read_settings_file


def load_own_format(folder: Path) -> GPTModel:
    """Load a folder of :func:`gpt_core.weights.checkpoints.save_weights`, checking everything.

    Raises:
        ValueError: it is damaged, incomplete, or of another vocabulary.
    """
    try:
        config = GPTConfig(**read_settings_file(folder / STATE_FILE)["model"])
        check_safetensors_file(folder / WEIGHTS_FILE)
        with safe_open(folder / WEIGHTS_FILE, "pt") as weights:
            names = set(weights.keys())
            vocabulary, size, _ = find_vocabulary(folder / WEIGHTS_FILE, config.vocab_size)
            if config.vocab_size != size:
                raise ValueError(other_vocabulary(config.vocab_size, size))
            if config.n_layers != count_layers(names, r"trf_blocks\.(\d+)\."):
                raise ValueError(f"n_layers={config.n_layers} is not what {WEIGHTS_FILE} holds")

            def read(name: str) -> Tensor:
                if name not in names:
                    raise ValueError(f"{name} is missing")
                tensor: Tensor = weights.get_slice(name)[...]
                return tensor

            return assemble(config, read, vocabulary)
    except Exception as error:  # a foreign file can raise anything
        raise ValueError(f"{WEIGHTS_FILE} cannot be loaded: {short_reason(error)}.") from error
