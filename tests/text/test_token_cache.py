import os
import sys
from pathlib import Path

import numpy as np
import pytest
import tiktoken
import torch

from gpt_core.config import TrainingConfig
from gpt_core.text import TokenCache, load_text
from gpt_core.text import token_cache as token_cache_module
from gpt_core.training import encode_splits


@pytest.fixture(autouse=True)
def _keep_short_texts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_cache_module, "WORTH_KEEPING", 10)


def refuse() -> torch.Tensor:
    raise AssertionError("it was encoded again")


def test_a_text_is_encoded_once(tmp_path: Path) -> None:
    ids = torch.arange(50, dtype=torch.int32)
    assert torch.equal(TokenCache(tmp_path).get("abc", "0-9", lambda: ids), ids)
    again = TokenCache(tmp_path).get("abc", "0-9", refuse)
    assert torch.equal(again, ids)
    assert again.dtype == torch.int32


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_text_is_mapped_into_memory_and_shared_with_other_processes(tmp_path: Path) -> None:
    ids = TokenCache(tmp_path).get("abc", "0-9", lambda: torch.arange(50, dtype=torch.int32))
    [path] = tmp_path.iterdir()
    mapped = [m for m in Path("/proc/self/maps").read_text().splitlines() if m.endswith(path.name)]
    [(span, rights)] = [line.split()[:2] for line in mapped]
    start, end = (int(address, 16) for address in span.split("-"))
    assert start <= ids.data_ptr() < end
    assert rights == "r--s"  # nothing can write to it, and all processes have the same pages


def test_a_short_text_leaves_no_file(tmp_path: Path) -> None:
    TokenCache(tmp_path).get("abc", "0-9", lambda: torch.arange(9, dtype=torch.int32))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", [b"", b"not numpy", None])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    cache, ids = TokenCache(tmp_path), torch.arange(50, dtype=torch.int32)
    cache.get("abc", "0-9", lambda: ids)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100] if damage is None else damage)
    assert torch.equal(cache.get("abc", "0-9", lambda: ids), ids)
    assert torch.equal(cache.get("abc", "0-9", refuse), ids)


def test_the_least_recently_used_goes_when_there_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_cache_module, "MAX_BYTES", 1500)
    cache = TokenCache(tmp_path)
    for i, name in enumerate(("one", "two", "three", "four")):
        cache.get(name, "0-9", lambda: torch.arange(100, dtype=torch.int32))  # 528 bytes
        (file,) = tmp_path.glob(f"{name}-0-9-*.npy")
        os.utime(file, (i, i))
    assert sorted(p.name.split("-")[0] for p in tmp_path.iterdir()) == ["four", "three"]


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ids = torch.arange(50, dtype=torch.int32)
    assert torch.equal(TokenCache(tmp_path / "file").get("abc", "0-9", lambda: ids), ids)


def test_all_of_a_text_is_forgotten(tmp_path: Path) -> None:
    cache = TokenCache(tmp_path)
    for name in ("abc", "abd"):
        cache.get(name, "0-9", lambda: torch.arange(50, dtype=torch.int32))
    cache.forget("abc")
    assert [p.name.split("-")[0] for p in tmp_path.iterdir()] == ["abd"]


def test_a_whole_file_with_other_ids_is_not_believed(tmp_path: Path) -> None:
    cache, ids = TokenCache(tmp_path), torch.arange(50, dtype=torch.int32)
    cache.get("abc", "0-9", lambda: ids)
    (file,) = tmp_path.iterdir()
    np.save(file, np.full(50, 60_000, dtype=np.int32))
    assert torch.equal(cache.get("abc", "0-9", lambda: ids), ids)


def test_another_split_or_meaning_of_the_special_token_is_another_entry(
    tmp_path: Path, tokenizer: tiktoken.Encoding
) -> None:
    text = load_text("counting").text[:2000] + "<|endoftext|>" + load_text("counting").text
    cache = TokenCache(tmp_path)
    for config in (
        TrainingConfig(),
        TrainingConfig(train_ratio=0.8),
        TrainingConfig(end_of_text=False),
    ):
        kept = encode_splits(text, tokenizer, config, cache)
        again = encode_splits(text, tokenizer, config, cache)
        plain = encode_splits(text, tokenizer, config)
        assert all(torch.equal(a, b) for a, b in zip(kept, plain, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(again, plain, strict=True))
    assert len(list(tmp_path.iterdir())) == 6
