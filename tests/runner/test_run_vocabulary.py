"""A run with a vocabulary of its own: trained, resumed, exported, brought in again."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, GPT2LMHeadModel

from gpt_core.analysis import CachedStore
from gpt_core.export import export_runs, import_recording, weights_zip
from gpt_core.library import ModelLibrary, delete_run
from gpt_core.model import build_model, generate
from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import Corpus, load_text
from gpt_core.vocabularies import (
    encode_corpus,
    learn_vocabulary,
    read_vocabulary,
    run_tokenizer,
    text_to_token_ids,
    vocabulary_sha256,
)
from gpt_core.weights import InitialWeights, load_weights, read_model, save_weights
from tests.conftest import TINY, TINY_TRAINING
from tests.support.notebooks import run_notebook
from tests.support.runs import everything, wait_for_steps

TEXT = load_text("counting")
SIZES = {"characters": 50257, "bytes": 50257, "bpe": 300}


def preset(kind: str, **settings: object) -> Preset:
    shape = replace(TINY, vocab_size=SIZES.get(kind, 50257))
    training = replace(TINY_TRAINING, num_epochs=1, vocabulary=kind, **settings)
    return Preset("tiny", "Two layers.", shape, training)


def finish(runner: TrainingRunner, chosen: Preset, **options: object) -> str:
    run_id = runner.start(chosen, TEXT, actor="local", **options)
    assert runner.wait(run_id, 60)
    return run_id


# What BPE shows holds for the others, whose vocabularies are simpler.
KINDS = [
    kind if kind == "bpe" else pytest.param(kind, marks=pytest.mark.whole_run) for kind in SIZES
]


@pytest.fixture(scope="module", params=KINDS)
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunStore, TrainingRunner]]:
    """A store with one finished run, "run"."""
    store = RunStore(tmp_path_factory.mktemp("runs"))
    runner = TrainingRunner(store, threads=1)
    finish(runner, preset(request.param), run_id="run")
    yield store, runner
    runner.close()
    store.close()


def test_its_vocabulary_is_on_record_and_the_model_has_its_size(trained) -> None:
    store, _ = trained
    run = store.run("run")
    tokenizer = run_tokenizer(store, run)
    kind = run.training_config.vocabulary
    assert tokenizer.name == kind
    assert run.model_config.vocab_size == tokenizer.n_vocab == SIZES[kind] or kind != "bpe"
    training_text = TEXT.text[: int(0.9 * len(TEXT.text))]
    assert run.train_tokens == len(encode_corpus(training_text, tokenizer))
    learnt = learn_vocabulary(kind, training_text, SIZES[kind])
    assert store.vocabulary(run.vocabulary_sha256) == learnt


def test_its_samples_and_probes_are_read_with_it(trained) -> None:
    store, _ = trained
    run = store.run("run")
    tokenizer = run_tokenizer(store, run)
    [sample] = CachedStore(store).history("run").recorded.samples
    assert sample.copying.tokens == text_to_token_ids(sample.text, tokenizer).shape[1]
    assert sample.copying.at_least == (5 if tokenizer.name == "bpe" else 20)
    for probe in store.probes("run"):
        text = run.training_config.probes[probe.probe]
        length = text_to_token_ids(text, tokenizer).shape[1]
        assert len(probe.target_probas) == len(probe.predicted_ids) == length - 1
        assert max(probe.predicted_ids) < tokenizer.n_vocab


def test_each_checkpoint_has_it_and_the_library_takes_it_up(trained, tmp_path: Path) -> None:
    store, runner = trained
    run = store.run("run")
    vocabulary = store.vocabulary(run.vocabulary_sha256)
    for row in store.checkpoints("run"):
        folder = store.runs_dir / row.folder
        assert load_weights(folder).vocabulary == vocabulary
        assert (folder / "tokenizer.json").read_bytes().decode() == vocabulary
    row = store.checkpoints("run")[-1]
    archive = tmp_path / "ours.zip"
    archive.write_bytes(weights_zip(store, row, "ours", actor="local"))
    loaded = read_model(archive)
    assert (loaded.model.vocabulary, loaded.notes) == (vocabulary, ())
    library = ModelLibrary(store)
    entry = library.keep(loaded.model, "Mine", actor="local")
    kept = library.load(entry.key, actor="local")
    assert kept.vocabulary == vocabulary
    assert runner.wait("run")


def test_transformers_reads_model_and_tokenizer_and_they_come_in_again(
    trained, tmp_path: Path
) -> None:
    store, _ = trained
    row = store.checkpoints("run")[-1]
    with zipfile.ZipFile(io.BytesIO(weights_zip(store, row, "gpt2", actor="local"))) as archive:
        archive.extractall(tmp_path)
    ours = load_weights(store.runs_dir / row.folder)
    tokenizer = read_vocabulary(ours.vocabulary)
    their_tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    theirs = GPT2LMHeadModel.from_pretrained(tmp_path).eval()
    ids = text_to_token_ids("one two three, four 中", tokenizer)  # (1, T)
    assert their_tokenizer("one two three, four 中")["input_ids"] == ids[0].tolist()
    assert theirs.config.eos_token_id == their_tokenizer.eos_token_id == tokenizer.eot_token
    with torch.no_grad():
        torch.testing.assert_close(ours(ids), theirs(ids).logits, atol=1e-4, rtol=1e-4)
    again = read_model(tmp_path)
    assert again.model.vocabulary == ours.vocabulary
    assert again.notes == ()
    for name, weight in ours.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], weight), name
    assert torch.equal(generate(again.model, ids, 5), generate(ours, ids, 5))


def test_the_recording_brings_it_along(trained, tmp_path: Path) -> None:
    store, _ = trained
    _, recording = export_runs(store, [store.run("run")], "record", actor="local")
    other = RunStore(tmp_path)
    import_recording(other, recording.decode())
    run = other.run("run")
    assert run == replace(store.run("run"), state_actor=run.state_actor)
    assert other.vocabulary(run.vocabulary_sha256) == store.vocabulary(run.vocabulary_sha256)
    assert everything(other, "run") == everything(store, "run")
    delete_run(other, "run", actor="local")
    with pytest.raises(ValueError, match="vocabulary is missing"):
        RunStore(tmp_path).vocabulary(run.vocabulary_sha256)  # no run needs it
    facts = json.loads(recording)
    facts["vocabulary"] = "{}"
    with pytest.raises(ValueError, match="not a recording"):
        import_recording(other, json.dumps(facts))
    other.close()


def test_the_notebook_repeats_the_run(trained, tmp_path: Path) -> None:
    store, _ = trained
    _, notebook = export_runs(store, [store.run("run")], "notebook", actor="local")
    printed = "\n".join(run_notebook(notebook, tmp_path).values())
    assert "Largest difference from the recorded run: 0" in printed


def test_weights_go_on_with_their_vocabulary_alone(trained, tmp_path: Path) -> None:
    store, runner = trained
    kind = store.run("run").training_config.vocabulary
    model = load_weights(store.runs_dir / store.checkpoints("run")[-1].folder)
    initial = InitialWeights("The first run's", model)
    chosen = preset(kind)
    chosen = replace(chosen, model=initial.config(chosen.model))
    other_text = Corpus("other", "Ünknown wörds 中文. " * 60)
    run_id = runner.start(chosen, other_text, initial=initial, actor="local")
    assert runner.wait(run_id, 60)
    run = store.run(run_id)
    assert run.state == "finished", run.message
    assert run.vocabulary_sha256 == store.run("run").vocabulary_sha256
    assert store.samples(run_id)
    with pytest.raises(ValueError, match=f"vocabulary=gpt2 does not fit .* {kind}: choose that"):
        runner.start(preset("gpt2"), TEXT, initial=initial, actor="local")
    exported = export_runs(store, [run], "notebook", actor="local")[1]
    first = weights_zip(store, store.checkpoints(run_id)[0], "ours", actor="local")
    (tmp_path / f"{run_id}-initial-ours.zip").write_bytes(first)
    printed = "\n".join(run_notebook(exported, tmp_path).values())
    assert "Largest difference from the recorded run: 0" in printed
    delete_run(store, run_id, actor="local")
    assert store.vocabulary(store.run("run").vocabulary_sha256)  # the other run has it


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_records_what_an_unbroken_one_does(
    kind: str, store: RunStore, runner: TrainingRunner
) -> None:
    chosen = preset(kind)
    chosen = replace(chosen, training=replace(chosen.training, num_epochs=3))
    whole = finish(runner, chosen, run_id="whole")
    runner.start(chosen, TEXT, run_id="broken", actor="local")
    wait_for_steps(store, "broken", 2)
    runner.pause("broken", actor="local").result(30)
    runner.close()
    assert store.run("broken").state == "interrupted"
    second_store = RunStore(store.runs_dir)
    second = TrainingRunner(second_store, threads=1)
    second.resume("broken", actor="local").result(30)
    assert second.wait("broken", 60)
    second.close()
    second_store.close()
    assert everything(store, "broken") == everything(store, whole)
    assert not any(row.message for row in store.transitions("broken") if "differs" in row.message)


def test_weights_with_another_size_and_no_tokenizer_are_refused_as_before(tmp_path: Path) -> None:
    save_weights(tmp_path / "model", build_model(replace(TINY, vocab_size=300), 1))
    with pytest.raises(ValueError, match="has 300 tokens, GPT-2's tokenizer 50,257"):
        read_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("kind", "size", "reason"),
    [
        ("bytes", 300, r"vocab_size=300 contradicts vocabulary=bytes, which has 257 tokens"),
        ("characters", 300, r"vocab_size=300 contradicts vocabulary=characters"),
        ("bpe", 257, "vocab_size=257 is out of range for vocabulary=bpe: choose 258 to 50257"),
        ("bpe", 50257, r"vocab_size=50257 is more than the text gives"),
        ("gpt2", 300, "vocab_size=300 is too small"),
    ],
)
def test_a_size_that_contradicts_the_vocabulary_is_refused(
    kind: str, size: int, reason: str, runner: TrainingRunner
) -> None:
    chosen = preset(kind)
    with pytest.raises(ValueError, match=reason):
        runner.start(
            replace(chosen, model=replace(chosen.model, vocab_size=size)), TEXT, actor="local"
        )


def test_equal_vocabularies_are_on_record_once_and_a_size_may_be_given(
    store: RunStore, runner: TrainingRunner
) -> None:
    chosen = preset("bytes")
    given = replace(chosen, model=replace(chosen.model, vocab_size=257))
    first, second = (store.run(finish(runner, p)) for p in (chosen, given))
    assert first.vocabulary_sha256 == second.vocabulary_sha256
    assert first.model_config == second.model_config
    assert first.vocabulary_sha256 == vocabulary_sha256(learn_vocabulary("bytes", "", 0))


def test_characters_that_only_the_validation_text_has_stop_no_run(
    store: RunStore, runner: TrainingRunner
) -> None:
    text = Corpus("two scripts", TEXT.text[:1500] + "中" * 100)
    chosen = preset("characters", start_context="中 é one")
    run_id = runner.start(chosen, text, actor="local")
    assert runner.wait(run_id, 60)
    assert store.run(run_id).state == "finished", store.run(run_id).message
    [sample] = store.samples(run_id)
    assert sample.text.startswith("<|unk|> <|unk|> one")
