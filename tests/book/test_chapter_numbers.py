"""Every number that the chapter prints, from our code, to the printed digits.

Sections are those of the product's brief: the chapter's path from a text to a trained model.
"""

import math
import platform

import pytest
import tiktoken
import torch
import torch.nn.functional as F

from gpt_core.analysis import BOOK_RUN
from gpt_core.model import (
    GPTModel,
    LossWalkthrough,
    build_model,
    calc_loss_loader,
    count_parameters,
    generate,
    loss_walkthrough,
    perplexity,
)
from gpt_core.presets import GPT_CONFIG_124M, PRESETS
from gpt_core.records import EvaluationRecord
from gpt_core.text import split_text
from gpt_core.training import TrainingData, create_optimizer, prepare_data, train
from gpt_core.vocabularies import text_to_token_ids, token_ids_to_text

INPUTS = torch.tensor([[16833, 3626, 6100], [40, 1107, 588]])
TARGETS = torch.tensor([[3626, 6100, 345], [1107, 588, 11311]])


@pytest.fixture(scope="module")
def untrained() -> GPTModel:
    return build_model(GPT_CONFIG_124M, seed=123)


@pytest.fixture(scope="module")
def walk(untrained: GPTModel) -> LossWalkthrough:
    return loss_walkthrough(untrained, INPUTS, TARGETS)


# 1. Text → token IDs → text


def test_the_prompt_becomes_the_chapters_token_ids(tokenizer: tiktoken.Encoding) -> None:
    ids = text_to_token_ids("Every effort moves you", tokenizer)
    assert ids.tolist() == [[6109, 3626, 6100, 345]]
    assert token_ids_to_text(ids, tokenizer) == "Every effort moves you"


def test_end_of_text_is_the_largest_id(tokenizer: tiktoken.Encoding) -> None:
    assert text_to_token_ids("<|endoftext|>", tokenizer).tolist() == [[50256]]
    assert tokenizer.n_vocab == 50257


def test_the_untrained_model_writes_the_chapters_ten_tokens(
    untrained: GPTModel, tokenizer: tiktoken.Encoding
) -> None:
    ids = generate(untrained, text_to_token_ids("Every effort moves you", tokenizer), 10)
    new_ids = [34245, 5139, 2492, 25405, 17434, 17853, 5308, 3398, 13174, 43071]
    assert ids.tolist() == [[6109, 3626, 6100, 345, *new_ids]]
    assert token_ids_to_text(ids, tokenizer) == (
        "Every effort moves you rentingetic wasnم refres RexMeCHicular stren"
    )


# 2. Inputs and targets


def test_targets_are_the_inputs_one_token_later(tokenizer: tiktoken.Encoding) -> None:
    rows = ["every effort moves you", "I really like chocolate"]
    ids = torch.cat([text_to_token_ids(row, tokenizer) for row in rows])
    assert torch.equal(ids[:, :-1], INPUTS)
    assert torch.equal(ids[:, 1:], TARGETS)
    assert token_ids_to_text(TARGETS[0], tokenizer) == " effort moves you"
    assert token_ids_to_text(TARGETS[1], tokenizer) == " really like chocolate"


# 3. The model's answer


def test_logits_softmax_and_argmax(walk: LossWalkthrough, tokenizer: tiktoken.Encoding) -> None:
    assert walk.logits.shape == (2, 3, 50257)
    assert walk.probas.shape == (2, 3, 50257)
    assert torch.allclose(walk.probas.sum(-1), torch.ones(2, 3))
    assert walk.predicted_ids.tolist() == [[16657, 339, 42826], [49906, 29669, 41751]]
    assert token_ids_to_text(walk.predicted_ids[0], tokenizer) == " Armed heNetflix"


# 4. The six target probabilities


def test_the_six_target_probabilities(walk: LossWalkthrough) -> None:
    printed = [[f"{p:.3e}" for p in row] for row in walk.target_probas.tolist()]
    assert printed == [
        ["7.454e-05", "3.106e-05", "1.156e-05"],
        ["1.034e-05", "5.678e-05", "4.756e-06"],
    ]


# 5. Six steps to the loss


def test_six_steps_to_the_loss(walk: LossWalkthrough) -> None:
    logs = [f"{log:.4f}" for log in walk.log_probas.flatten().tolist()]
    assert logs == ["-9.5042", "-10.3796", "-11.3677", "-11.4798", "-9.7764", "-12.2561"]
    assert f"{walk.mean_log_proba:.4f}" == "-10.7940"
    assert f"{walk.loss:.4f}" == "10.7940"


def test_cross_entropy_gives_the_same_in_one_call(walk: LossWalkthrough) -> None:
    logits, targets = walk.logits.flatten(0, 1), TARGETS.flatten()
    assert logits.shape == (6, 50257)
    assert targets.shape == (6,)
    assert f"{F.cross_entropy(logits, targets):.4f}" == "10.7940"


def test_the_loss_is_minus_the_mean_of_six_logs(walk: LossWalkthrough) -> None:
    p11, p12, p13, p21, p22, p23 = walk.target_probas.flatten().tolist()
    logs = [math.log(p) for p in (p11, p12, p13, p21, p22, p23)]
    assert -sum(logs) / 6 == pytest.approx(walk.loss.item(), abs=1e-5)


# 6. Perplexity


def test_perplexity_is_about_that_of_a_uniform_guess(walk: LossWalkthrough) -> None:
    assert walk.perplexity == pytest.approx(48_725.9, abs=1)
    assert walk.perplexity == perplexity(walk.loss)
    assert f"{math.log(50257):.3f}" == "10.825"
    assert perplexity(math.log(50257)) == pytest.approx(50257)


def test_124m_has_162_million_parameters_with_its_untied_head(untrained: GPTModel) -> None:
    assert count_parameters(untrained) == 162_419_712


# 9. The data set


@pytest.fixture(scope="module")
def data(verdict: str, tokenizer: tiktoken.Encoding) -> TrainingData:
    return prepare_data(verdict, tokenizer, GPT_CONFIG_124M, PRESETS["book-124m"].training)


def test_the_verdicts_characters_and_tokens(verdict: str, tokenizer: tiktoken.Encoding) -> None:
    assert len(verdict) == 20_479
    assert text_to_token_ids(verdict, tokenizer).shape == (1, 5_145)
    assert [len(part) for part in split_text(verdict, 0.9)] == [18_431, 2_048]


def test_nine_training_batches_and_one_validation_batch(data: TrainingData) -> None:
    for loader, batches, tokens in ((data.train_loader, 9, 4_608), (data.val_loader, 1, 512)):
        shapes = [(inputs.shape, targets.shape) for inputs, targets in loader]
        assert shapes == [((2, 256), (2, 256))] * batches
        assert sum(inputs.numel() for inputs, _ in loader) == tokens


@pytest.mark.slow
def test_the_untrained_losses(untrained: GPTModel, data: TrainingData) -> None:
    with torch.no_grad():
        train_loss = calc_loss_loader(data.train_loader, untrained, "cpu")
        val_loss = calc_loss_loader(data.val_loader, untrained, "cpu")
    # Six decimals on the machine that they were printed on; elsewhere the last one may differ by
    # one or two, as the order in which a product is summed up is the CPU's choice.
    assert train_loss == pytest.approx(10.987583, abs=2.5e-6)
    assert val_loss == pytest.approx(10.981106, abs=2.5e-6)


# 10. The training loop, in float32 on a CPU


def check_against_the_book(verdict: str, tokenizer: tiktoken.Encoding, last_step: int) -> None:
    preset = PRESETS["book-124m"]
    data = prepare_data(verdict, tokenizer, preset.model, preset.training)
    torch.manual_seed(preset.training.seed)
    model = GPTModel(preset.model)
    optimizer = create_optimizer(model, preset.training)
    seen = []
    for record in train(
        model, data.train_loader, data.val_loader, optimizer, tokenizer, preset.training
    ):
        if isinstance(record, EvaluationRecord):
            seen.append(record.global_step)
            expected = BOOK_RUN.losses[record.global_step]
            assert (record.train_loss, record.val_loss) == pytest.approx(expected, abs=0.01)
        if record.global_step == last_step:
            break
    assert seen == [step for step in BOOK_RUN.losses if step <= last_step]


X86_64 = platform.machine() in ("x86_64", "AMD64")


@pytest.mark.slow
@pytest.mark.skipif(not X86_64, reason="dropout is drawn differently on this kind of CPU")
def test_the_books_log_at_labels_0_and_5(verdict: str, tokenizer: tiktoken.Encoding) -> None:
    # Label 5 is evaluated after its step: pulling on to step 6 brings it.
    check_against_the_book(verdict, tokenizer, last_step=6)


@pytest.mark.slow
@pytest.mark.whole_run
@pytest.mark.skipif(not X86_64, reason="dropout is drawn differently on this kind of CPU")
def test_the_books_whole_log(verdict: str, tokenizer: tiktoken.Encoding) -> None:
    check_against_the_book(verdict, tokenizer, last_step=90)
