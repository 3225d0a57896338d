import math

import pytest
import torch
import torch.nn.functional as F

from gpt_core import (
    build_model,
    calc_loss_batch,
    calc_loss_loader,
    create_dataloader,
    loss_walkthrough,
    perplexity,
)
from tests.conftest import TINY


def test_a_batchs_loss_is_the_walks_loss() -> None:
    model = build_model(TINY, seed=1)
    inputs = torch.arange(10).view(2, 5)
    walk = loss_walkthrough(model, inputs, inputs + 1)
    assert walk.target_probas.shape == walk.log_probas.shape == (2, 5)
    assert walk.target_probas[1, 2] == walk.probas[1, 2, 8]
    with torch.no_grad():
        loss = calc_loss_batch(inputs, inputs + 1, model, "cpu")
    assert walk.loss.item() == pytest.approx(loss.item(), abs=1e-5)
    assert F.nll_loss(walk.probas.log().flatten(0, 1), (inputs + 1).flatten()) == pytest.approx(
        loss.item(), abs=1e-5
    )


def test_a_loaders_loss_is_the_mean_over_its_first_batches() -> None:
    model = build_model(TINY, seed=1)
    loader = create_dataloader(torch.arange(200), 2, 16, shuffle=False)
    with torch.no_grad():
        each = [calc_loss_batch(x, y, model, "cpu").item() for x, y in loader]
        assert len(each) > 3
        assert calc_loss_loader(loader, model, "cpu") == pytest.approx(sum(each) / len(each))
        assert calc_loss_loader(loader, model, "cpu", 3) == pytest.approx(sum(each[:3]) / 3)
        assert calc_loss_loader(loader, model, "cpu", 99) == calc_loss_loader(loader, model, "cpu")


def test_an_empty_loader_is_refused_instead_of_giving_nan() -> None:
    loader = create_dataloader(torch.arange(20), 2, 16)  # one window, no full batch
    with pytest.raises(ValueError, match="holds no batch"):
        calc_loss_loader(loader, build_model(TINY, seed=1), "cpu")


def test_perplexity_of_a_number_or_a_tensor_even_of_an_absurd_one() -> None:
    assert perplexity(0.0) == 1
    assert perplexity(torch.tensor(1.0)) == pytest.approx(math.e)
    assert perplexity(1000.0) == math.inf
