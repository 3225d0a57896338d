"""Settings that fit a text and the time one has, and why they are so.

The rule: of the shapes below, the largest that can read twenty tokens for each of its weights in
the time. With fewer, a smaller model would have learnt more; with many more, a larger one.

Source: Hoffmann et al. (2022), "Training Compute-Optimal Large Language Models", table 3: about
twenty tokens for each parameter; counted here without the embeddings.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.presets import Preset

TOKENS_PER_WEIGHT = 20
MOST_EPOCHS = 30  # of a short text: beyond, it is only learnt by heart
EVALUATIONS = 40  # of a run
# Width, heads, layers, context and batch of the shapes, from small to large.
SHAPES = (
    (64, 2, 2, 64, 16),
    (128, 4, 3, 64, 16),
    (192, 6, 4, 128, 16),
    (256, 8, 6, 128, 16),
    (384, 6, 6, 256, 16),
    (512, 8, 8, 256, 16),
    (768, 12, 12, 256, 8),
)
# From so many UTF-8 bytes of text on, so many byte pairs, and about so many bytes in a token.
VOCABULARIES = (
    (0, 512, 2.0),
    (300_000, 1024, 2.5),
    (1_000_000, 2048, 3.0),
    (10_000_000, 8192, 3.8),
    (100_000_000, 32_000, 4.3),
)

# The seconds that a run takes here, by its settings and the tokens of its two splits; None if the
# text is too short for it, or the model too large: gpt_core.runner.estimate_seconds.
SecondsOf = Callable[[GPTConfig, TrainingConfig, int, int], float | None]


@dataclass(frozen=True)
class Proposal:
    """A preset that fits, and the sentence that says why."""

    preset: Preset
    tokens_read: int  # by the whole run

    @property
    def reason(self) -> str:
        """Return why it fits, in one sentence."""
        model, training = self.preset.model, self.preset.training
        per_weight = self.tokens_read // weights_of(model)
        reads = (
            f"{self.tokens_read:,} tokens, about {per_weight:,} for each of the model's "
            f"{weights_of(model):,} weights beside the embeddings."
        )
        if training.num_epochs == MOST_EPOCHS:
            return (
                f"The text is short: after {MOST_EPOCHS} passes through it a model would only "
                f"learn it by heart. They are {reads}"
            )
        times = f"the text {training.num_epochs} times"
        if training.stride is not None:
            times = f"one window in {training.stride // model.context_length} of the text"
        elif training.num_epochs == 1:
            times = "the text once"
        return f"In the time there is, this machine can read {times}: {reads}"


def propose(
    name: str,
    text_bytes: int,
    minutes: float,
    seconds_of: SecondsOf,
    gives: Callable[[int], bool] = lambda vocab_size: True,
    most_steps: int | None = None,
) -> Proposal:
    """Return settings for a text of one's own and the minutes that one has.

    Args:
        name: of the preset.
        text_bytes: the text's length in UTF-8.
        minutes: how long the run may take.
        seconds_of: how long a run takes here.
        gives: whether the text gives a vocabulary of so many byte pairs.
        most_steps: of the whole run, about; None is no limit.

    Raises:
        ValueError: the text is too short or too uniform.
    """
    fitting = (
        (size, bytes_per_token)
        for at_least, size, bytes_per_token in reversed(VOCABULARIES)
        if text_bytes >= at_least and gives(size)
    )
    vocab_size, bytes_per_token = next(fitting, (0, 0.0))
    if not vocab_size:
        raise ValueError(
            f"The text gives fewer than {VOCABULARIES[0][1]} byte pairs: choose a preset, or a "
            "longer text."
        )
    tokens = int(text_bytes / bytes_per_token)
    best: Proposal | None = None
    for proposal in _proposals(name, vocab_size, tokens, minutes, seconds_of, most_steps):
        needed = TOKENS_PER_WEIGHT * weights_of(proposal.preset.model)
        if best is not None and proposal.tokens_read < needed:
            break
        best = proposal
    if best is None:
        raise ValueError("The text is too short for the smallest model: choose a longer one.")
    return best


def weights_of(model: GPTConfig) -> int:
    """Return the weights of a model's blocks, nearly all its parameters beside the embeddings."""
    return 12 * model.n_layers * model.emb_dim**2


def _proposals(
    name: str,
    vocab_size: int,
    tokens: int,
    minutes: float,
    seconds_of: SecondsOf,
    most_steps: int | None,
) -> Iterator[Proposal]:
    """Give each shape's settings that end in time, from small to large."""
    train_tokens = int(0.9 * tokens)
    for emb_dim, n_heads, n_layers, context_length, batch_size in SHAPES:
        model = GPTConfig(vocab_size, context_length, emb_dim, n_heads, n_layers)

        steps = max(1, train_tokens // (batch_size * context_length))
        once = _training(emb_dim, batch_size, steps, 1, None)
        seconds = seconds_of(model, once, train_tokens, tokens - train_tokens)
        if seconds is None:
            return
        passes = 60 * minutes / seconds
        if most_steps is not None:
            passes = min(passes, most_steps / steps)
        epochs = max(1, min(MOST_EPOCHS, int(passes)))
        # If the time is not enough for one pass, every second window is read, every third, …
        every = max(1, math.ceil(1 / passes))
        stride = None if every == 1 else every * context_length
        training = _training(emb_dim, batch_size, steps * epochs // every, epochs, stride)
        yield Proposal(Preset(name, "", model, training), train_tokens * epochs // every)


def _training(
    emb_dim: int, batch_size: int, steps: int, epochs: int, stride: int | None
) -> TrainingConfig:
    """Return the settings of a run of so many steps: warm-up, cosine decay, clipping."""
    learning_rate = float(f"{0.1 / emb_dim**0.75:.1g}")  # 0.004 for 64 numbers, 0.0007 for 768
    return TrainingConfig(
        num_epochs=epochs,
        batch_size=batch_size,
        stride=stride,
        learning_rate=learning_rate,
        schedule="cosine",
        warmup_steps=steps // 20,
        min_learning_rate=learning_rate / 10,
        max_grad_norm=1.0,
        vocabulary="bpe",
        eval_freq=max(1, steps // EVALUATIONS),
        precision="auto",
        record_inside=True,
    )
