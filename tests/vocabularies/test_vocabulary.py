"""A run's vocabulary: learnt, written as tokenizer.json, and read back by us and transformers."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from gpt_core.text import load_text
from gpt_core.vocabularies import (
    GPT2_VOCABULARY,
    UNKNOWN,
    decode_parts,
    describe_unknown,
    encode_corpus,
    learn_vocabulary,
    read_tokenizer_json,
    read_vocabulary,
    text_to_token_ids,
    token_ids_to_text,
    tokenizer_files,
    vocabulary_sha256,
)

STORY = load_text("the-lamp-room").text
KINDS = {"characters": 0, "bytes": 0, "bpe": 700}
ANY_TEXT = st.lists(
    st.text() | st.sampled_from(("<|endoftext|>", "<|unk|>", " ", "\n", "the lamp", "aaaa"))
).map("".join)


@pytest.fixture(scope="module", params=KINDS)
def vocabulary(request: pytest.FixtureRequest) -> str:
    return learn_vocabulary(request.param, STORY, KINDS[request.param])


@pytest.fixture(scope="module")
def theirs(vocabulary: str, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("tokenizer")
    for name, content in tokenizer_files(64, vocabulary).items():
        (folder / name).write_bytes(content.encode())
    return AutoTokenizer.from_pretrained(folder)


@given(ANY_TEXT)
@example("<|endoftext|><|endoftext|> a <|endoftext|>\n")
@example("e\N{COMBINING ACUTE ACCENT} \N{ZERO WIDTH JOINER}\N{FAMILY} \0\t\r\n  中文 x'll 12")
def test_transformers_gives_any_text_the_same_token_ids(vocabulary: str, theirs, text: str) -> None:
    tokenizer = read_vocabulary(vocabulary)
    ids = encode_corpus(text, tokenizer).tolist()
    assert theirs(text)["input_ids"] == ids
    assert theirs.decode(ids) == tokenizer.decode(ids)


@given(ANY_TEXT)
def test_any_text_survives_the_way_to_bytes_and_back(text: str) -> None:
    for kind in ("bytes", "bpe"):
        tokenizer = read_vocabulary(learn_vocabulary(kind, STORY[:2000], 300))
        assert token_ids_to_text(text_to_token_ids(text, tokenizer), tokenizer) == text


@given(st.text(st.sampled_from(sorted(set(STORY)))))
def test_a_text_of_its_characters_survives_the_way_to_ids_and_back(text: str) -> None:
    tokenizer = read_vocabulary(learn_vocabulary("characters", STORY, 0))
    assert token_ids_to_text(text_to_token_ids(text, tokenizer), tokenizer) == text


@given(st.text(), st.integers(0), st.integers(0))
@example("中文", 1, 4)
def test_a_character_that_is_cut_between_two_parts_stays_whole(
    text: str, first: int, second: int
) -> None:
    tokenizer = read_vocabulary(learn_vocabulary("bytes", "", 0))
    ids = text_to_token_ids(text, tokenizer)[0].tolist()
    one, two = sorted((first % (len(ids) + 1), second % (len(ids) + 1)))
    parts = decode_parts([ids[:one], ids[one:two], ids[two:]], tokenizer)
    assert "".join(parts) == text
    beginning, rest = decode_parts([ids[:one], ids[one:two]], tokenizer)
    assert text.startswith(beginning + rest)  # the character that is cut at the end is left out


def test_bytes_that_form_no_character_are_replaced_within_a_text() -> None:
    tokenizer = read_vocabulary(learn_vocabulary("bytes", "", 0))
    assert decode_parts([b"a\xe4", b"b\xb8"], tokenizer) == [
        "a",
        "\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}",
    ]


def test_what_is_read_back_is_what_was_written(vocabulary: str) -> None:
    assert read_tokenizer_json(vocabulary.encode()) == vocabulary


def test_end_of_text_has_the_last_id(vocabulary: str, theirs) -> None:
    tokenizer = read_vocabulary(vocabulary)
    assert tokenizer.eot_token == tokenizer.n_vocab - 1 == theirs.eos_token_id
    assert encode_corpus("<|endoftext|>", tokenizer).tolist() == [tokenizer.eot_token]
    assert len(theirs) == tokenizer.n_vocab
    plain = encode_corpus("<|endoftext|>", tokenizer, allow_special=False)
    assert len(plain) > 1
    assert tokenizer.eot_token not in plain.tolist()


def test_every_token_has_its_bytes(vocabulary: str) -> None:
    tokenizer = read_vocabulary(vocabulary)
    tokens = [tokenizer.decode_single_token_bytes(i) for i in range(tokenizer.n_vocab)]
    assert len(set(tokens)) == tokenizer.n_vocab
    assert tokens[-1] == b"<|endoftext|>"


def test_a_byte_is_its_own_id() -> None:
    tokenizer = read_vocabulary(learn_vocabulary("bytes", "", 0))
    assert tokenizer.n_vocab == 257
    assert encode_corpus("Aé", tokenizer).tolist() == [*"Aé".encode()]


def test_byte_pairs_have_the_size_that_was_asked_for() -> None:
    tokenizer = read_vocabulary(learn_vocabulary("bpe", STORY, 400))
    assert tokenizer.n_vocab == 400
    assert tokenizer.name == "bpe"
    assert len(encode_corpus(STORY, tokenizer)) < len(STORY)


def test_more_byte_pairs_than_the_text_has_are_refused_with_their_number() -> None:
    with pytest.raises(ValueError, match=r"vocab_size=2000 .* make (\d+) tokens") as error:
        learn_vocabulary("bpe", "one two one two three", 2000)
    most = int(str(error.value).partition("make ")[2].partition(" ")[0])
    assert read_vocabulary(learn_vocabulary("bpe", "one two one two three", most)).n_vocab == most


def test_unknown_characters_are_one_token_and_told_in_words() -> None:
    tokenizer = read_vocabulary(learn_vocabulary("characters", "abc ", 0))
    ids = encode_corpus("a中b🙂", tokenizer).tolist()
    assert tokenizer.decode(ids) == f"a{UNKNOWN}b{UNKNOWN}"
    assert encode_corpus(tokenizer.decode(ids), tokenizer).tolist() == ids
    told = describe_unknown("a中b🙂中\x07", tokenizer)
    assert told == (
        "The prompt has 4 characters that the vocabulary lacks, U+0007, “中”, “🙂”: the model "
        "reads <|unk|> instead."
    )
    assert describe_unknown("cab<|endoftext|>", tokenizer) == ""
    assert describe_unknown("中", read_vocabulary(GPT2_VOCABULARY)) == ""


def test_half_a_surrogate_pair_is_refused_with_its_place(vocabulary: str) -> None:
    with pytest.raises(ValueError, match="damaged at character 2"):
        encode_corpus("ab\ud800", read_vocabulary(vocabulary))


def test_the_mark_between_documents_adds_no_characters() -> None:
    marked = read_vocabulary(learn_vocabulary("characters", "ab<|endoftext|>b", 0))
    assert marked.n_vocab == 4
    plain = read_vocabulary(learn_vocabulary("characters", "ab<|endoftext|>b", 0, False))
    assert plain.n_vocab == len(set("ab<|endoftext|>")) + 2


def test_a_long_text_gives_the_same_ids_in_pieces(
    vocabulary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = read_vocabulary(vocabulary)
    whole = encode_corpus(STORY, tokenizer).tolist()
    monkeypatch.setattr("gpt_core.vocabularies.tokenizer.PIECE_CHARACTERS", 500)
    assert encode_corpus(STORY, tokenizer).tolist() == whole


def test_gpt2s_own_file_is_recognised() -> None:
    content = tokenizer_files(8)["tokenizer.json"]
    assert read_tokenizer_json(content.encode()) == GPT2_VOCABULARY
    assert vocabulary_sha256(GPT2_VOCABULARY) == ""
    assert read_vocabulary(GPT2_VOCABULARY).name == "gpt2"


def test_a_tokenizer_that_the_library_trained_comes_in(tmp_path: Path) -> None:
    """Hugging Face's own recipe: special tokens first, merges as lists."""
    import tokenizers

    learner = tokenizers.ByteLevelBPETokenizer()
    learner.train_from_iterator(
        [STORY], vocab_size=500, special_tokens=["<|endoftext|>", "<pad>"], show_progress=False
    )
    learner.save(str(tmp_path / "tokenizer.json"))
    vocabulary = read_tokenizer_json((tmp_path / "tokenizer.json").read_bytes())
    tokenizer = read_vocabulary(vocabulary)
    assert tokenizer.eot_token == 0
    text = f"{STORY[:300]} ünïcödé 中文 <|endoftext|>\n\n  x"
    assert encode_corpus(text, tokenizer).tolist() == learner.encode(text).ids


def changed(path: str, value: object) -> bytes:
    facts = json.loads(learn_vocabulary("bpe", STORY[:3000], 280))
    *parents, name = path.split(".")
    inner = facts
    for parent in parents:
        inner = inner[parent]
    inner[name] = value
    if name.startswith("AA"):  # one token more, before the end of the text
        inner[name], inner["<|endoftext|>"] = 279, 280
        facts["added_tokens"][0]["id"] = 280
    return json.dumps(facts).encode()


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("normalizer", {"type": "NFC"}, "as GPT-2 does"),
        ("pre_tokenizer", {"type": "Whitespace"}, "as GPT-2 does"),
        ("pre_tokenizer", None, "as GPT-2 does"),
        ("pre_tokenizer.add_prefix_space", True, "as GPT-2 does"),
        ("model.type", "Unigram", "as GPT-2 does"),
        ("model.merges", [], "not in the order"),
        ("model.merges", 7, "not a tokenizer"),
        ("model.merges", [["a"], 7], "not a tokenizer"),
        ("model.vocab.A", 33.0, "IDs are not"),
        ("model.vocab." + "A" * 20_000, 280, "too long"),
        ("model.vocab", {"a": 0}, "lacks some|IDs are not"),
        ("model.vocab", 7, "not a tokenizer"),
        ("model", [], "not a tokenizer"),
        ("added_tokens", [], "no special token"),
        ("added_tokens", [{"id": 0, "content": "x", "special": False}], "not special"),
    ],
)
def test_another_kind_of_tokenizer_is_refused_in_words(
    path: str, value: object, reason: str
) -> None:
    with pytest.raises(ValueError, match=rf"^tokenizer\.json .*({reason})"):
        read_tokenizer_json(changed(path, value))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"7", b"[" * 100_000, b"x" * 2**25])
def test_a_damaged_file_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^tokenizer\.json"):
        read_tokenizer_json(data)
