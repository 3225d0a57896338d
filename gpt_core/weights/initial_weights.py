"""Initial weights: those of a run that does not start from random weights."""

import hashlib
from dataclasses import asdict, dataclass, replace

from gpt_core.config import GPTConfig, beyond_chapter
from gpt_core.model import GPTModel, outline
from gpt_core.store import CheckpointKind, RunState, RunStore
from gpt_core.system import describe_error
from gpt_core.vocabularies import read_vocabulary
from gpt_core.weights.checkpoints import save_weights

INITIAL_STEP = -1  # of their checkpoint: the book's counter before the first update
FREE = ("context_length", "drop_rate")  # settings that may differ from the weights' own


@dataclass(frozen=True)
class InitialWeights:
    """A model to begin with, and its name. It is copied, never trained."""

    name: str
    model: GPTModel

    @property
    def vocabulary(self) -> str:
        """Return the kind of their vocabulary, for ``TrainingConfig.vocabulary``."""
        return read_vocabulary(self.model.vocabulary).name

    def config(self, like: GPTConfig) -> GPTConfig:
        """Return these weights' configuration with the dropout and context length of another.

        The context length is at most that of the weights.
        """
        own = self.model.config
        length = min(own.context_length, like.context_length)
        return replace(own, context_length=length, drop_rate=like.drop_rate)

    def fitted(self, config: GPTConfig) -> GPTModel:
        """Return a model of a configuration with these weights, in eval mode.

        A shorter context gets the first position embeddings.

        Raises:
            ValueError: the configuration does not fit the weights.
        """
        wanted, own = asdict(config), asdict(self.model.config)
        for name in own:
            if name not in FREE and wanted[name] != own[name]:
                raise ValueError(
                    f"{name}={wanted[name]} does not fit the weights of {self.name}, which have "
                    f"{own[name]}: choose that."
                )
        if config.context_length > self.model.config.context_length:
            raise ValueError(
                f"context_length={config.context_length} is more than the "
                f"{self.model.config.context_length} of {self.name}: choose that or less."
            )
        model = outline(config)
        model.vocabulary = self.model.vocabulary
        # A cached model's weights may be transposed in memory; a file needs them contiguous.
        state = {name: weight.contiguous() for name, weight in self.model.state_dict().items()}
        if (positions := state.get("pos_emb.weight")) is not None:
            state["pos_emb.weight"] = positions[: config.context_length].contiguous()
        model.load_state_dict(state, assign=True)
        return model.eval()


def weights_sha256(model: GPTModel) -> str:
    """Return a hash of a model's weights and of what they do not show.

    That is its number of heads, its vocabulary and, where it goes beyond the chapter, how it
    computes.
    """
    digest = hashlib.sha256(b"%d heads" % model.config.n_heads)
    digest.update(model.vocabulary.encode())  # nothing for GPT-2's
    for name, value in beyond_chapter(model.config).items():
        if name != "initialization":  # the weights are given
            digest.update(f"{name}={value}".encode())
    for name, weight in model.state_dict().items():
        digest.update(name.encode())
        digest.update(weight.contiguous().numpy().data)
    return digest.hexdigest()


def save_initial_weights(store: RunStore, run_id: str, model: GPTModel, actor: str) -> None:
    """Save a run's initial weights as its first checkpoint.

    Raises:
        OSError: the disk is full or cannot be written; the run is recorded as failed.
    """
    folder = store.runs_dir / "checkpoints" / run_id / f"{CheckpointKind.INITIAL}-weights"
    try:
        written = save_weights(folder, model)
    except OSError as error:
        store.set_state(run_id, RunState.FAILED, actor, describe_error(error))
        raise
    store.add_checkpoint(run_id, INITIAL_STEP, CheckpointKind.INITIAL, folder, written)
