"""The book's own code (llms-from-scratch on PyPI) as the oracle: same seed, same everything."""

from dataclasses import asdict

import pytest
import tiktoken
import torch
from llms_from_scratch import ch02, ch04, ch05

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import GPTModel, build_model, generate
from gpt_core.presets import GPT_CONFIG_124M
from gpt_core.records import EvaluationRecord, StepRecord
from gpt_core.text import load_text, split_text
from gpt_core.training import create_optimizer, prepare_data, train
from gpt_core.vocabularies import text_to_token_ids

SMALL = GPTConfig(context_length=64, emb_dim=64, n_heads=4, n_layers=2)
STEPS = 20


@pytest.mark.parametrize("config", [SMALL, GPTConfig(emb_dim=48, n_heads=3, qkv_bias=True)])
def test_the_same_seed_gives_the_books_parameters_and_logits(config: GPTConfig) -> None:
    torch.manual_seed(123)
    book = ch04.GPTModel(asdict(config)).eval()
    torch.manual_seed(123)
    ours = GPTModel(config).eval()

    theirs = dict(book.named_parameters())
    assert [name for name, _ in ours.named_parameters()] == list(theirs)
    for name, parameter in ours.named_parameters():
        assert torch.equal(parameter, theirs[name]), name

    ids = torch.randint(0, 50257, (2, 64), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(ours(ids), book(ids), atol=1e-5)


@pytest.mark.slow
def test_the_same_seed_gives_the_books_124m() -> None:
    torch.manual_seed(123)
    book = ch04.GPTModel(asdict(GPT_CONFIG_124M)).eval()
    ours = build_model(GPT_CONFIG_124M, seed=123)
    theirs = dict(book.named_parameters())
    assert all(torch.equal(p, theirs[name]) for name, p in ours.named_parameters())
    ids = torch.randint(0, 50257, (1, 256), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(ours(ids), book(ids), atol=1e-4)


@pytest.mark.slow
def test_twenty_steps_give_the_books_losses_with_dropout_on(
    tokenizer: tiktoken.Encoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same batches, same dropout, same evaluations between the steps, float32."""
    text = load_text("the-lamp-room").text[:12_000]  # an epoch of a little more than STEPS
    config = TrainingConfig(num_epochs=1, eval_iter=2)
    assert SMALL.drop_rate > 0

    data = prepare_data(text, tokenizer, SMALL, config)
    torch.manual_seed(123)
    model = GPTModel(SMALL)
    optimizer = create_optimizer(model, config)
    losses, evaluations = [], []
    for record in train(model, data.train_loader, data.val_loader, optimizer, tokenizer, config):
        if isinstance(record, StepRecord):
            losses.append(record.loss)
        elif isinstance(record, EvaluationRecord):
            evaluations.append((record.train_loss, record.val_loss))

    # The book's code asks tiktoken for its vocabulary, which would download it.
    monkeypatch.setattr(ch02.tiktoken, "get_encoding", lambda name: tokenizer)
    their_losses = []
    calc_loss_batch = ch05.calc_loss_batch

    def spy(inputs, targets, model, device):
        loss = calc_loss_batch(inputs, targets, model, device)
        if model.training:
            their_losses.append(loss.item())
        return loss

    monkeypatch.setattr(ch05, "calc_loss_batch", spy)
    train_text, val_text = split_text(text, 0.9)
    sizes = {"batch_size": 2, "max_length": 64, "stride": 64}
    train_loader = ch02.create_dataloader_v1(train_text, shuffle=True, drop_last=True, **sizes)
    val_loader = ch02.create_dataloader_v1(val_text, shuffle=False, drop_last=False, **sizes)
    torch.manual_seed(123)
    book = ch04.GPTModel(asdict(SMALL))
    their_optimizer = torch.optim.AdamW(book.parameters(), lr=4e-4, weight_decay=0.1)
    their_train, their_val, _ = ch05.train_model_simple(
        book, train_loader, val_loader, their_optimizer, "cpu", 1, 5, 2, "Every effort", tokenizer
    )

    assert len(losses) == len(their_losses) > STEPS
    assert losses[:STEPS] == pytest.approx(their_losses[:STEPS], abs=1e-4)
    assert len(set(losses)) == len(losses)
    for ours, theirs in zip(evaluations, zip(their_train, their_val, strict=True), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 1.4},
        {"temperature": 0.7, "top_k": 25},
        {"top_k": 3},
    ],
)
def test_generate_writes_what_the_books_generate_writes(
    settings: dict, tokenizer: tiktoken.Encoding
) -> None:
    model = build_model(SMALL, seed=5)
    ids = text_to_token_ids("Every effort moves you", tokenizer)
    torch.manual_seed(7)
    theirs = ch05.generate(model, ids, 80, context_size=SMALL.context_length, **settings)
    torch.manual_seed(7)
    assert torch.equal(generate(model, ids, 80, **settings), theirs)
