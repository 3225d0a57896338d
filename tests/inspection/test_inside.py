"""What the fused kernels throw away, computed again: identities that hold for every model."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gpt_core.config import INITIALIZATIONS, NORMS, POSITIONS, GPTConfig, TrainingConfig
from gpt_core.inspection import (
    ablate,
    attention_weights,
    embedding_map,
    embedding_neighbours,
    head_scores,
    lens_summary,
    logit_lens,
    position_similarity,
    residual_stream,
    tensor_statistics,
    token_losses,
    trace,
)
from gpt_core.model import (
    GPTModel,
    build_model,
    calc_loss_batch,
    calc_loss_loader,
    transpose_weights,
)
from gpt_core.presets import GPT_CONFIG_124M
from gpt_core.text import create_dataloader
from gpt_core.training import create_optimizer

SMALL = GPTConfig(vocab_size=40, context_length=16, emb_dim=12, n_heads=3, n_layers=2)


@st.composite
def models(draw: st.DrawFn) -> tuple[GPTModel, Tensor]:
    """A random model, some of them laid out for generation, and a row of tokens."""
    heads, head_dim = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    positions = POSITIONS if head_dim % 2 == 0 else ("learned", "none")  # rotary ones need pairs
    config = GPTConfig(
        vocab_size=draw(st.integers(2, 60)),
        context_length=draw(st.integers(1, 12)),
        emb_dim=heads * head_dim,
        n_heads=heads,
        n_layers=draw(st.integers(1, 3)),
        drop_rate=draw(st.sampled_from((0.0, 0.1))),
        qkv_bias=draw(st.booleans()),
        tied_head=draw(st.booleans()),
        norm=draw(st.sampled_from(NORMS)),
        positions=draw(st.sampled_from(positions)),
        initialization=draw(st.sampled_from(INITIALIZATIONS)),
        residual=draw(st.booleans()),
    )
    model = build_model(config, seed=draw(st.integers(0, 99)))
    if draw(st.booleans()):
        transpose_weights(model)
    length = draw(st.integers(1, config.context_length))
    ids = torch.randint(config.vocab_size, (1, length), generator=torch.Generator().manual_seed(1))
    return model, ids


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-5) -> bool:
    """Tell whether two tensors are equal, relative to the largest absolute value."""
    return bool((found - expected).abs().max() <= tolerance * max(1e-9, expected.abs().max()))


@given(models())
def test_attention_weights_sum_to_one_see_nothing_later_and_give_the_kernels_output(
    given: tuple[GPTModel, Tensor],
) -> None:
    model, ids = given
    weights = attention_weights(model, ids)  # (n_layers, n_heads, T, T)
    assert (weights.sum(-1) - 1).abs().max() <= 1e-6
    assert not weights.triu(diagonal=1).any()
    traced = trace(model, ids)
    x = traced.streams()[0:1]  # (1, T, emb_dim)
    turns = model.rotary_turns(torch.arange(ids.shape[1]))
    for layer, block in enumerate(model.trf_blocks):
        values = block.att.project(block.norm1(x))[2][0]  # (n_heads, T, head_dim)
        mixed = (weights[layer] @ values).transpose(0, 1).flatten(1)  # (T, emb_dim)
        assert close(mixed, traced.blocks[layer].context)
        x = block(x, turns=turns)
    only = attention_weights(model, ids, layers=[model.config.n_layers - 1])
    assert torch.equal(only[0], weights[-1])


@given(models())
def test_the_trace_and_the_last_row_of_the_lens_are_the_models_own(
    given: tuple[GPTModel, Tensor],
) -> None:
    model, ids = given
    with torch.no_grad():
        logits = model(ids)[0]  # (T, vocab_size)
    lens = logit_lens(model, ids)  # (n_layers, T, vocab_size)
    assert lens.shape == (model.config.n_layers, *logits.shape)
    assert close(lens[-1], logits)
    summary = lens_summary(model, ids, k=3)
    probas = torch.softmax(lens, dim=-1)
    assert torch.allclose(summary.best_probas, probas.topk(summary.best_ids.shape[-1]).values)
    picked = probas.gather(-1, summary.targets.expand(len(lens), -1).unsqueeze(-1)).squeeze(-1)
    assert torch.allclose(summary.target_probas, picked)
    assert torch.equal(summary.targets[:-1], ids[0, 1:])
    assert summary.targets[-1] == logits[-1].argmax()


@given(models())
def test_what_the_parts_add_is_the_targets_logit(given: tuple[GPTModel, Tensor]) -> None:
    model, ids = given
    found = residual_stream(model, ids)
    largest = found.contributions.abs().max()
    assert (found.contributions.sum(0) - found.logits).abs().max() <= 1e-5 * largest
    with torch.no_grad():
        logits = model(ids)[0].double()
    assert close(found.logits, logits.gather(-1, found.targets.unsqueeze(-1)).squeeze(-1))
    config = model.config
    heads = config.n_layers * config.n_heads
    others = 1 + (model.config.positions == "learned") + (model.config.norm == "layernorm")
    assert len(found.parts) == len(found.contributions) == others + heads + 2 * config.n_layers
    assert found.norms.shape == (2 * model.config.n_layers + 1, ids.shape[1])


@given(models(), st.sampled_from(("zero", "mean")))
def test_ablating_nothing_changes_nothing_and_ablating_all_heads_is_a_zero_projection(
    given: tuple[GPTModel, Tensor], replacement: str
) -> None:
    model, ids = given
    if ids.shape[1] == 1:
        with pytest.raises(ValueError, match="at least two"):
            ablate(model, ids)
        return
    with torch.no_grad():
        whole = torch.softmax(model(ids)[0], dim=-1)
    untouched = ablate(model, ids, replacement=replacement)
    assert torch.allclose(untouched.probas, whole, atol=1e-6)
    assert untouched.loss == pytest.approx(
        calc_loss_batch(ids[:, :-1], ids[:, 1:], model, "cpu").item(), rel=1e-5
    )
    config = model.config
    heads = [
        f"trf_blocks.{layer}.att.{head}"
        for layer in range(config.n_layers)
        for head in range(config.n_heads)
    ]
    without = ablate(model, ids, heads)
    other = build_model(config, seed=0)
    other.load_state_dict(model.state_dict())
    for block in other.trf_blocks:
        torch.nn.init.zeros_(block.att.out_proj.weight)
    with torch.no_grad():
        assert torch.allclose(without.probas, torch.softmax(other(ids)[0], dim=-1), atol=1e-6)
    with torch.no_grad():  # the model itself was not changed
        assert torch.equal(torch.softmax(model(ids)[0], dim=-1), whole)


def test_a_block_that_is_off_is_a_block_that_is_not_there() -> None:
    model = build_model(SMALL, seed=1)
    ids = torch.arange(8).unsqueeze(0)
    shorter = build_model(replace(SMALL, n_layers=1), seed=1)
    weights = model.state_dict()
    kept = {
        n.replace("blocks.1.", "blocks.0."): w for n, w in weights.items() if "blocks.0." not in n
    }
    shorter.load_state_dict(kept)
    with torch.no_grad():
        expected = torch.softmax(shorter(ids)[0], dim=-1)
    assert torch.allclose(ablate(model, ids, ["trf_blocks.0"]).probas, expected, atol=1e-6)
    parts = ["trf_blocks.0.att", "trf_blocks.0.ff"]
    assert torch.allclose(ablate(model, ids, parts).probas, expected, atol=1e-6)


def test_without_its_positions_a_model_sees_no_order_before_the_last_token() -> None:
    model = build_model(replace(SMALL, n_layers=1), seed=1)
    one, other = torch.tensor([[3, 1, 4, 9]]), torch.tensor([[4, 3, 1, 9]])
    off = [ablate(model, ids, ["pos_emb"]).probas[-1] for ids in (one, other)]
    assert torch.allclose(*off, atol=1e-6)
    on = [ablate(model, ids).probas[-1] for ids in (one, other)]
    assert not torch.allclose(*on, atol=1e-4)


@pytest.mark.parametrize(
    "part", ["tok_emb", "trf_blocks.2", "trf_blocks.0.att.3", "trf_blocks.0.ff.1", "x", ""]
)
def test_a_part_that_is_not_there_is_refused_by_its_name(part: str) -> None:
    model = build_model(SMALL, seed=1)
    with pytest.raises(ValueError, match=f"{part!r}"):
        ablate(model, torch.zeros(1, 3, dtype=torch.long), [part])


def test_what_cannot_be_shown_is_refused_in_words() -> None:
    model, row = build_model(SMALL, seed=1), torch.zeros(1, 3, dtype=torch.long)
    for ids in (row.repeat(2, 1), row[0], row[:, :0], torch.zeros(1, 17, dtype=torch.long)):
        with pytest.raises(ValueError, match=r"one row|context_length=16"):
            trace(model, ids)
    with pytest.raises(ValueError, match=r"call model\.eval"):
        trace(model.train(), row)
    with pytest.raises(ValueError, match="0 to 1"):
        attention_weights(model.eval(), row, layers=[2])
    large = GPTModel.__new__(GPTModel)
    torch.nn.Module.__init__(large)
    large.config = replace(GPT_CONFIG_124M, context_length=1024)
    with pytest.raises(ValueError, match=r"2\.3 GB .*fewer tokens or fewer layers"):
        logit_lens(large.eval(), torch.zeros(1, 1024, dtype=torch.long))


@given(models(), st.integers(2, 40))
def test_each_token_of_a_text_is_scored_once(given: tuple[GPTModel, Tensor], length: int) -> None:
    model, _ = given
    ids = torch.randint(model.config.vocab_size, (length,), generator=torch.Generator())
    losses = token_losses(model, ids)
    context = min(model.config.context_length, length - 1)
    for target in range(1, length):  # which window predicts it, and so what it sees
        start = (target - 1) // context * context
        if start + context > length - 1:
            start = length - 1 - context
        logits = model(ids[start : start + context].unsqueeze(0))[0, target - 1 - start]
        expected = -torch.log_softmax(logits, dim=-1)[ids[target]]
        assert losses[target - 1].item() == pytest.approx(expected.item(), rel=1e-4, abs=1e-5)


def test_the_mean_of_the_token_losses_is_the_loss_of_the_page() -> None:
    model = build_model(SMALL, seed=1)
    ids = torch.randint(40, (16 * 9 + 1,), generator=torch.Generator().manual_seed(0))
    loader = create_dataloader(
        ids.int(), 3, 16, shuffle=False, drop_last=False, generator=torch.Generator()
    )
    with torch.no_grad():
        page = calc_loss_loader(loader, model, "cpu")
    assert token_losses(model, ids).mean().item() == pytest.approx(page, abs=1e-6)


def test_a_map_of_words_keeps_their_distances_and_turns_towards_the_one_before() -> None:
    model = build_model(replace(SMALL, emb_dim=3), seed=1)
    ids = torch.tensor([3, 7, 11, 2, 30])
    with torch.no_grad():
        model.tok_emb.weight[:, 2] = 0  # on a plane, so that a map loses nothing
        places = embedding_map(model, ids)
        points = model.tok_emb.weight[ids].double()
        assert torch.allclose(torch.cdist(places, places), torch.cdist(points, points), atol=1e-6)
        turned = places @ torch.tensor([[0.6, 0.8], [0.8, -0.6]]).double()  # and mirrored
        assert torch.allclose(embedding_map(model, ids, turned), turned, atol=1e-6)


def test_neighbours_are_those_of_the_smallest_angle() -> None:
    model = build_model(SMALL, seed=1)
    with torch.no_grad():
        model.tok_emb.weight[9] = 3 * model.tok_emb.weight[4]
        ids, cosines = embedding_neighbours(model, 4, k=5)
    assert ids[0] == 9
    assert cosines[0].item() == pytest.approx(1, abs=1e-5)
    assert 4 not in ids
    assert torch.equal(cosines, cosines.sort(descending=True).values)
    similarity = position_similarity(model)
    assert torch.allclose(similarity.diagonal(), torch.ones(16), atol=1e-5)
    assert torch.allclose(similarity, similarity.T)


def test_the_statistics_of_an_update_are_those_of_what_the_optimizer_did() -> None:
    model = build_model(SMALL, seed=1)
    config = TrainingConfig(learning_rate=1e-3, weight_decay=0.1)
    optimizer = create_optimizer(model, config)
    ids = torch.arange(12).unsqueeze(0)
    for _ in range(3):
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        optimizer.zero_grad()
        calc_loss_batch(ids[:, :-1], ids[:, 1:], model, "cpu").backward()
        optimizer.step()
    found = {part.name: part for part in tensor_statistics(model, optimizer, ids).parts}
    assert list(found) == [
        "tok_emb",
        "pos_emb",
        *(f"trf_blocks.{n}.{part}" for n in (0, 1) for part in ("att", "ff", "norm1", "norm2")),
        "final_norm",
        "out_head",
    ]
    for name, part in found.items():
        own = [n for n, _ in model.named_parameters() if n.startswith(f"{name}.")]
        after = dict(model.named_parameters())
        moved = torch.cat([(after[n].detach() - before[n]).flatten() for n in own])
        weights = torch.cat([after[n].detach().flatten() for n in own])
        assert part.update_to_weight == pytest.approx((moved.norm() / weights.norm()).item(), 1e-3)
        assert part.weights.counts.sum() == part.updates.counts.sum() == len(weights)
        assert part.updates.high == pytest.approx(moved.max().item(), rel=1e-2, abs=1e-7)
        assert part.weights.low == weights.min().item()


def test_units_that_never_fire_are_counted_and_nothing_is_known_without_training() -> None:
    model = build_model(SMALL, seed=1)
    with torch.no_grad():
        model.trf_blocks[1].ff.layers[0].bias[:24] = -1e6  # of 48 units
    found = tensor_statistics(model, ids=torch.arange(10).unsqueeze(0))
    assert 0.5 <= found.silent_units[1] <= 0.6
    assert found.silent_units[0] < 0.3
    assert found.stream_norms.shape == (3,)
    for part in found.parts:
        assert part.gradients is part.updates is part.update_to_weight is None
    assert tensor_statistics(model).stream_norms is None


def repeated_rows(generator: torch.Generator, rows: int, n: int, vocab_size: int) -> Tensor:
    """Return rows of n random tokens, each row repeated once, (rows, 2n)."""
    drawn = torch.stack([torch.randperm(vocab_size, generator=generator)[:n] for _ in range(rows)])
    return torch.cat((drawn, drawn), dim=1)


def test_an_induction_head_forms_while_a_model_learns_to_repeat() -> None:
    """A head that looks at what followed the equal token; as it forms, the loss falls."""
    config = GPTConfig(
        vocab_size=24, context_length=24, emb_dim=32, n_heads=2, n_layers=2, drop_rate=0.0
    )
    model = build_model(config, seed=3)
    optimizer = create_optimizer(model, TrainingConfig(learning_rate=3e-3, weight_decay=0.0))
    generator = torch.Generator().manual_seed(0)
    scores, losses = [], []
    for step in range(601):
        rows = repeated_rows(generator, 32, 12, config.vocab_size)
        logits = model(rows[:, :-1])[:, 11:]  # of the repetition, which can be known
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 12:].flatten())
        if step % 100 == 0:
            losses.append(loss.item())
            scores.append(head_scores(model.eval()).induction.max().item())
            model.train()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[0] > 0.9 * math.log(24)
    assert scores[0] < 0.2
    assert losses[-1] < 0.3
    assert scores[-1] > 0.8
    # Both change most at the same time.
    falls = [a - b for a, b in pairwise(losses)]
    rises = [b - a for a, b in pairwise(scores)]
    assert abs(falls.index(max(falls)) - rises.index(max(rises))) <= 1
