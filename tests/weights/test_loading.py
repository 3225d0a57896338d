"""Weights from elsewhere and to elsewhere, against transformers and the book's own code."""

import json
import os
import pickle
import re
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from llms_from_scratch.ch04 import GPTModel as BookModel
from safetensors.torch import load_file, save_file
from transformers import GPT2LMHeadModel

from gpt_core.model import GPTModel, build_model, generate
from gpt_core.text import load_text
from gpt_core.training import create_optimizer, prepare_data, train
from gpt_core.vocabularies import get_tokenizer
from gpt_core.weights import export_gpt2, load_book_checkpoint, load_gpt2
from tests.conftest import TINY, TINY_TRAINING
from tests.support.foreign_weights import IDS, assert_same_logits, random_gpt2
from tests.support.paths import ROOT

WITH_BIAS = replace(TINY, qkv_bias=True)


@torch.no_grad()
def assert_equal(ours: GPTModel, theirs: GPT2LMHeadModel) -> None:
    assert_same_logits(ours, theirs)
    prompt = IDS[:1, :5]
    greedy = theirs.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=20, do_sample=False,
        pad_token_id=50256, eos_token_id=None,
    )  # fmt: skip
    assert torch.equal(generate(ours, prompt, 20), greedy)


@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": False}, {"n_head": 2}])
def test_a_gpt2_of_transformers_gives_the_same_logits_and_greedy_text_here(
    changes: dict, tmp_path: Path
) -> None:
    theirs = random_gpt2(tmp_path, **changes)
    ours = load_gpt2(tmp_path)
    assert (ours.config.n_heads, ours.config.context_length) == (changes.get("n_head", 4), 32)
    assert not ours.training
    assert_equal(ours, theirs)


def test_a_bare_transformers_names_and_a_file_without_its_config_are_known_too(
    tmp_path: Path,
) -> None:
    theirs = random_gpt2(tmp_path, n_embd=64, n_head=1)
    bare = {k.removeprefix("transformer."): v for k, v in theirs.state_dict().items()}
    bare.pop("lm_head.weight")
    bare["h.0.attn.bias"] = torch.ones(1, 1, 32, 32)  # the mask that older files hold
    save_file({k: v.contiguous() for k, v in bare.items()}, tmp_path / "alone.safetensors")
    (tmp_path / "config.json").unlink()
    assert_equal(load_gpt2(tmp_path / "alone.safetensors"), theirs)


def test_loading_draws_nothing_at_random(tmp_path: Path) -> None:
    random_gpt2(tmp_path)
    state = torch.get_rng_state()
    load_gpt2(tmp_path)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_head_is_a_copy_so_that_training_on_does_not_tie_it(tmp_path: Path) -> None:
    random_gpt2(tmp_path)
    ours = load_gpt2(tmp_path)
    assert torch.equal(ours.out_head.weight, ours.tok_emb.weight)
    assert ours.out_head.weight.data_ptr() != ours.tok_emb.weight.data_ptr()


@pytest.mark.parametrize("config", [TINY, WITH_BIAS])
def test_a_model_trained_here_gives_the_same_in_transformers(config, tmp_path: Path) -> None:
    tokenizer = get_tokenizer()
    training = replace(TINY_TRAINING, num_epochs=1, learning_rate=1e-2)
    data = prepare_data(load_text("counting").text, tokenizer, config, training)
    torch.manual_seed(1)
    model = GPTModel(config)
    optimizer = create_optimizer(model, training)
    for _ in train(model, data.train_loader, data.val_loader, optimizer, tokenizer, training):
        pass
    model.eval()
    export_gpt2(model, tmp_path / "out")
    theirs = GPT2LMHeadModel.from_pretrained(tmp_path / "out").eval()
    assert_equal(model, theirs)
    back = load_gpt2(tmp_path / "out")
    for name, tensor in back.state_dict().items():
        expected = model.state_dict().get(name, torch.zeros_like(tensor))  # biases that were none
        assert torch.equal(tensor, expected), name


def test_a_tied_head_leaves_tied(tmp_path: Path) -> None:
    theirs = random_gpt2(tmp_path / "in")
    export_gpt2(load_gpt2(tmp_path / "in"), tmp_path / "out")
    assert "lm_head.weight" not in load_file(tmp_path / "out" / "model.safetensors")
    again = GPT2LMHeadModel.from_pretrained(tmp_path / "out").eval()
    assert again.lm_head.weight.data_ptr() == again.transformer.wte.weight.data_ptr()
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_a_tied_model_trained_here_gives_the_same_in_transformers(tmp_path: Path) -> None:
    model = build_model(replace(TINY, tied_head=True, initialization="gpt2"), seed=2)
    export_gpt2(model, tmp_path)
    theirs = GPT2LMHeadModel.from_pretrained(tmp_path).eval()
    assert theirs.config.tie_word_embeddings
    with torch.no_grad():
        torch.testing.assert_close(theirs(IDS).logits, model(IDS), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "variant",
    [{"norm": "none"}, {"positions": "rotary"}, {"residual": False}],
    ids=str,
)
def test_what_a_gpt2_cannot_be_is_refused_in_a_sentence(variant: dict, tmp_path: Path) -> None:
    model = build_model(replace(TINY, **variant), seed=2)
    [(name, value)] = variant.items()
    message = f"GPT-2 has no {name}={value!r}: export the weights as safetensors and JSON instead."
    with pytest.raises(ValueError, match=re.escape(message)):
        export_gpt2(model, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_loading_takes_little_more_than_one_copy_of_the_weights(tmp_path: Path) -> None:
    random_gpt2(tmp_path, n_embd=768, n_head=12, n_layer=12, n_positions=1024)
    program = f"""
import threading, time
from gpt_core import load_gpt2
def anonymous():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("RssAnon"))) * 1024
before, peak, done = anonymous(), [0], threading.Event()
def watch():
    while not done.is_set():
        peak[0] = max(peak[0], anonymous())
        time.sleep(0.001)
thread = threading.Thread(target=watch)
thread.start()
model = load_gpt2({str(tmp_path)!r})
done.set()
thread.join()
copy = sum(p.numel() for p in model.parameters()) * 4
print((peak[0] - before) / copy)
"""
    output = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)
    assert 0.9 < float(output) < 1.15


# The book's own files


def book_config(n_heads: int = 2) -> dict:
    names = ("vocab_size", "context_length", "emb_dim", "n_layers", "drop_rate", "qkv_bias")
    return {name: getattr(TINY, name) for name in names} | {"n_heads": n_heads}


@pytest.mark.parametrize("with_optimizer", [False, True])
def test_a_file_that_the_books_code_saved_gives_its_logits(
    with_optimizer: bool, tmp_path: Path
) -> None:
    torch.manual_seed(123)
    book = BookModel(book_config())
    optimizer = torch.optim.AdamW(book.parameters(), lr=1e-3)
    book(IDS).mean().backward()
    optimizer.step()
    book.eval()
    saved = book.state_dict()
    if with_optimizer:
        saved = {"model_state_dict": saved, "optimizer_state_dict": optimizer.state_dict()}
    torch.save(saved, tmp_path / "model.pth")
    ours = load_book_checkpoint(tmp_path / "model.pth", n_heads=2)
    with torch.no_grad():
        torch.testing.assert_close(ours(IDS), book(IDS), atol=1e-5, rtol=1e-5)


# Hostile and broken files


class RunsCode:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.mark.parametrize("protocol", ["torch", "pickle"])
def test_a_pickle_that_wants_to_run_code_is_refused_and_nothing_runs(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = {"tok_emb.weight": RunsCode()}
    if protocol == "torch":
        torch.save(content, "model.pth")
    else:
        Path("model.pth").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(ValueError, match="could run code"):
        load_book_checkpoint(Path("model.pth"))
    assert not Path("executed").exists()


def damage(file: Path, how: str) -> None:
    data = bytearray(file.read_bytes())
    length = struct.unpack("<Q", data[:8])[0]
    if how == "truncated":
        data = data[: len(data) // 2]
    elif how == "empty":
        data = data[:0]
    elif how == "bits of the header flipped":
        for i in range(10, 60):
            data[i] ^= 0xFF
    elif how == "a header of 10 GB":
        data[:8] = struct.pack("<Q", 10 * 2**30)
    elif how == "tensors of 10 GB":
        header = json.loads(data[8 : 8 + length])
        header["transformer.wte.weight"]["data_offsets"][1] = 10 * 2**30
        text = json.dumps(header).encode()
        data = bytearray(struct.pack("<Q", len(text)) + text + bytes(data[8 + length :]))
    file.write_bytes(data)


@pytest.mark.parametrize(
    "how",
    ["truncated", "empty", "bits of the header flipped", "a header of 10 GB", "tensors of 10 GB"],
)
def test_a_broken_file_is_refused_in_a_sentence(how: str, tmp_path: Path) -> None:
    random_gpt2(tmp_path)
    damage(tmp_path / "model.safetensors", how)
    with pytest.raises(ValueError, match=r"model\.safetensors cannot be loaded: .+\.$"):
        load_gpt2(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w["transformer.h.1.mlp.c_fc.weight"].fill_(torch.nan), "h.*holds numbers"),
        (lambda w: w.pop("transformer.h.1.ln_2.bias"), "h.1.ln_2.bias is missing"),
        (
            lambda w: w.update({"transformer.h.0.mlp.c_proj.weight": torch.zeros(3, 5)}),
            r"trf_blocks\.0\.ff\.layers\.2\.weight is of shape \(5, 3\)",
        ),
        (
            lambda w: w.update({"transformer.wte.weight": torch.zeros(1000, 32)}),
            "vocabulary has 1,000 tokens, GPT-2's tokenizer 50,257",
        ),
        (
            lambda w: w.clear() or w.update({"x": torch.zeros(1)}),
            "holds neither a GPT-2 nor a GPTModel of the book",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(change, message: str, tmp_path: Path) -> None:
    random_gpt2(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    change(weights)
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=message):
        load_gpt2(tmp_path)


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    random_gpt2(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for changes, message in (
        ({"model_type": "llama"}, "model_type='llama': only 'gpt2' is supported"),
        ({"n_layer": 3}, "its config has n_layer=3, and its weights 2"),
        ({"n_head": 5}, "emb_dim=32 is not divisible by n_heads=5"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | changes))
        with pytest.raises(ValueError, match=message):
            load_gpt2(tmp_path)


@pytest.mark.parametrize("loader", [load_gpt2, load_book_checkpoint])
def test_a_file_that_is_not_there_is_said_not_to_be(loader, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nothing\.file"):
        loader(tmp_path / "nothing.file")


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"a": torch.zeros(2)}, "holds neither a GPT-2 nor a GPTModel of the book"),
        ([1, 2, 3], "holds no model weights"),
        ({"model_state_dict": {"tok_emb.weight": 3}}, "holds no model weights"),
    ],
)
def test_a_file_of_something_else_is_refused(saved: object, message: str, tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "model.pth")
    with pytest.raises(ValueError, match=message):
        load_book_checkpoint(tmp_path / "model.pth")


def test_a_truncated_book_file_and_nan_weights_are_refused(tmp_path: Path) -> None:
    model = build_model(TINY, seed=1)
    path = tmp_path / "model.pth"
    torch.save(model.state_dict(), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"model\.pth"):
        load_book_checkpoint(path)
    state = model.state_dict()
    state["final_norm.scale"] = torch.full_like(state["final_norm.scale"], torch.nan)
    torch.save(state, path)
    with pytest.raises(ValueError, match=r"final_norm\.scale holds numbers"):
        load_book_checkpoint(path, n_heads=2)
