"""A checkpoint's weights: taken away in each form, deleted, and the page that offers both."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tiktoken
import torch
from transformers import GPT2LMHeadModel, pipeline

from gpt_core.export import WEIGHT_FORMS, weights_zip
from gpt_core.model import generate
from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import load_text
from gpt_core.vocabularies import text_to_token_ids, token_ids_to_text
from gpt_core.weights import load_gpt2, load_weights
from tests.conftest import TINY, TINY_TRAINING

IDS = torch.randint(0, 50257, (1, 20), generator=torch.Generator().manual_seed(5))
PRESET = Preset("pocket", "Two layers.", TINY, TINY_TRAINING)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunStore]:
    store = RunStore(tmp_path_factory.mktemp("runs"))
    runner = TrainingRunner(store, threads=1)
    runner.start(
        PRESET,
        load_text("counting"),
        replace(TINY_TRAINING, num_epochs=1),
        run_id="run",
        actor="local",
    )
    assert runner.wait("run", 60)
    runner.close()
    yield store
    store.close()


def unpack(data: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(folder)
    return folder


def test_our_own_form_comes_back_bit_by_bit(store: RunStore, tmp_path: Path) -> None:
    for row in store.checkpoints("run"):  # the whole one too: without its optimizer
        folder = unpack(weights_zip(store, row, "ours", actor="local"), tmp_path / str(row.id))
        assert sorted(p.name for p in folder.iterdir()) == ["model.safetensors", "state.json"]
        kept = load_weights(store.runs_dir / row.folder).state_dict()
        for name, tensor in load_weights(folder).state_dict().items():
            assert torch.equal(tensor, kept[name]), name


def test_transformers_reads_the_other_form_with_the_same_logits(
    store: RunStore, tmp_path: Path
) -> None:
    row = store.checkpoints("run")[-1]
    folder = unpack(weights_zip(store, row, "gpt2", actor="local"), tmp_path)
    ours = load_weights(store.runs_dir / row.folder)
    theirs = GPT2LMHeadModel.from_pretrained(folder).eval()
    with torch.no_grad():
        torch.testing.assert_close(ours(IDS), theirs(IDS).logits, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(ours(IDS), load_gpt2(folder)(IDS))


def test_a_pipeline_of_transformers_writes_from_the_folder_what_greedy_decoding_writes(
    store: RunStore, tokenizer: tiktoken.Encoding, tmp_path: Path
) -> None:
    row = store.checkpoints("run")[-1]
    folder = unpack(weights_zip(store, row, "gpt2", actor="local"), tmp_path)
    model = load_weights(store.runs_dir / row.folder)
    write = pipeline("text-generation", model=str(folder))
    for prompt in ("Every effort moves you", "one two three", "Ünïcode — 字"):
        ids = text_to_token_ids(prompt, tokenizer)
        ours = token_ids_to_text(generate(model, ids, 12), tokenizer)
        [theirs] = write(prompt, max_new_tokens=12, do_sample=False)
        assert theirs["generated_text"] == ours != prompt
    [alone] = write("one two three")  # it samples, and ends with the context instead of failing
    assert alone["generated_text"].startswith("one two three")


def test_a_checkpoint_that_is_gone_or_damaged_is_refused_in_words(
    store: RunStore, tmp_path: Path
) -> None:
    row = store.checkpoints("run")[0]
    for form in WEIGHT_FORMS:
        with pytest.raises(ValueError, match=r"no longer exists|cannot be read"):
            weights_zip(store, replace(row, folder="checkpoints/run/nowhere"), form, actor="local")
