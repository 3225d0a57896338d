from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gpt_core.model import kernels, transpose_weights
from gpt_core.model.kernels import Dropout, Linear, causal_attention, dropout, linear_cross_entropy


@pytest.fixture
def reduced() -> Iterator[None]:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        yield


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        yield


def head_and_loss(rows: int = 150, columns: int = 13_000) -> tuple[Tensor, Tensor, Tensor]:
    """Return inputs, weights and targets of an output layer, larger than one piece each way."""
    x = torch.randn(rows, 16, requires_grad=True)
    weight = torch.randn(columns, 16, requires_grad=True)
    return x, weight, torch.randint(0, columns, (rows,))


def gradients(loss: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, inputs)


def test_the_output_layer_and_its_loss_in_one_equal_pytorchs_two() -> None:
    x, weight, targets = head_and_loss()
    expected = F.cross_entropy(F.linear(x, weight), targets)
    loss = linear_cross_entropy(x, weight, targets)
    # To the last place or two: in which order a product is summed up is the CPU's choice.
    torch.testing.assert_close(loss, expected, rtol=2e-7, atol=0)
    for ours, theirs in zip(
        gradients(loss, x, weight), gradients(expected, x, weight), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-7, rtol=1e-5)


def test_a_small_vocabularys_loss_and_gradients_are_pytorchs_bit_for_bit() -> None:
    x, weight, targets = head_and_loss(columns=65)
    expected = F.cross_entropy(F.linear(x, weight), targets)
    loss = linear_cross_entropy(x, weight, targets)
    assert torch.equal(loss, expected)
    for ours, theirs in zip(
        gradients(loss, x, weight), gradients(expected, x, weight), strict=True
    ):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("frozen", ["x", "weight"])
def test_where_only_one_of_the_two_learns_its_gradient_is_the_same(frozen: str) -> None:
    x, weight, targets = head_and_loss()
    (x if frozen == "x" else weight).requires_grad_(False)
    learning = weight if frozen == "x" else x
    (ours,) = gradients(linear_cross_entropy(x, weight, targets), learning)
    (theirs,) = gradients(F.cross_entropy(F.linear(x, weight), targets), learning)
    torch.testing.assert_close(ours, theirs, atol=1e-7, rtol=1e-5)


def test_in_float64_the_gradient_is_the_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "SMALL_VOCABULARY", 0)
    x, weight, targets = (part.detach() for part in head_and_loss(rows=3, columns=11))
    x, weight = x.double().requires_grad_(), weight.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: linear_cross_entropy(a, b, targets), (x, weight))


def test_a_scaled_loss_has_scaled_gradients() -> None:
    x, weight, targets = head_and_loss()
    once = gradients(linear_cross_entropy(x, weight, targets), x, weight)
    thrice = gradients(3 * linear_cross_entropy(x, weight, targets), x, weight)
    for a, b in zip(once, thrice, strict=True):
        torch.testing.assert_close(3 * a, b)


def test_without_gradients_the_loss_is_the_same() -> None:
    x, weight, targets = head_and_loss()
    with_gradients = linear_cross_entropy(x, weight, targets).detach()
    with torch.no_grad():
        assert torch.equal(linear_cross_entropy(x, weight, targets), with_gradients)


@pytest.mark.usefixtures("reduced")
def test_in_bfloat16_loss_and_gradients_are_near_those_of_float32() -> None:
    x, weight, targets = head_and_loss()
    loss = linear_cross_entropy(x, weight, targets)
    with torch.autocast("cpu", enabled=False):
        expected = F.cross_entropy(F.linear(x, weight), targets)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=2e-3, atol=0)
    for ours, theirs in zip(
        gradients(loss, x, weight), gradients(expected, x, weight), strict=True
    ):
        assert ours.dtype == torch.float32
        assert F.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0) > 0.999


@pytest.mark.usefixtures("reduced")
@pytest.mark.parametrize("drop_rate", [0.1, 0.5, 0.999999])
def test_dropout_keeps_its_share_and_the_mean(drop_rate: float) -> None:
    x = torch.ones(400_003, requires_grad=True)  # not a multiple of four
    y = dropout(x, drop_rate)
    assert set(y.unique().tolist()) <= {0.0, torch.tensor(1 / (1 - drop_rate)).item()}
    assert (y == 0).float().mean().item() == pytest.approx(drop_rate, abs=0.005)
    (grad,) = gradients(y.sum(), x)
    assert torch.equal(grad, y.detach())  # what was dropped learns nothing


@pytest.mark.usefixtures("reduced")
def test_two_calls_drop_different_elements_and_the_same_seed_the_same() -> None:
    layer, x = Dropout(0.5).train(), torch.ones(1000)
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    assert torch.equal(layer(x), first)


def test_in_float32_dropout_is_pytorchs_own() -> None:
    x = torch.ones(1000)
    ours = Dropout(0.5).train()(x)
    torch.manual_seed(1)
    assert torch.equal(ours, F.dropout(x, 0.5))


@pytest.mark.parametrize("drop_rate", [0.0, 0.1, 0.5])
def test_dropout_draws_from_its_generator_what_pytorchs_draws_from_the_global_one(
    drop_rate: float,
) -> None:
    x = torch.randn(3, 7, 33, requires_grad=True)
    torch.manual_seed(1)
    expected = F.dropout(x, drop_rate)
    drawn = torch.get_rng_state()
    generator = torch.Generator().manual_seed(1)
    ours = Dropout(drop_rate, generator).train()(x)
    assert torch.equal(ours, expected)
    assert torch.equal(generator.get_state(), drawn)
    assert torch.equal(torch.get_rng_state(), drawn)  # untouched
    weights = torch.randn(x.shape, generator=generator)
    [[grad], [expected_grad]] = (gradients((y * weights).sum(), x) for y in (ours, expected))
    assert torch.equal(grad, expected_grad)


@pytest.mark.parametrize("shape", [(2, 4, 64, 16), (1, 2, 7, 5), (2, 12, 256, 64), (3, 1, 2, 8)])
@pytest.mark.parametrize("drop_rate", [0.1, 0.5])
def test_attention_with_a_generator_equals_pytorchs_bit_for_bit(
    shape: tuple[int, ...], drop_rate: float
) -> None:
    """Values, gradients and draws; the layout is that of the model, heads beside tokens."""
    B, n_heads, T, head_dim = shape
    q, k, v = (
        torch.randn(B, T, n_heads, head_dim).transpose(1, 2).requires_grad_() for _ in range(3)
    )
    torch.manual_seed(1)
    expected = F.scaled_dot_product_attention(q, k, v, dropout_p=drop_rate, is_causal=True)
    drawn = torch.get_rng_state()
    generator = torch.Generator().manual_seed(1)
    ours = causal_attention(q, k, v, drop_rate, generator)
    assert torch.equal(ours, expected)
    assert torch.equal(generator.get_state(), drawn)
    assert torch.equal(torch.get_rng_state(), drawn)  # untouched
    weights = torch.randn(ours.shape, generator=generator)
    for grad, expected_grad in zip(
        gradients((ours * weights).sum(), q, k, v),
        gradients((expected * weights).sum(), q, k, v),
        strict=True,
    ):
        assert torch.equal(grad, expected_grad)


@pytest.mark.usefixtures("reduced")
def test_in_bfloat16_dropout_draws_from_its_generator_alone() -> None:
    x, before = torch.ones(1000), torch.get_rng_state()
    ours = Dropout(0.5, torch.Generator().manual_seed(1)).train()(x)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(Dropout(0.5).train()(x), ours)


def test_in_eval_mode_nothing_is_dropped() -> None:
    assert torch.equal(Dropout(0.5).eval()(torch.ones(9)), torch.ones(9))


@pytest.mark.usefixtures("reduced")
def test_attention_in_bfloat16_is_near_pytorchs_and_sees_no_future() -> None:
    q, k, v = (torch.randn(2, 3, 20, 8, dtype=torch.bfloat16) for _ in range(3))
    expected = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=True)
    ours = causal_attention(q, k, v, drop_rate=0.0)
    torch.testing.assert_close(ours.float(), expected.float(), atol=0.03, rtol=0.03)
    v[:, :, 10:] = 100.0
    changed = causal_attention(q, k, v, drop_rate=0.0)
    assert torch.equal(changed[:, :, :10], ours[:, :, :10])


@pytest.mark.usefixtures("reduced")
def test_attention_drops_weights_in_training() -> None:
    q = k = torch.zeros(1, 1, 64, 8, dtype=torch.bfloat16)  # all that came before counts alike
    v = torch.ones(1, 1, 64, 8, dtype=torch.bfloat16)
    last = torch.stack([causal_attention(q, k, v, 0.5)[0, 0, -1, 0] for _ in range(50)]).float()
    assert last.std() > 0.05
    assert last.mean().item() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("in_features", [1, 6, 7, 768])  # in 1, 2, 1 and 4 slabs
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 4), ()])
def test_a_transposed_layer_computes_what_it_did(
    in_features: int, bias: bool, shape: tuple[int, ...]
) -> None:
    layer = Linear(in_features, 5, bias=bias)
    weight, x = layer.weight.detach().clone(), torch.randn(*shape, in_features)
    expected = layer(x)
    assert torch.equal(expected, F.linear(x, layer.weight, layer.bias))  # PyTorch's own until then
    assert not layer.is_transposed
    transpose_weights(layer)
    assert layer.is_transposed
    assert torch.equal(layer.weight, weight)
    assert layer.weight.stride(0) == 1
    torch.testing.assert_close(layer(x), expected)
