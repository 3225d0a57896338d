"""The vocabulary of a run is learnt once for a text, and its token IDs are cached by it."""

from dataclasses import replace
from pathlib import Path

import pytest

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.text import load_text, token_cache_in
from gpt_core.training import encode_splits, fit_vocabulary
from gpt_core.training import vocabulary as vocabulary_module
from gpt_core.vocabularies import encode_corpus, get_tokenizer

TEXT = load_text("the-lamp-room").text
BPE = TrainingConfig(vocabulary="bpe")
SHAPE = GPTConfig(vocab_size=400)


def test_gpt2s_vocabulary_changes_nothing() -> None:
    fitted = fit_vocabulary(TEXT, GPTConfig(), TrainingConfig())
    assert fitted.vocabulary == ""
    assert fitted.tokenizer.name == "gpt2"
    assert fitted.model_config == GPTConfig()


def test_only_the_training_split_is_learnt_from() -> None:
    text = "ab " * 90 + "中文" * 15
    config = TrainingConfig(vocabulary="characters")
    assert fit_vocabulary(text, GPTConfig(), config).model_config.vocab_size == 3 + 2
    half = replace(config, train_ratio=0.95)
    assert fit_vocabulary(text, GPTConfig(), half).model_config.vocab_size == 5 + 2


def test_a_vocabulary_is_learnt_once_and_again_if_its_file_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = token_cache_in(tmp_path)
    learnt = fit_vocabulary(TEXT, SHAPE, BPE, cache=cache)
    [file] = (tmp_path / "tokens").iterdir()

    def refuse(*_: object) -> str:
        raise AssertionError("it was learnt again")

    with monkeypatch.context() as patched:
        patched.setattr(vocabulary_module, "learn_vocabulary", refuse)
        assert fit_vocabulary(TEXT, SHAPE, BPE, cache=cache) == learnt
        for other in (replace(BPE, train_ratio=0.8), replace(BPE, end_of_text=False)):
            with pytest.raises(AssertionError, match="learnt again"):
                fit_vocabulary(TEXT, SHAPE, other, cache=cache)
        with pytest.raises(AssertionError, match="learnt again"):
            fit_vocabulary(TEXT, replace(SHAPE, vocab_size=300), BPE, cache=cache)
    file.write_bytes(file.read_bytes()[:-1])
    assert fit_vocabulary(TEXT, SHAPE, BPE, cache=cache) == learnt
    [file] = (tmp_path / "tokens").iterdir()
    cache.forget(file.name.partition("-")[0])
    assert not [*(tmp_path / "tokens").iterdir()]


def test_token_ids_are_cached_by_vocabulary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpt_core.text.token_cache.WORTH_KEEPING", 1)
    cache = token_cache_in(tmp_path)
    tokenizers = [get_tokenizer()]
    tokenizers += [
        fit_vocabulary(TEXT, GPTConfig(vocab_size=size), TrainingConfig(vocabulary=kind)).tokenizer
        for kind, size in (("characters", 50257), ("bytes", 50257), ("bpe", 400), ("bpe", 500))
    ]
    for _ in range(2):
        for tokenizer in tokenizers:
            train_ids, val_ids = encode_splits(TEXT, tokenizer, TrainingConfig(), cache)
            cut = int(0.9 * len(TEXT))
            assert train_ids.tolist() == encode_corpus(TEXT[:cut], tokenizer).tolist()
            assert val_ids.tolist() == encode_corpus(TEXT[cut:], tokenizer).tolist()
    assert len([*(tmp_path / "tokens").iterdir()]) == 2 * len(tokenizers)
