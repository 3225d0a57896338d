import pytest
import torch

from gpt_core import build_model, generate
from tests.conftest import TINY

PROMPT = torch.tensor([[6109, 3626]])


def test_it_writes_past_the_context_length() -> None:
    assert generate(build_model(TINY, seed=1), PROMPT, 40).shape == (1, 42)


def test_greedy_draws_no_random_number() -> None:
    state = torch.get_rng_state()
    generate(build_model(TINY, seed=1), PROMPT, 3)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_generator_of_its_own_leaves_the_global_one_alone_and_repeats() -> None:
    model = build_model(TINY, seed=1)
    state = torch.get_rng_state()
    texts = [
        generate(model, PROMPT, 9, 1.0, generator=torch.Generator().manual_seed(4)).tolist()
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert torch.equal(torch.get_rng_state(), state)


def test_top_1_is_greedy_at_any_temperature() -> None:
    model = build_model(TINY, seed=1)
    greedy = generate(model, PROMPT, 6)
    assert torch.equal(generate(model, PROMPT, 6, temperature=5.0, top_k=1), greedy)


def test_it_stops_where_the_end_would_come_and_does_not_write_it() -> None:
    model = build_model(TINY, seed=1)
    ids = generate(model, PROMPT, 6)
    third = int(ids[0, 4])
    before = ids[0, :4].tolist()
    assert third not in before
    assert generate(model, PROMPT, 6, eos_id=third).tolist() == [before]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"temperature": -1.0}, "temperature=-1.0"), ({"top_k": 0}, "top_k=0")],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate(build_model(TINY, seed=1), PROMPT, 1, **settings)


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="prompt is empty"):
        generate(build_model(TINY, seed=1), torch.zeros(1, 0, dtype=torch.int64), 1)
