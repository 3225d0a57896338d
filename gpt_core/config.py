"""The settings of a model and of its training.

Each field has its own explanation (``metadata["help"]``), which the pages and the command
line show. ``__post_init__`` checks every value; a message names the field, the value and
what to do.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from gpt_core.validation import (
    check_choice,
    check_number,
    check_text,
    check_whole,
    check_yes_or_no,
    shown,
)

PRECISIONS = ("float32", "bfloat16", "auto")
DEVICES = ("cpu", "cuda", "mps", "auto")
SCHEDULES = ("constant", "cosine")
VOCABULARIES = ("gpt2", "characters", "bytes", "bpe")
NORMS = ("layernorm", "none")
POSITIONS = ("learned", "rotary", "none")
INITIALIZATIONS = ("pytorch", "gpt2")
OPTIMIZERS = ("adamw", "muon")
BEYOND = "beyond"  # the group of settings that the chapter does not have


def _setting(
    default: Any,
    help: str,
    group: str = "model",
    choices: tuple[str, ...] = (),
    is_beyond: bool = False,
) -> Any:
    """Return a dataclass field with a default, a one-sentence explanation, and its group.

    ``choices`` are the permitted values, if they can be listed; ``is_beyond`` tells that the
    chapter does not have the setting, whatever its group.
    """
    metadata = {"help": help, "group": group, "choices": choices}
    return field(default=default, metadata={**metadata, "beyond": is_beyond or group == BEYOND})


def field_help(config_class: type) -> dict[str, str]:
    """Return the explanation of each field of a config class, by the field's name."""
    return {f.name: f.metadata["help"] for f in fields(config_class)}


def field_groups(config_class: type) -> dict[str, list[str]]:
    """Return the names of a config class's fields, by group."""
    groups: dict[str, list[str]] = {}
    for f in fields(config_class):
        groups.setdefault(f.metadata["group"], []).append(f.name)
    return groups


def _check_choices(config: Any) -> None:
    """Raise ValueError unless each field that lists its choices has one of them."""
    for f in fields(config):
        if choices := f.metadata["choices"]:
            check_choice(f.name, getattr(config, f.name), choices)


def beyond_chapter(config: Any) -> dict[str, Any]:
    """Return a configuration's settings that the chapter does not have, where they are chosen."""
    return {
        f.name: value
        for f in fields(config)
        if f.metadata["beyond"] and (value := getattr(config, f.name)) != f.default
    }


def as_settings(config: Any) -> dict[str, Any]:
    """Return a configuration's fields by name, for a file.

    What goes beyond the chapter is left out unless it is chosen: the chapter's run has the same
    files as before there were such settings.
    """
    beyond = beyond_chapter(config)
    return {
        f.name: getattr(config, f.name)
        for f in fields(config)
        if not f.metadata["beyond"] or f.name in beyond
    }


@dataclass(frozen=True)
class GPTConfig:
    """The shape of a GPT model; the defaults are the chapter's ``GPT_CONFIG_124M``.

    Raises:
        ValueError: a value is out of range, or ``emb_dim`` cannot be divided among the heads.

    Source: the chapter "Pretraining on unlabeled data", opening section.
    """

    vocab_size: int = _setting(
        50257,
        "How many tokens the vocabulary has. It is chosen for vocabulary=bpe, from 258 to 50257; "
        "otherwise it follows from the vocabulary, and is left at 50257.",
    )
    context_length: int = _setting(
        256, "The most tokens the model sees at once (GPT-2's own: 1024)."
    )
    emb_dim: int = _setting(768, "The length of the vector that represents each token.")
    n_heads: int = _setting(12, "Attention heads per block; emb_dim is divided among them.")
    n_layers: int = _setting(12, "How many transformer blocks are stacked.")
    drop_rate: float = _setting(
        0.1, "The fraction of activations that training sets to 0 at random."
    )
    qkv_bias: bool = _setting(False, "Whether query, key and value have biases (GPT-2's do).")
    tied_head: bool = _setting(
        False,
        "Whether the token embedding is also the output head, as in GPT-2 (Press & Wolf, 2017); it "
        "needs GPT-2's small first weights, initialization gpt2.",
        BEYOND,
    )
    norm: str = _setting(
        "layernorm",
        "What keeps the vectors at one size: layernorm (Ba et al., 2016); none, to see what it is "
        "for.",
        BEYOND,
        NORMS,
    )
    positions: str = _setting(
        "learned",
        "How a token's position enters: a learned vector for each; rotary, queries and keys turned "
        "by it (Su et al., 2021); none, to see what the mask alone tells.",
        BEYOND,
        POSITIONS,
    )
    initialization: str = _setting(
        "pytorch",
        "How the first weights are drawn: pytorch, its defaults as in the chapter; gpt2, all with "
        "standard deviation 0.02, smaller towards the residual stream (Radford et al., 2019).",
        BEYOND,
        INITIALIZATIONS,
    )
    residual: bool = _setting(
        True,
        "Whether a block adds to what enters it (He et al., 2015); off, to see what that is for.",
        BEYOND,
    )

    @property
    def head_dim(self) -> int:
        """Return how many numbers each attention head has."""
        return self.emb_dim // self.n_heads

    def __post_init__(self) -> None:
        for name in ("vocab_size", "context_length", "emb_dim", "n_heads", "n_layers"):
            check_whole(name, getattr(self, name), at_least=1)
        check_number("drop_rate", self.drop_rate, lambda x: 0 <= x < 1, "from 0 to below 1")
        for name in ("qkv_bias", "tied_head", "residual"):
            check_yes_or_no(name, getattr(self, name))
        _check_choices(self)
        if self.emb_dim % self.n_heads:
            below = self.emb_dim - self.emb_dim % self.n_heads
            choices = [str(n) for n in (below, below + self.n_heads) if n > 0]
            raise ValueError(
                f"emb_dim={self.emb_dim} is not divisible by n_heads={self.n_heads}: "
                f"choose {' or '.join(choices)}."
            )
        if self.positions == "rotary" and self.head_dim % 2:
            raise ValueError(
                f"positions='rotary' turns pairs of numbers, and {self.head_dim} in a head are "
                f"not even: choose emb_dim={2 * self.emb_dim} or another number of heads."
            )


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained; the defaults are the chapter's run.

    Raises:
        ValueError: a value is out of range.

    Source: the chapter, sections on the data set and on the training function.
    """

    num_epochs: int = _setting(10, "Passes through the training text.", "optimizer")
    batch_size: int = _setting(2, "Windows of text in a batch.", "data")
    stride: int | None = _setting(
        None,
        "Tokens from one window's start to the next; empty: context_length, no overlap.",
        "data",
    )
    train_ratio: float = _setting(
        0.9, "The fraction of the text's characters used for training.", "data"
    )
    learning_rate: float = _setting(
        4e-4, "AdamW's step size; with a schedule, the highest.", "optimizer"
    )
    schedule: str = _setting(
        "constant",
        "The learning rate after the warm-up: constant, as in the chapter, or falling to "
        "min_learning_rate along half a cosine.",
        "optimizer",
        SCHEDULES,
    )
    warmup_steps: int = _setting(
        0, "Steps over which the learning rate first rises linearly.", "optimizer"
    )
    min_learning_rate: float = _setting(
        0.0, "The last learning rate of the cosine schedule; constant ignores it.", "optimizer"
    )
    weight_decay: float = _setting(0.1, "AdamW's pull of the weights towards zero.", "optimizer")
    max_grad_norm: float | None = _setting(
        None,
        "Gradients with a larger norm are scaled down to this norm; empty: never, as in the "
        "chapter.",
        "optimizer",
    )
    accumulation_steps: int = _setting(
        1, "Batches whose gradients are averaged for one update.", "optimizer"
    )
    optimizer: str = _setting(
        "adamw",
        "What turns gradients into updates: adamw; muon for the blocks' matrices, whose updates it "
        "makes orthogonal (Jordan et al., 2024), with adamw for the rest.",
        BEYOND,
        OPTIMIZERS,
    )
    beta1: float = _setting(
        0.9, "The fraction of its mean gradient that AdamW keeps at each step.", BEYOND
    )
    beta2: float = _setting(
        0.999,
        "The same for the mean square of the gradient; less (0.95, 0.99) follows it sooner.",
        BEYOND,
    )
    eval_freq: int = _setting(5, "Steps from one evaluation to the next.", "evaluation")
    eval_iter: int = _setting(
        5, "Maximum number of batches of each split in an evaluation.", "evaluation"
    )
    start_context: str = _setting(
        "Every effort moves you", "The text with which each sample begins.", "evaluation"
    )
    sample_tokens: int = _setting(
        50, "Tokens that are generated for the sample after each epoch.", "evaluation"
    )
    probes: tuple[str, ...] = _setting(
        ("every effort moves you", "I really like chocolate"),
        "Rows of text whose target probabilities are recorded at each evaluation.",
        "evaluation",
    )
    record_inside: bool = _setting(
        False,
        "Whether up to 40 evaluations also record how the model reads a line of the text and how "
        "its parts learn, for the page Inside; no loss changes by it.",
        "evaluation",
        is_beyond=True,
    )
    end_of_text: bool = _setting(
        True,
        "Whether <|endoftext|> in the text is a single token, GPT-2's 50256, a boundary between "
        "documents, as in the chapter; otherwise it is plain text.",
        "data",
    )
    vocabulary: str = _setting(
        "gpt2",
        "How text becomes tokens: gpt2, as in the chapter; characters: one token for each of the "
        "training text; bytes: 256 of them; bpe: byte pairs learnt from the training text, "
        "vocab_size of them all together.",
        "data",
        VOCABULARIES,
    )
    keep_epochs: int = _setting(
        1, "Last epochs whose weights are kept, besides the best weights and the last.", "machine"
    )
    seed: int = _setting(
        123,
        "Fixes the random draws: initial weights (unless given), shuffling and dropout.",
        "machine",
    )
    precision: str = _setting(
        "float32",
        "float32 keeps about seven digits, as in the chapter; bfloat16 rounds matrix products to "
        "two or three and is faster where the device supports it; auto measures both and chooses.",
        "machine",
        PRECISIONS,
    )
    device: str = _setting(
        "cpu",
        "Where the model computes: cpu, cuda or mps; auto takes a GPU if there is one and its "
        "numbers agree with the CPU's.",
        "machine",
        DEVICES,
    )
    tf32: bool = _setting(
        False,
        "Whether products of float32 numbers on cuda keep three digits of each factor (TF32): "
        "faster from the A100 on; losses change in their last digits.",
        "machine",
        is_beyond=True,
    )
    compile: bool = _setting(
        False,
        "Whether torch.compile writes kernels for the training steps: faster after a minute of "
        "compiling; losses change in their last digits, and a short run is left uncompiled.",
        "machine",
        is_beyond=True,
    )

    shard_optimizer: bool = _setting(
        False,
        "Whether several processes divide AdamW's moments among them, so that a larger model fits "
        "(ZeRO, Rajbhandari et al., 2020); without several processes it has no effect.",
        "machine",
        is_beyond=True,
    )

    def __post_init__(self) -> None:
        for name in ("num_epochs", "batch_size", "accumulation_steps"):
            check_whole(name, getattr(self, name), at_least=1)
        for name in ("eval_freq", "eval_iter", "sample_tokens"):
            check_whole(name, getattr(self, name), at_least=1)
        if self.stride is not None:
            check_whole("stride", self.stride, at_least=1)
        for name in ("warmup_steps", "keep_epochs"):
            check_whole(name, getattr(self, name), at_least=0)
        check_whole("seed", self.seed, at_least=0, at_most=2**63 - 1)
        check_number("train_ratio", self.train_ratio, lambda x: 0 < x < 1, "above 0 and below 1")
        check_number(
            "learning_rate", self.learning_rate, lambda x: 0 < x <= 1, "above 0, at most 1"
        )
        check_number(
            "min_learning_rate",
            self.min_learning_rate,
            lambda x: 0 <= x <= self.learning_rate,
            f"from 0 to learning_rate={self.learning_rate:g}",
        )
        if self.max_grad_norm is not None:
            check_number(
                "max_grad_norm", self.max_grad_norm, lambda x: 0 < x <= 1e9, "above 0, or none"
            )
        for name in ("beta1", "beta2"):
            check_number(name, getattr(self, name), lambda x: 0 <= x < 1, "from 0 to below 1")
        check_number("weight_decay", self.weight_decay, lambda x: 0 <= x <= 1, "from 0 to 1")
        check_text("start_context", self.start_context)
        for name in ("end_of_text", "record_inside", "tf32", "compile", "shard_optimizer"):
            check_yes_or_no(name, getattr(self, name))
        if self.shard_optimizer and self.optimizer == "muon":
            raise ValueError(
                "shard_optimizer divides AdamW's moments, not Muon's: choose optimizer=adamw, or "
                "leave shard_optimizer off."
            )
        # JSON returns a list. The dataclass is frozen, hence object.__setattr__.
        probes: Any = self.probes
        if not isinstance(probes, tuple | list):
            raise ValueError(f"probes={shown(probes)} is not a list: give a list of rows of text.")
        object.__setattr__(self, "probes", tuple(probes))
        for number, probe in enumerate(self.probes, start=1):
            check_text(f"row {number} of probes", probe)
        _check_choices(self)
