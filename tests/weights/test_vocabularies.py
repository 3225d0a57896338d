"""Foreign models with a tokenizer.json beside their weights."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gpt_core.model import build_model
from gpt_core.text import load_text
from gpt_core.vocabularies import learn_vocabulary, read_vocabulary, tokenizer_files
from gpt_core.weights import WEIGHTS_FILE, export_gpt2, read_model
from tests.conftest import TINY

VOCABULARY = learn_vocabulary("bpe", load_text("counting").text, 300)


def exported(folder: Path, rows: int = 300, vocabulary: str = VOCABULARY) -> Path:
    """A folder of a GPT-2 with so many rows of embedding."""
    model = build_model(replace(TINY, vocab_size=rows), seed=3)
    model.vocabulary = vocabulary
    export_gpt2(model, folder)
    return folder


def test_rows_of_padding_are_left_out(tmp_path: Path) -> None:
    exported(tmp_path, rows=320)
    loaded = read_model(tmp_path)
    assert loaded.model.config.vocab_size == 300
    assert loaded.model.vocabulary == VOCABULARY
    assert loaded.notes == ("The vocabulary's 20 rows of padding are left out.",)
    rows = load_file(tmp_path / WEIGHTS_FILE)["transformer.wte.weight"]
    assert torch.equal(loaded.model.tok_emb.weight, rows[:300])


@pytest.mark.parametrize("rows", [299, 5000])
def test_a_tokenizer_of_another_size_is_refused(rows: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"has {rows:,} tokens, its tokenizer 300"):
        read_model(exported(tmp_path, rows=rows))


def test_the_books_format_takes_it_too(tmp_path: Path) -> None:
    model = build_model(replace(TINY, vocab_size=300), seed=3)
    save_file(model.state_dict(), tmp_path / WEIGHTS_FILE)
    (tmp_path / "tokenizer.json").write_bytes(VOCABULARY.encode())
    loaded = read_model(tmp_path, n_heads=TINY.n_heads)
    assert loaded.model.vocabulary == VOCABULARY
    assert torch.equal(loaded.model.out_head.weight, model.out_head.weight)


def test_an_unusable_tokenizer_is_refused_unless_the_size_is_gpt2s(tmp_path: Path) -> None:
    other = json.loads(VOCABULARY)
    other["normalizer"] = {"type": "NFC"}
    folder = exported(tmp_path / "own")
    (folder / "tokenizer.json").write_text(json.dumps(other))
    with pytest.raises(ValueError, match=r"tokenizer\.json cannot be used: only byte-level BPE"):
        read_model(folder)
    folder = exported(tmp_path / "gpt2", rows=50257, vocabulary="")
    assert read_model(folder).notes == ()
    (folder / "tokenizer.json").write_text(json.dumps(other))
    loaded = read_model(folder)
    assert loaded.model.vocabulary == ""
    assert "GPT-2's vocabulary is assumed: tokenizer.json cannot be used" in loaded.notes[0]


def test_gpt2s_own_tokenizer_is_no_vocabulary_of_its_own(tmp_path: Path) -> None:
    folder = exported(tmp_path, rows=50257, vocabulary="")
    assert (folder / "tokenizer.json").read_text() == tokenizer_files(32)["tokenizer.json"]
    assert read_model(folder).model.vocabulary == ""


def test_the_end_of_text_of_the_vocabulary_is_stated_for_transformers(tmp_path: Path) -> None:
    folder = exported(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    end = read_vocabulary(VOCABULARY).eot_token
    assert config["bos_token_id"] == config["eos_token_id"] == end == 299
