"""Named configurations: the chapter's, OpenAI's four sizes, and the presets of the app."""

from dataclasses import dataclass
from typing import Any

from gpt_core.config import GPTConfig, TrainingConfig


@dataclass(frozen=True)
class Preset:
    """A named pair of configurations and the sentence that introduces it."""

    name: str
    description: str
    model: GPTConfig
    training: TrainingConfig

    def changes(self, model: GPTConfig, training: TrainingConfig) -> dict[str, Any]:
        """Return the fields that differ from the preset, with their new values."""
        before = {**vars(self.model), **vars(self.training)}
        now = {**vars(model), **vars(training)}
        return {name: value for name, value in now.items() if value != before[name]}


GPT_CONFIG_124M = GPTConfig()

# OpenAI's four GPT-2 models, named by their parameters with the output head tied to the embedding.
# Source: Radford et al. (2019), "Language Models are Unsupervised Multitask Learners", table 2;
# the numbers of parameters as OpenAI later corrected them.
GPT2_CONFIGS: dict[str, GPTConfig] = {
    name: GPTConfig(
        context_length=1024, emb_dim=emb_dim, n_heads=n_heads, n_layers=n_layers, qkv_bias=True
    )
    for name, emb_dim, n_layers, n_heads in (
        ("124M", 768, 12, 12),
        ("355M", 1024, 24, 16),
        ("774M", 1280, 36, 20),
        ("1558M", 1600, 48, 25),
    )
}

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "pocket",
            "A GPT small enough to learn a short story while you watch.",
            GPTConfig(context_length=64, emb_dim=128, n_heads=4, n_layers=3),
            TrainingConfig(
                num_epochs=12,
                learning_rate=2e-3,
                eval_freq=10,
                precision="auto",
                record_inside=True,
            ),
        ),
        Preset(
            "minute",
            "A small GPT that learns to write in about a minute, with byte pairs learnt from its "
            "text.",
            GPTConfig(
                vocab_size=1024,
                context_length=256,
                emb_dim=128,
                n_heads=2,
                n_layers=2,
                drop_rate=0.0,
                positions="rotary",
                initialization="gpt2",
            ),
            TrainingConfig(
                num_epochs=3,
                batch_size=8,
                learning_rate=1.2e-2,
                schedule="cosine",
                warmup_steps=20,
                min_learning_rate=1e-5,
                max_grad_norm=1.0,
                optimizer="muon",
                beta2=0.99,
                vocabulary="bpe",
                eval_freq=25,
                sample_tokens=110,
                precision="auto",
                record_inside=True,
            ),
        ),
        Preset(
            "evening",
            "For a book of your own: a third of the chapter's size, "
            "with warm-up, cosine decay and clipping.",
            GPTConfig(context_length=128, emb_dim=384, n_heads=6, n_layers=6),
            TrainingConfig(
                num_epochs=4,
                batch_size=8,
                learning_rate=1e-3,
                schedule="cosine",
                warmup_steps=50,
                min_learning_rate=1e-4,
                max_grad_norm=1.0,
                eval_freq=20,
                precision="auto",
                record_inside=True,
            ),
        ),
        Preset(
            "book-124m",
            "The chapter's model and settings. With The Verdict on an x86-64 CPU: its run, digit "
            "for digit.",
            GPT_CONFIG_124M,
            TrainingConfig(),
        ),
    )
}
