import math
from dataclasses import replace

import pytest
import tiktoken
import torch

from gpt_core.analysis.reference_runs import BAND
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import GPTModel, build_model, check_device, generate
from gpt_core.records import EvaluationRecord, ProbeRecord, Record, SampleRecord, StepRecord
from gpt_core.text import DEFAULT_TEXT, load_text
from gpt_core.training import (
    PROBE_TOKENS,
    accumulate_gradients,
    create_optimizer,
    evaluate_model,
    learning_rate_at,
    prepare_data,
    train,
    window_beginnings,
    with_text_probe,
)
from gpt_core.training.gradients import clip_gradients
from gpt_core.vocabularies import text_to_token_ids
from tests.conftest import TINY, TINY_TRAINING


def run(tokenizer: tiktoken.Encoding, config: TrainingConfig = TINY_TRAINING) -> list[Record]:
    data = prepare_data(load_text("counting").text, tokenizer, TINY, config)
    torch.manual_seed(config.seed)
    model = GPTModel(TINY)
    optimizer = create_optimizer(model, config)
    return list(train(model, data.train_loader, data.val_loader, optimizer, tokenizer, config))


def test_records_come_in_the_order_of_the_chapters_print_outs(
    tokenizer: tiktoken.Encoding,
) -> None:
    records = run(tokenizer)
    steps = [r for r in records if isinstance(r, StepRecord)]
    evaluations = [r for r in records if isinstance(r, EvaluationRecord)]
    samples = [r for r in records if isinstance(r, SampleRecord)]
    probes = [r for r in records if isinstance(r, ProbeRecord)]

    assert [r.global_step for r in steps] == list(range(len(steps)))
    assert [r.tokens_seen for r in steps] == [64 * (i + 1) for i in range(len(steps))]
    assert [r.global_step for r in evaluations] == list(range(0, len(steps), 5))
    assert [(r.global_step, r.probe) for r in probes] == [
        (r.global_step, probe) for r in evaluations for probe in (0, 1)
    ]
    assert [r.epoch for r in samples] == [1, 2]
    assert samples[-1].global_step == steps[-1].global_step
    assert isinstance(records[0], StepRecord)
    assert isinstance(records[1], EvaluationRecord)
    assert records[-1] is samples[-1]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_generator_of_its_own_gives_the_records_of_the_global_one(
    precision: str, tokenizer: tiktoken.Encoding
) -> None:
    """Initial weights, order of batches and dropout, over the end of an epoch."""
    config = replace(TINY_TRAINING, precision=precision)
    as_in_the_chapter = run(tokenizer, config)
    state = torch.get_rng_state()
    generator = torch.Generator()
    data = prepare_data(load_text("counting").text, tokenizer, TINY, config, generator=generator)
    model = build_model(TINY, config.seed, generator)
    optimizer = create_optimizer(model, config)
    loaders = (data.train_loader, data.val_loader)
    assert list(train(model, *loaders, optimizer, tokenizer, config)) == as_in_the_chapter
    assert torch.equal(torch.get_rng_state(), state)  # untouched


@pytest.mark.slow
def test_the_model_learns(tokenizer: tiktoken.Encoding) -> None:
    config = replace(TINY_TRAINING, num_epochs=6, learning_rate=5e-3)
    evaluations = [r for r in run(tokenizer, config) if isinstance(r, EvaluationRecord)]
    assert evaluations[-1].train_loss < 0.3 * evaluations[0].train_loss
    assert evaluations[-1].val_loss < 0.5 * evaluations[0].val_loss


@pytest.mark.slow
def test_the_same_seed_gives_the_same_records_and_another_seed_others(
    tokenizer: tiktoken.Encoding,
) -> None:
    first = run(tokenizer)
    assert run(tokenizer) == first
    assert run(tokenizer, replace(TINY_TRAINING, seed=7)) != first


@pytest.mark.slow
def test_what_is_asked_for_beside_a_run_does_not_change_its_losses(
    tokenizer: tiktoken.Encoding,
) -> None:
    """Between any two records: a model built, a text drawn, another corpus prepared."""
    undisturbed = run(tokenizer)
    data = prepare_data(load_text("counting").text, tokenizer, TINY, TINY_TRAINING)
    torch.manual_seed(TINY_TRAINING.seed)
    model = GPTModel(TINY)
    optimizer = create_optimizer(model, TINY_TRAINING)
    disturbed = []
    for record in train(
        model, data.train_loader, data.val_loader, optimizer, tokenizer, TINY_TRAINING
    ):
        disturbed.append(record)
        display = build_model(TINY, seed=1)
        prompt = text_to_token_ids("one", tokenizer)
        generate(display, prompt, 2, 1.0, generator=torch.Generator().manual_seed(1))
        prepare_data(load_text("days-of-the-week").text, tokenizer, TINY, TINY_TRAINING)
    assert disturbed == undisturbed


@pytest.mark.slow
def test_probes_follow_the_target_probabilities_through_a_run(
    tokenizer: tiktoken.Encoding,
) -> None:
    config = replace(TINY_TRAINING, num_epochs=6, learning_rate=5e-3)
    config = replace(config, probes=("one, two, three", "I really like chocolate"))
    probes = [r for r in run(tokenizer, config) if isinstance(r, ProbeRecord)]
    learnt, not_learnt = ([r for r in probes if r.probe == i] for i in (0, 1))
    assert len(learnt[0].target_probas) == len(tokenizer.encode("one, two, three")) - 1
    assert len(not_learnt[0].target_probas) == len(not_learnt[0].predicted_ids) == 3
    first, last = learnt[0], learnt[-1]
    assert -sum(math.log(p) for p in last.target_probas) / 4 == pytest.approx(last.loss, abs=1e-4)
    assert last.loss < 0.5 * first.loss
    assert not_learnt[-1].loss > 1.5 * last.loss


@pytest.mark.slow
def test_probes_do_not_change_a_runs_losses(tokenizer: tiktoken.Encoding) -> None:
    without = run(tokenizer, replace(TINY_TRAINING, probes=()))
    assert [r for r in run(tokenizer) if not isinstance(r, ProbeRecord)] == without


@pytest.mark.parametrize("probe", ["one", "one " * 40])
def test_a_probe_without_a_next_token_or_too_long_is_refused(
    probe: str, tokenizer: tiktoken.Encoding
) -> None:
    with pytest.raises(ValueError, match=r"The probe 'one.* tokens?: give it 2 to 33"):
        run(tokenizer, replace(TINY_TRAINING, probes=(probe,)))


def test_a_sample_is_the_start_and_its_greedy_continuation(tokenizer: tiktoken.Encoding) -> None:
    config = replace(TINY_TRAINING, start_context="Count from three:", sample_tokens=7)
    sample = run(tokenizer, config)[-1]
    assert isinstance(sample, SampleRecord)
    assert sample.start_context == "Count from three:"
    assert sample.text.startswith("Count from three:")
    prompt_tokens = len(tokenizer.encode("Count from three:"))
    assert len(tokenizer.encode(sample.text)) <= prompt_tokens + 7


@pytest.mark.slow
def test_bfloat16_learns_as_float32_does_with_float32_weights(
    tokenizer: tiktoken.Encoding,
) -> None:
    exact = [r.train_loss for r in run(tokenizer) if isinstance(r, EvaluationRecord)]
    reduced_config = replace(TINY_TRAINING, precision="bfloat16")
    reduced = [
        r.train_loss for r in run(tokenizer, reduced_config) if isinstance(r, EvaluationRecord)
    ]
    assert reduced == pytest.approx(exact, abs=0.1)
    assert reduced != exact


def test_a_text_too_short_is_refused_before_anything_is_built(tokenizer: tiktoken.Encoding) -> None:
    with pytest.raises(ValueError, match="too short for context_length=32"):
        prepare_data("A short text.", tokenizer, TINY, TINY_TRAINING)


def test_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    check_device("cpu")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ValueError, match=r"device='cuda' is not available.*choose cpu"):
        check_device("cuda")


@pytest.mark.parametrize("broken", ["loss", "gradient"])
def test_a_loss_or_gradient_that_is_not_finite_ends_it_before_the_update(
    broken: str, tokenizer: tiktoken.Encoding
) -> None:
    config = replace(TINY_TRAINING, learning_rate=0.01)
    data = prepare_data(load_text("counting").text, tokenizer, TINY, config)
    torch.manual_seed(config.seed)
    model = GPTModel(TINY)
    optimizer = create_optimizer(model, config)
    records = train(model, data.train_loader, data.val_loader, optimizer, tokenizer, config)
    while not isinstance(record := next(records), StepRecord) or record.global_step < 1:
        pass
    if broken == "loss":
        with torch.no_grad():
            model.final_norm.scale[0] = torch.nan
    else:
        model.tok_emb.weight.register_hook(lambda grad: grad * torch.inf)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(
        FloatingPointError, match=r"Step 2: the loss is .* gradient norm .* learning_rate=0\.01"
    ):
        next(records)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) or value.isnan().any(), name


def test_an_evaluation_that_is_not_finite_is_an_error_in_words(
    tokenizer: tiktoken.Encoding,
) -> None:
    data = prepare_data(load_text("counting").text, tokenizer, TINY, TINY_TRAINING)
    model = build_model(TINY, seed=1)
    with torch.no_grad():
        model.final_norm.scale[0] = torch.nan
    with pytest.raises(FloatingPointError, match=r"evaluation's losses are nan and nan"):
        evaluate_model(model, data.train_loader, data.val_loader, "cpu", 1, tokenizer)


def test_a_model_on_another_device_than_the_configuration_says_is_refused(
    tokenizer: tiktoken.Encoding,
) -> None:
    data = prepare_data(load_text("counting").text, tokenizer, TINY, TINY_TRAINING)
    with torch.device("meta"):
        model = GPTModel(TINY)
    optimizer = create_optimizer(model, TINY_TRAINING)
    loaders = (data.train_loader, data.val_loader)
    with pytest.raises(ValueError, match="The model is on meta, but device='cpu'"):
        next(train(model, *loaders, optimizer, tokenizer, TINY_TRAINING))


@pytest.mark.slow
def test_in_bfloat16_a_run_ends_near_float32_and_stays_in_the_band(
    tokenizer: tiktoken.Encoding,
) -> None:
    small = GPTConfig(context_length=64, emb_dim=64, n_heads=4, n_layers=2)
    text = load_text(DEFAULT_TEXT).text[:12_000]
    curves = {}
    for precision in ("float32", "bfloat16"):
        config = TrainingConfig(num_epochs=3, learning_rate=2e-3, precision=precision)
        data = prepare_data(text, tokenizer, small, config)
        torch.manual_seed(123)
        model = GPTModel(small)
        records = train(
            model,
            data.train_loader,
            data.val_loader,
            create_optimizer(model, config),
            tokenizer,
            config,
        )
        curves[precision] = [r for r in records if isinstance(r, EvaluationRecord)]
    pairs = list(zip(curves["float32"], curves["bfloat16"], strict=True))
    assert all(abs(a.train_loss - b.train_loss) < BAND.train_loss for a, b in pairs)
    assert all(abs(a.val_loss - b.val_loss) < BAND.val_loss for a, b in pairs)
    last = pairs[-1]
    assert last[0].train_loss < pairs[0][0].train_loss - 2  # both have learnt
    assert abs(last[0].val_loss - last[1].val_loss) < 0.1
    assert curves["float32"] != curves["bfloat16"]  # and it was not float32 twice


def test_a_probe_from_the_text_is_the_readable_beginning_of_a_window(
    tokenizer: tiktoken.Encoding,
) -> None:
    text = load_text("the-lamp-room").text
    config = with_text_probe(TINY_TRAINING, text, tokenizer, 64)
    *others, probe = config.probes
    assert others == list(TINY_TRAINING.probes)
    assert probe.startswith(" ")  # a whole word
    assert "\n" not in probe
    windows = prepare_data(text, tokenizer, replace(TINY, context_length=64), config)
    beginnings = [
        inputs[:PROBE_TOKENS].tolist()
        for inputs, _ in windows.train_loader.dataset  # type: ignore[attr-defined]
    ]
    assert text_to_token_ids(probe, tokenizer)[0, :-1].tolist() in beginnings
    found = window_beginnings(config, text, tokenizer, 64)
    assert probe in found
    assert " of the" not in found
    assert with_text_probe(config, text, tokenizer, 64) == config  # added once


def test_a_probe_from_the_text_is_predicted_as_it_is_in_its_window(
    tokenizer: tiktoken.Encoding,
) -> None:
    """The same words at other positions are predicted otherwise."""
    text = load_text("the-lamp-room").text
    config = with_text_probe(TINY_TRAINING, text, tokenizer, TINY.context_length)
    data = prepare_data(text, tokenizer, TINY, config)
    model = build_model(TINY, seed=1)
    ids = text_to_token_ids(config.probes[-1], tokenizer)[:, :-1]  # (1, T)
    [window] = [
        inputs
        for inputs, _ in data.train_loader.dataset  # type: ignore[attr-defined]
        if inputs[: ids.shape[1]].tolist() == ids[0].tolist()
    ]
    with torch.no_grad():
        in_its_window = model(window.long().unsqueeze(0))[:, : ids.shape[1]]  # (1, T, vocab_size)
        torch.testing.assert_close(model(ids), in_its_window, atol=1e-5, rtol=1e-5)
        later = model(window[1:].long().unsqueeze(0))[:, : ids.shape[1] - 1]
        assert not torch.allclose(later, in_its_window[:, 1:], atol=1e-2)


@pytest.mark.parametrize("text", ["नमस्ते दुनिया यह एक परीक्षण है " * 3, "👩‍👩‍👧‍👦" * 9, "word"])
def test_a_probe_is_never_cut_within_a_character(text: str, tokenizer: tiktoken.Encoding) -> None:
    probes = with_text_probe(TINY_TRAINING, text, tokenizer, 4).probes
    assert len(probes) == len(TINY_TRAINING.probes) + (text != "word")  # that has no window
    for probe in probes[len(TINY_TRAINING.probes) :]:
        assert probe in text
        assert 2 <= text_to_token_ids(probe, tokenizer).shape[1] <= 5


def test_several_batches_give_the_gradients_of_one_large_one() -> None:
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(0, 50257, (6, 17), generator=generator)
    config = replace(TINY_TRAINING, accumulation_steps=3)
    together = build_model(TINY, seed=1).eval()  # dropout off, so that both see the same
    apart = build_model(TINY, seed=1).eval()
    whole = accumulate_gradients([(ids[:, :-1], ids[:, 1:])], together, config)
    parts = [(rows[:, :-1], rows[:, 1:]) for rows in ids.split(2)]
    loss = accumulate_gradients(parts, apart, config)
    assert loss.item() == pytest.approx(whole.item(), rel=1e-6)
    for one, other in zip(together.parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-7)


def test_clipped_gradients_are_those_of_pytorch() -> None:
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(0, 50257, (2, 17), generator=generator)
    ours, theirs = build_model(TINY, seed=1).eval(), build_model(TINY, seed=1).eval()
    for model in (ours, theirs):
        accumulate_gradients([(ids[:, :-1], ids[:, 1:])], model, TINY_TRAINING)
    norm = torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.1).item()
    assert norm > 0.1
    clip_gradients(ours, 0.1, norm)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    before = [p.grad.clone() for p in ours.parameters() if p.grad is not None]
    clip_gradients(ours, 1.0, 0.1)  # within the norm: not touched
    assert all(map(torch.equal, before, (p.grad for p in ours.parameters() if p.grad is not None)))


@pytest.mark.slow
def test_accumulated_steps_count_every_batch_and_the_rest_of_an_epoch(
    tokenizer: tiktoken.Encoding,
) -> None:
    plain = [r for r in run(tokenizer) if isinstance(r, StepRecord)]
    config = replace(TINY_TRAINING, accumulation_steps=4)
    steps = [r for r in run(tokenizer, config) if isinstance(r, StepRecord)]
    per_epoch = len(plain) // 2
    assert per_epoch % 4  # so that there is a rest
    assert len(steps) == 2 * math.ceil(per_epoch / 4)
    assert steps[0].tokens_seen == 4 * 64
    assert steps[-1].tokens_seen == plain[-1].tokens_seen


def test_the_recorded_learning_rate_is_that_of_the_schedule(tokenizer: tiktoken.Encoding) -> None:
    config = replace(TINY_TRAINING, schedule="cosine", warmup_steps=3, min_learning_rate=1e-5)
    steps = [r for r in run(tokenizer, config) if isinstance(r, StepRecord)]
    rates = [learning_rate_at(i, len(steps), config) for i in range(len(steps))]
    assert [r.learning_rate for r in steps] == rates
    assert rates[-1] == pytest.approx(1e-5)


@pytest.mark.slow
def test_no_setting_of_the_optimizer_that_is_off_changes_a_loss(
    tokenizer: tiktoken.Encoding,
) -> None:
    plain = [r.loss for r in run(tokenizer) if isinstance(r, StepRecord)]
    config = replace(TINY_TRAINING, max_grad_norm=1000.0, min_learning_rate=1e-6)
    assert [r.loss for r in run(tokenizer, config) if isinstance(r, StepRecord)] == plain


def test_a_vocabulary_smaller_than_the_tokenizers_is_refused(tokenizer: tiktoken.Encoding) -> None:
    small = replace(TINY, vocab_size=50000)
    with pytest.raises(ValueError, match="vocab_size=50000 is too small"):
        prepare_data(load_text("counting").text, tokenizer, small, TINY_TRAINING)
