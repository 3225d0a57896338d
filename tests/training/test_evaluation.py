"""What is measured at an evaluation besides the loss."""

import math
from dataclasses import replace

import pytest
import tiktoken
import torch

from gpt_core.model import build_model, calc_loss_loader, loss_walkthrough
from gpt_core.text import create_dataloader, load_text
from gpt_core.training import measure_loader, prepare_data, token_bytes
from gpt_core.training.evaluation import generate_sample
from gpt_core.training.exact_match import count_exact
from gpt_core.vocabularies import learn_vocabulary, read_vocabulary
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


def test_an_answer_is_exact_where_greedy_decoding_gives_it(tokenizer: tiktoken.Encoding) -> None:
    text = "aa=aa\nabc<cba\n12+34=46\nba>ab\n99+1=100\ncut"
    ids = torch.tensor([tokenizer.encode(text)])
    inputs, targets = ids[:, :-1], ids[:, 1:]
    # The first line may have begun before the window, and the last one has no end.
    assert count_exact(inputs, targets, targets, tokenizer) == (4, 4)
    ends = torch.tensor([len(tokenizer.decode([i])) for i in ids[0].tolist()]).cumsum(0)
    for line, character, left in (
        ("abc<cba", 4, 3),  # in the answer
        ("12+34=46", 7, 3),
        ("ba>ab", 5, 3),  # the line break after it
        ("12+34=46", 1, 4),  # in the question, which nobody can foresee
        ("aa=aa", 4, 4),
    ):
        at = int((ends > text.index(line) + character).nonzero()[0])  # the token
        predicted = targets.clone()
        predicted[0, at - 1] = 0
        assert count_exact(inputs, targets, predicted, tokenizer) == (left, 4)


def test_only_a_text_of_tasks_has_exact_answers(tokenizer: tiktoken.Encoding) -> None:
    model = build_model(TINY, seed=1).eval()
    for name, has_answers in (("reverse", True), ("counting", False)):
        data = prepare_data(load_text(name).text[:20_000], tokenizer, TINY, TINY_TRAINING)
        measured = measure_loader(data.val_loader, model, "cpu", 2, tokenizer)
        assert measured.exact_match == (0 if has_answers else None)


def test_a_text_has_the_bytes_of_its_tokens(tokenizer: tiktoken.Encoding) -> None:
    text = "Ein Kätzchen, 貓, 🙂<|endoftext|>and more"
    ids = torch.tensor(tokenizer.encode(text, allowed_special="all"))
    assert token_bytes(tokenizer)[ids].sum() == len(text.encode("utf-8"))


def test_a_sample_ends_with_a_whole_character() -> None:
    tokenizer = read_vocabulary(learn_vocabulary("bytes", "", 0))
    model = build_model(replace(TINY, vocab_size=tokenizer.n_vocab), 123)
    with torch.no_grad():  # a model that always finds the same byte most probable
        for parameter in model.final_norm.parameters():
            parameter.zero_()
        model.final_norm.shift.fill_(1.0)
        model.out_head.weight.zero_()
        model.out_head.weight[0xE4] = 1.0  # with it "中" and others begin
    config = replace(TINY_TRAINING, vocabulary="bytes", start_context="中", sample_tokens=1)
    assert generate_sample(model, tokenizer, config) == "中"
    config = replace(config, sample_tokens=2)  # the first of them can be completed no more
    assert generate_sample(model, tokenizer, config) == "中\N{REPLACEMENT CHARACTER}"
