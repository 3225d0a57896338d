import pytest
import torch

from gpt_core.config import GPTConfig
from gpt_core.model import GPTModel, build_model
from tests.conftest import TINY


def test_logits_have_one_score_per_token_of_the_vocabulary() -> None:
    assert build_model(TINY, seed=1)(torch.zeros(2, 7, dtype=torch.int64)).shape == (2, 7, 50257)


@pytest.mark.parametrize(
    "config", [TINY, GPTConfig(emb_dim=24, n_heads=3, n_layers=1, qkv_bias=True)]
)
def test_a_model_for_display_has_the_seeded_weights_and_draws_nothing(config: GPTConfig) -> None:
    torch.manual_seed(123)
    seeded = GPTModel(config).state_dict()
    state = torch.get_rng_state()
    for name, parameter in build_model(config, seed=123).state_dict().items():
        assert torch.equal(parameter, seeded[name]), name
    assert torch.equal(torch.get_rng_state(), state)


def test_a_token_sees_only_itself_and_those_before_it() -> None:
    model = build_model(TINY, seed=1)
    ids = torch.randint(0, 50257, (1, 10), generator=torch.Generator().manual_seed(1))
    changed = ids.clone()
    changed[0, 6] = 11
    with torch.no_grad():
        logits, other = model(ids), model(changed)
    assert torch.equal(logits[:, :6], other[:, :6])
    assert not torch.allclose(logits[:, 6:], other[:, 6:])


def test_more_tokens_than_the_context_length_are_refused() -> None:
    with pytest.raises(ValueError, match="33 tokens are more than context_length=32"):
        build_model(TINY, seed=1)(torch.zeros(1, 33, dtype=torch.int64))


def test_dropout_is_on_in_training_and_off_in_evaluation() -> None:
    model = build_model(TINY, seed=1)
    ids = torch.arange(8).unsqueeze(0)
    with torch.no_grad():
        assert torch.equal(model(ids), model(ids))
        model.train()
        assert not torch.allclose(model(ids), model(ids))
