"""What is measured at an evaluation besides the loss."""

import math

import pytest
import tiktoken
import torch

from gpt_core.model import build_model, calc_loss_loader, loss_walkthrough
from gpt_core.text import create_dataloader, load_text
from gpt_core.training import measure_loader, prepare_data, token_bytes
from tests.conftest import TINY, TINY_TRAINING


@pytest.mark.parametrize("name", ["nine-small-boats", "counting"])
def test_bits_per_byte_are_total_nats_by_the_bytes_of_what_was_predicted(
    name: str, tokenizer: tiktoken.Encoding
) -> None:
    data = prepare_data(load_text(name).text, tokenizer, TINY, TINY_TRAINING)
    model = build_model(TINY, seed=1).eval()
    nats, text, right, count = 0.0, b"", 0, 0
    for inputs, targets in data.val_loader:
        walk = loss_walkthrough(model, inputs, targets)
        nats -= walk.log_probas.sum().item()
        right += int((walk.predicted_ids == targets).sum())
        count += targets.numel()
        text += b"".join(tokenizer.decode_bytes(row) for row in targets.tolist())
    measured = measure_loader(data.val_loader, model, "cpu", 99, tokenizer)
    assert measured.bits_per_byte == pytest.approx(nats / math.log(2) / len(text), rel=1e-5)
    assert measured.accuracy == right / count
    with torch.no_grad():
        assert measured.loss == calc_loss_loader(data.val_loader, model, "cpu")


def test_a_model_that_knows_the_next_token_is_right_everywhere(
    tokenizer: tiktoken.Encoding,
) -> None:
    model = build_model(TINY, seed=1).eval()
    ids = torch.full((200,), 7)
    with torch.no_grad():  # it always expects token 7
        model.final_norm.shift.fill_(1.0)
        model.out_head.weight[7] = 10.0
    loader = create_dataloader(ids, 2, 16, shuffle=False)
    assert measure_loader(loader, model, "cpu", 3, tokenizer).accuracy == 1
    wrong = create_dataloader(ids + 1, 2, 16, shuffle=False)
    assert measure_loader(wrong, model, "cpu", 3, tokenizer).accuracy == 0


def test_a_text_has_the_bytes_of_its_tokens(tokenizer: tiktoken.Encoding) -> None:
    text = "Ein Kätzchen, 貓, 🙂<|endoftext|>and more"
    ids = torch.tensor(tokenizer.encode(text, allowed_special="all"))
    assert token_bytes(tokenizer)[ids].sum() == len(text.encode("utf-8"))
