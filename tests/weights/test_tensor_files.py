"""Weights as people have them: in checkpoints, in several files, or something in their place."""

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import GPT2LMHeadModel

from gpt_core.model import build_model
from gpt_core.weights import load_model, read_model
from gpt_core.weights.assembly import choose_heads
from gpt_core.weights.tensor_files import bare_names
from tests.conftest import TINY
from tests.support.foreign_weights import (
    assert_same_logits,
    book_state,
    nanogpt_checkpoint,
    prefixed,
    random_gpt2,
)

Make = Callable[[dict[str, Tensor]], object]

# Checkpoints


@pytest.mark.parametrize(
    "make",
    [
        lambda state: state,
        lambda state: prefixed("_orig_mod.", state),
        lambda state: prefixed("module.", state),
        lambda state: prefixed("module._orig_mod.", state),
        lambda state: prefixed("model.", state),
        lambda state: {n.replace(".att.", ".att._orig_mod."): t for n, t in state.items()},
        lambda state: {"model": state, "step": 3},
        lambda state: {"state_dict": prefixed("gpt.module.", state), "epoch": 1},
        lambda state: {"model_state_dict": state, "optimizer_state_dict": {"state": {}}},
        lambda state: {"model": {"state_dict": prefixed("_orig_mod.", state)}},
        lambda state: {name: nn.Parameter(tensor) for name, tensor in state.items()},
        lambda state: {name: tensor.double() for name, tensor in state.items()},
    ],
    ids=[
        *("bare", "compiled", "several GPUs", "both", "held", "compiled inside", "model"),
        *("state_dict", "the chapter's", "nested", "parameters", "double"),
    ],
)
@pytest.mark.parametrize("layout", ["book", "gpt2"])
def test_prefixes_and_dictionaries_around_the_weights_change_no_logits(
    make: Make, layout: str, tmp_path: Path
) -> None:
    theirs = random_gpt2()
    state = book_state(theirs) if layout == "book" else dict(theirs.state_dict())
    torch.save(make(state), tmp_path / "a.pth")
    assert_same_logits(load_model(tmp_path / "a.pth", n_heads=4), theirs)


@pytest.mark.parametrize("legacy", [False, True])
def test_files_of_older_pytorch_are_read(legacy: bool, tmp_path: Path) -> None:
    theirs = random_gpt2()
    file = tmp_path / "a.pt"
    torch.save(book_state(theirs), file, _use_new_zipfile_serialization=not legacy)
    assert_same_logits(load_model(file, n_heads=4), theirs)


def test_weights_that_are_tied_in_a_file_are_two_here(tmp_path: Path) -> None:
    state = book_state(random_gpt2())
    state["out_head.weight"] = state["tok_emb.weight"]
    torch.save(state, tmp_path / "a.pth")
    model = load_model(tmp_path / "a.pth", n_heads=4)
    assert torch.equal(model.out_head.weight, model.tok_emb.weight)
    assert model.out_head.weight.data_ptr() != model.tok_emb.weight.data_ptr()


def test_names_lose_only_what_wrappers_added() -> None:
    names = ["a.b.wte.weight", "a.b.h.0.module.ln_1.weight", "a.lm_head.weight", "other.weight"]
    assert bare_names(names) == {
        "wte.weight": names[0],
        "h.0.ln_1.weight": names[1],
        "lm_head.weight": names[2],
        "other.weight": names[3],
    }


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: s | prefixed("ema.", s), "it holds more than one model"),
        (lambda s: s | prefixed("module.", s), "it holds two tensors called tok_emb.weight"),
        (lambda s: s | {"tok_emb.weight": s["tok_emb.weight"].char()}, "is of torch.int8"),
        (lambda s: s | {"version": 3}, "it holds no model weights"),
        (lambda s: {"model": []}, "it holds no model weights"),
        (lambda s: {"model": {"model": {"model": {"model": s}}}}, "it holds no model weights"),
        (lambda s: {}, "it holds no model weights"),
        (lambda s: {f"x{i}": torch.zeros(1) for i in range(10_001)}, "more than 10,000 tensors"),
        (
            lambda s: s | {f"trf_blocks.{i}.x": torch.zeros(1) for i in range(300)},
            "it has 300 blocks, and 256 are the most",
        ),
    ],
)
def test_a_checkpoint_that_is_not_one_model_is_refused(
    make: Make, message: str, tmp_path: Path
) -> None:
    torch.save(make(book_state(random_gpt2())), tmp_path / "a.pth")
    with pytest.raises(ValueError, match=rf"^a\.pth cannot be loaded: .*{message}"):
        load_model(tmp_path / "a.pth", n_heads=4)


def test_a_compressed_checkpoint_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    torch.save({"tok_emb.weight": torch.zeros(10_000_000)}, tmp_path / "a.pth")
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as whole,
        zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    assert (tmp_path / "b.pth").stat().st_size < 100_000
    with pytest.raises(ValueError, match="it was compressed"):
        load_model(tmp_path / "b.pth")


class RunsCode:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.mark.parametrize("name", ["a.bin", "a.pt", "pytorch_model.bin", "ckpt.pt"])
def test_no_file_runs_code_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(pickle.dumps({"model": RunsCode()}, protocol=2))
    with pytest.raises(ValueError, match=f"^{name} was not opened: it holds more than weights"):
        load_model(tmp_path)
    assert not Path("executed").exists()


# nanoGPT


@pytest.mark.parametrize("vocab_size", [50257, 50304])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("prefix", ["", "_orig_mod."])
def test_a_checkpoint_of_nanogpt_gives_the_logits_of_its_weights(
    vocab_size: int, bias: bool, prefix: str, tmp_path: Path
) -> None:
    theirs = random_gpt2(vocab_size=vocab_size)
    if not bias:
        with torch.no_grad():
            for name, parameter in theirs.named_parameters():
                if name.endswith(".bias"):
                    parameter.zero_()
    saved = nanogpt_checkpoint(theirs, bias)
    torch.save(saved | {"model": prefixed(prefix, saved["model"])}, tmp_path / "ckpt.pt")  # type: ignore[arg-type]
    loaded = read_model(tmp_path / "ckpt.pt")
    assert_same_logits(loaded.model, theirs)
    config = loaded.model.config
    assert (config.n_heads, config.qkv_bias, config.drop_rate) == (4, bias, 0.0)
    padding = ("The vocabulary's 47 rows of padding are left out.",) if vocab_size > 50257 else ()
    assert loaded.notes == (*padding, loaded.notes[-1])
    assert loaded.notes[-1].startswith("GELU is approximated")


def test_nanogpts_exact_gelu_differs_a_little_which_is_said(tmp_path: Path) -> None:
    theirs = random_gpt2(activation_function="gelu")
    torch.save(nanogpt_checkpoint(theirs), tmp_path / "ckpt.pt")
    ids = torch.arange(20)[None]
    with torch.no_grad():
        difference = (load_model(tmp_path / "ckpt.pt")(ids) - theirs(ids).logits).abs().max()
    assert 0 < difference < 0.01


def test_other_vocabularies_are_not_taken_for_padding(tmp_path: Path) -> None:
    for vocab_size in (65, 50258, 50265, 52000, 64000):  # Shakespeare's characters, added tokens, …
        torch.save(
            nanogpt_checkpoint(random_gpt2(vocab_size=vocab_size, n_layer=1)), tmp_path / "ckpt.pt"
        )
        with pytest.raises(ValueError, match=f"its vocabulary has {vocab_size:,} tokens"):
            load_model(tmp_path)


# Several files


def in_shards(folder: Path, suffix: str) -> GPT2LMHeadModel:
    """Save a GPT-2 in several files; those of torch.save transformers no longer writes."""
    theirs = random_gpt2(folder)
    file = folder / "model.safetensors"
    file.unlink()
    state = {n: t for n, t in theirs.state_dict().items() if n != "lm_head.weight"}
    names = sorted(state)
    stem, where = ("model", {}) if suffix == ".safetensors" else ("pytorch_model", {})
    for number in (1, 2, 3):
        part = f"{stem}-{number:05}-of-00003{suffix}"
        tensors = {n: state[n].contiguous() for n in names[number - 1 :: 3]}
        if suffix == ".safetensors":
            save_file(tensors, folder / part)
        else:
            torch.save(tensors, folder / part)
        where |= dict.fromkeys(tensors, part)
    index = folder / f"{stem}{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return theirs


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_weights_in_several_files_are_read_by_their_index(suffix: str, tmp_path: Path) -> None:
    theirs = in_shards(tmp_path, suffix)
    [index] = tmp_path.glob("*.index.json")
    part = sorted(tmp_path.glob(f"*{suffix}"))[1]
    zipped = tmp_path.with_suffix(".zip")
    with zipfile.ZipFile(zipped, "w") as archive:
        for path in tmp_path.iterdir():
            archive.write(path, path.name)
    for source in (tmp_path, index, part, zipped):
        assert_same_logits(load_model(source), theirs)


def test_shards_as_transformers_writes_them_are_read(tmp_path: Path) -> None:
    theirs = random_gpt2()
    theirs.save_pretrained(tmp_path, max_shard_size="100KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert_same_logits(load_model(tmp_path), theirs)


def test_pytorch_model_bin_is_read_with_its_config(tmp_path: Path) -> None:
    theirs = random_gpt2(tmp_path, n_head=8)
    (tmp_path / "model.safetensors").unlink()
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    torch.save({"lr": 1.0}, tmp_path / "training_args.bin")  # as its Trainer leaves beside it
    for source in (tmp_path, tmp_path / "pytorch_model.bin"):
        assert_same_logits(load_model(source), theirs)


@pytest.mark.parametrize("name", ["../secret.bin", "/etc/passwd", "a/b.bin", "..\\x.bin", "x.py"])
def test_an_index_may_name_no_file_elsewhere(name: str, tmp_path: Path) -> None:
    torch.save(random_gpt2().state_dict(), tmp_path / "secret.bin")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(ValueError, match="names a file that may not be read"):
        load_model(folder)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({}, "names no files, or more than 256"),
        ({"weight_map": {}}, "names no files, or more than 256"),
        ({"weight_map": {str(i): f"{i}.bin" for i in range(257)}}, "or more than 256"),
        ({"weight_map": {"a": "a.bin", "b": "b.bin"}}, "a.bin is missing: put all 2 files beside"),
        ({"weight_map": {"a": []}}, "cannot be loaded"),
        ([], "holds no settings"),
    ],
)
def test_an_index_that_leads_nowhere_is_refused(
    index: object, message: str, tmp_path: Path
) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path)


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    in_shards(tmp_path, ".bin")
    first, second, third = sorted(tmp_path.glob("pytorch_model-*"))
    second.write_bytes(first.read_bytes())
    with pytest.raises(ValueError, match="holds tensors that another of the files holds too"):
        load_model(tmp_path)
    third.unlink()
    with pytest.raises(ValueError, match=r"00003-of-00003\.bin is missing: put all 3 files"):
        load_model(tmp_path)
    (tmp_path / "pytorch_model.bin.index.json").unlink()
    with pytest.raises(ValueError, match=r"one of several files, and pytorch_model\.bin\.index"):
        load_model(tmp_path)


def test_a_folder_or_zip_with_several_models_is_refused(tmp_path: Path) -> None:
    state = book_state(random_gpt2(n_layer=1))
    for name in ("a.pth", "b.pth"):
        torch.save(state, tmp_path / name)
    with pytest.raises(ValueError, match=r"several files of weights, a\.pth, b\.pth: choose one"):
        load_model(tmp_path)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("small/config.json", "{}")
        archive.writestr("large/config.json", "{}")
    with pytest.raises(ValueError, match="it holds the files of more than one model"):
        load_model(tmp_path / "c.zip")


# What stands for the weights


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 548105171\n",
            r"is a pointer of Git LFS, not the file itself: run git lfs pull",
        ),
        (b"\n<!DOCTYPE html>\n<html><body>Sign in", r"is a web page, not the file itself"),
        (b'\xef\xbb\xbf<html lang="en">', r"is a web page"),
        (b"", r"is empty"),
    ],
    ids=["pointer", "page", "page with a BOM", "empty"],
)
@pytest.mark.parametrize(
    "name", ["model.safetensors", "pytorch_model.bin", "a.pth", "b.zip", "shard"]
)
def test_a_file_that_stands_for_the_weights_is_refused_with_what_it_is(
    content: bytes, message: str, name: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    if name == "shard":
        in_shards(tmp_path, ".safetensors")
        file = tmp_path / "model-00002-of-00003.safetensors"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{file.name} {message}"):
        load_model(file)


# Heads


@pytest.mark.parametrize(
    ("emb_dim", "n_heads"), [(768, 12), (1024, 16), (1280, 20), (1600, 25), (128, 2)]
)
def test_heads_that_no_file_states_are_assumed_by_the_width_and_said(
    emb_dim: int, n_heads: int, tmp_path: Path
) -> None:
    heads, notes = choose_heads(emb_dim, None, None, tmp_path / "model.pth")
    assert heads == n_heads
    assert notes == (
        f"n_heads={n_heads} is assumed, a head for each 64 dimensions: no file states it.",
    )


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("config.json", {"n_head": 8}),
        ("config.json", {"num_attention_heads": 8, "hidden_size": 64}),
        ("state.json", {"model": {"n_heads": 8, "emb_dim": 64}}),
        ("settings.json", {"GPT_CONFIG": {"n_heads": 8, "emb_dim": 64}}),
    ],
)
def test_heads_are_read_from_what_stands_beside_the_weights(
    name: str, facts: dict, tmp_path: Path
) -> None:
    theirs = random_gpt2(n_embd=64, n_head=8)
    torch.save(book_state(theirs), tmp_path / "model.pth")
    (tmp_path / name).write_text("\ufeff" + json.dumps(facts), encoding="utf-8")
    loaded = read_model(tmp_path / "model.pth")
    assert loaded.notes == (f"n_heads=8 is taken from {name} beside the weights.",)
    assert_same_logits(loaded.model, theirs)
    assert load_model(tmp_path / "model.pth", n_heads=2).config.n_heads == 2  # as the user says


@pytest.mark.parametrize("facts", ['{"n_head": 8, "n_embd": 768}', '{"n_head": "x"}', "{", "[]"])
def test_settings_of_another_model_say_nothing_of_this_one(facts: str, tmp_path: Path) -> None:
    torch.save(book_state(random_gpt2(n_embd=64, n_layer=1)), tmp_path / "model.pth")
    (tmp_path / "config.json").write_text(facts)
    loaded = read_model(tmp_path)
    assert loaded.model.config.n_heads == 1
    assert "n_heads=1 is assumed" in loaded.notes[0]


@pytest.mark.parametrize("layout", ["book", "gpt2"])
def test_what_a_checkpoint_itself_states_goes_before_all(layout: str, tmp_path: Path) -> None:
    theirs = random_gpt2(n_embd=64, n_head=8)
    state = book_state(theirs) if layout == "book" else dict(theirs.state_dict())
    torch.save({"model": state, "config": {"n_heads": 8}}, tmp_path / "a.pt")
    loaded = read_model(tmp_path / "a.pt", n_heads=2)
    assert loaded.notes == ()
    assert_same_logits(loaded.model, theirs)


def test_a_width_that_implies_no_heads_asks_for_them(tmp_path: Path) -> None:
    torch.save(build_model(TINY, seed=1).state_dict(), tmp_path / "model.pth")
    with pytest.raises(ValueError, match="its width of 16 does not imply it: give n_heads, or put"):
        load_model(tmp_path)
    assert read_model(tmp_path, n_heads=2).notes == ()
