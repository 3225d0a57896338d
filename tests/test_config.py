import math
import re

import pytest

from gpt_core.config import GPTConfig, TrainingConfig, field_help
from gpt_core.presets import GPT_CONFIG_124M, PRESETS


def test_the_defaults_are_the_chapters() -> None:
    assert GPTConfig(50257, 256, 768, 12, 12, 0.1, False) == GPT_CONFIG_124M
    book = PRESETS["book-124m"]
    assert book.model == GPT_CONFIG_124M
    assert book.training == TrainingConfig(
        num_epochs=10,
        batch_size=2,
        learning_rate=4e-4,
        weight_decay=0.1,
        eval_freq=5,
        eval_iter=5,
        start_context="Every effort moves you",
        sample_tokens=50,
        seed=123,
        precision="float32",
        device="cpu",
    )


def test_emb_dim_that_the_heads_cannot_share_is_refused_with_two_that_they_can() -> None:
    message = "emb_dim=100 is not divisible by n_heads=12: choose 96 or 108."
    with pytest.raises(ValueError, match=re.escape(message)):
        GPTConfig(emb_dim=100)


def test_fewer_dimensions_than_heads_names_the_one_choice_there_is() -> None:
    with pytest.raises(ValueError, match=r"choose 12\.$"):
        GPTConfig(emb_dim=5)


@pytest.mark.parametrize(
    ("config_class", "field", "value"),
    [
        (GPTConfig, "vocab_size", 0),
        (GPTConfig, "context_length", -1),
        (GPTConfig, "n_layers", 2.5),
        (GPTConfig, "n_heads", True),
        (GPTConfig, "drop_rate", 1.0),
        (GPTConfig, "drop_rate", -0.1),
        (GPTConfig, "drop_rate", math.nan),
        (GPTConfig, "drop_rate", None),
        (TrainingConfig, "num_epochs", 0),
        (TrainingConfig, "batch_size", 0),
        (TrainingConfig, "stride", 0),
        (TrainingConfig, "train_ratio", 0.0),
        (TrainingConfig, "train_ratio", 1.0),
        (TrainingConfig, "learning_rate", 0.0),
        (TrainingConfig, "learning_rate", math.inf),
        (TrainingConfig, "learning_rate", "fast"),
        (TrainingConfig, "weight_decay", -1),
        (TrainingConfig, "eval_freq", 0),
        (TrainingConfig, "accumulation_steps", 0),
        (TrainingConfig, "warmup_steps", -1),
        (TrainingConfig, "max_grad_norm", 0.0),
        (TrainingConfig, "min_learning_rate", 1.0),
        (TrainingConfig, "schedule", "linear"),
        (TrainingConfig, "eval_iter", 0),
        (TrainingConfig, "sample_tokens", 0),
        (TrainingConfig, "start_context", ""),
        (TrainingConfig, "probes", ("a row", "")),
        (TrainingConfig, "keep_epochs", -1),
        (TrainingConfig, "seed", -1),
        (TrainingConfig, "seed", 2**63),
        (TrainingConfig, "precision", "float8"),
        (TrainingConfig, "device", "abacus"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_name_with_what_to_choose(
    config_class: type, field: str, value: object
) -> None:
    with pytest.raises(ValueError, match=rf"{field}.*(choose|give)"):
        config_class(**{field: value})


def test_each_field_explains_itself() -> None:
    for config_class in (GPTConfig, TrainingConfig):
        helps = field_help(config_class)
        assert set(helps) == set(config_class.__dataclass_fields__)
        assert all(text.endswith(".") for text in helps.values())
