import math

import pytest
import torch
import torch.nn.functional as F

from gpt_core.model import (
    binary_cross_entropy,
    build_model,
    calc_loss_batch,
    calc_loss_loader,
    categorical_cross_entropy,
    loss_in_one_call,
    loss_walkthrough,
    perplexity,
    target_ranks,
)
from gpt_core.text import IGNORE_INDEX, create_dataloader, rows_to_batch
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


def test_the_walks_loss_is_what_one_call_gives() -> None:
    inputs = torch.arange(10).view(2, 5)
    walk = loss_walkthrough(build_model(TINY, seed=1), inputs, inputs + 1)
    assert loss_in_one_call(walk.logits, inputs + 1).item() == pytest.approx(walk.loss.item())


def test_a_shorter_row_counts_with_its_own_tokens_only() -> None:
    model = build_model(TINY, seed=1)
    long, short = torch.tensor([5, 6, 7, 8, 9]), torch.tensor([40, 41, 42])
    inputs, targets = rows_to_batch([long, short])
    walk = loss_walkthrough(model, inputs, targets)
    assert targets[1].tolist() == [41, 42, IGNORE_INDEX, IGNORE_INDEX]
    alone = [loss_walkthrough(model, *rows_to_batch([row])) for row in (long, short)]
    assert walk.target_probas[1, :2].tolist() == pytest.approx(alone[1].target_probas[0].tolist())
    assert walk.loss.item() == pytest.approx((4 * alone[0].loss + 2 * alone[1].loss).item() / 6)
    assert loss_in_one_call(walk.logits, targets).item() == pytest.approx(walk.loss.item())


def test_a_targets_rank_counts_the_tokens_before_it() -> None:
    logits = torch.tensor([[[0.0, 3.0, 1.0, 2.0], [5.0, 5.0, 5.0, 9.0]]])
    assert target_ranks(logits, torch.tensor([[2, 0]])).tolist() == [[3, 2]]
    assert target_ranks(logits, torch.tensor([[1, IGNORE_INDEX]]))[0, 0] == 1


def test_binary_cross_entropy_is_the_categorical_one_of_two_classes() -> None:
    yes = torch.tensor([0.9, 0.2, 0.6])
    labels = torch.tensor([1.0, 0.0, 0.0])
    binary = binary_cross_entropy(yes, labels)
    assert binary.item() == pytest.approx(F.binary_cross_entropy(yes, labels).item())
    two_classes = torch.stack((1 - yes, yes), dim=-1)
    one_hot = F.one_hot(labels.long(), 2)
    assert categorical_cross_entropy(two_classes, one_hot).item() == pytest.approx(binary.item())


def test_categorical_cross_entropy_is_pytorchs() -> None:
    logits = torch.randn(4, 7, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([1, 4, 5, 0])
    ours = categorical_cross_entropy(logits.softmax(-1), F.one_hot(targets, 7))
    assert ours.item() == pytest.approx(F.cross_entropy(logits, targets).item())
