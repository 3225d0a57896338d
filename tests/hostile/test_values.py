"""Hostile input by the thousand: values, texts and records; what is no ValueError is a bug.

How many examples each test tries is in conftest.py: a hundred, and thousands with --whole-run.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dashboard.forms import own_probes
from dashboard.forms.rows import parse_rows
from dashboard.forms.text import describe
from dashboard.tokens.text_and_ids import parse_ids
from gpt_core.access import ClassRules, Roster, read_rules
from gpt_core.analysis import find_copying
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.export import import_recording, read_settings, write_recording
from gpt_core.export.settings import settings_json
from gpt_core.library import TextLibrary, delete_run, label_run
from gpt_core.model import Decoding, next_token_probas
from gpt_core.store import Run, RunStore
from gpt_core.text import Corpus, join_texts, readable_name
from gpt_core.training import with_text_probe
from gpt_core.vocabularies import get_tokenizer, text_to_token_ids, token_ids_to_text
from tests.conftest import TINY, TINY_TRAINING
from tests.support.hostile import changed, fewer, record_run, refused_in_words, texts, values

CONFIGS = (GPTConfig, TrainingConfig, Decoding, ClassRules)
tokenizer = get_tokenizer()


# Settings


@pytest.mark.parametrize("config", CONFIGS)
@given(st.data())
def test_a_setting_of_any_type_is_taken_or_refused_by_its_name(config: type, data: Any) -> None:
    name = data.draw(st.sampled_from([field.name for field in fields(config)]))
    value = data.draw(values)
    with refused_in_words(name):
        check_use(config(**{name: value}))


@pytest.mark.parametrize("config", CONFIGS)
@given(st.data())
def test_settings_that_are_all_odd_are_taken_or_refused_by_a_name(config: type, data: Any) -> None:
    names = [field.name for field in fields(config)]
    odd = data.draw(st.dictionaries(st.sampled_from(names), values))
    with refused_in_words(*odd):
        check_use(config(**odd))


@pytest.mark.parametrize("config", CONFIGS)
def test_what_cannot_even_be_shown_is_refused_by_its_name(config: type) -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    for name in [field.name for field in fields(config)]:
        for value in (10**5000, -(10**5000), nested, [10**5000], object()):
            with pytest.raises(ValueError, match=rf"\b{name}\b"):
                config(**{name: value})


@fewer(2)
@given(facts=st.dictionaries(st.sampled_from([field.name for field in fields(ClassRules)]), values))
def test_whatever_is_on_record_there_are_rules(store: RunStore, facts: dict[str, Any]) -> None:
    store.class_store.add_rules(facts, "teacher")
    assert isinstance(read_rules(store), ClassRules)


def check_use(config: Any) -> None:
    """Check that what was taken can be written down, and be used."""
    facts = json.loads(json.dumps(asdict(config)))
    assert type(config)(**facts) == config
    hash(config)
    if isinstance(config, Decoding):
        probas = next_token_probas(torch.tensor([[9.0, -300.0, 4.0, 9.0]]), config)
        assert probas.sum().item() == pytest.approx(1)


@given(st.binary(max_size=200) | texts.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bytes_that_are_no_settings_are_refused_in_words(data: bytes) -> None:
    with refused_in_words("settings"):
        read_settings(data)


def test_lists_in_lists_in_lists_are_no_settings_and_no_recording(store: RunStore) -> None:
    deep = "[" * 100_000
    with pytest.raises(ValueError, match="not the settings"):
        read_settings(deep.encode())
    with pytest.raises(ValueError, match="not a recording"):
        import_recording(store, deep)


@given(data=st.data())
def test_settings_in_which_something_is_odd_are_read_or_refused(
    run: Run, store: RunStore, data: Any
) -> None:
    facts = json.loads(settings_json(store, run))
    with refused_in_words():
        read_settings(json.dumps(data.draw(changed(facts))).encode())


# Recordings


def recording_of(store: RunStore, run: Run) -> dict[str, Any]:
    record_run(store, run)
    found = store.run(run.id)
    assert found is not None
    return dict(json.loads(write_recording(store, found)))


def take_in(store: RunStore, recording: str) -> None:
    """Keep a recording, read all of it as pages do, and delete it again."""
    run_id = import_recording(store, recording)
    found = store.run(run_id)
    assert found is not None
    assert [summary.run.id for summary in store.summaries()] == [run_id]
    write_recording(store, found)
    delete_run(store, run_id, actor="local")


@fewer(2)
@given(data=st.data())
def test_a_recording_in_which_something_is_odd_is_taken_in_whole_or_refused(
    store: RunStore, run: Run, tmp_path: Path, data: Any
) -> None:
    if not hasattr(store, "example"):
        store.example = recording_of(store, run)  # type: ignore[attr-defined]
        delete_run(store, run.id, actor="local")
    odd = data.draw(changed(store.example))  # type: ignore[attr-defined]
    with refused_in_words("recording", "recorded run"):
        take_in(store, json.dumps(odd))
    assert store.runs() == []


@given(text=texts | st.binary().map(lambda data: data.decode("latin-1")))
def test_a_text_that_is_no_recording_is_refused_in_words(store: RunStore, text: str) -> None:
    with refused_in_words("recording"):
        import_recording(store, text)


@pytest.mark.parametrize(
    "run_id", ["../outside", "..", ".hidden", "/etc", "a/b", "a\\b", "", "x" * 65]
)
def test_a_recording_cannot_be_named_so_that_its_deletion_reaches_other_folders(
    store: RunStore, run: Run, run_id: str
) -> None:
    recording = recording_of(store, run)
    recording["run"]["id"] = run_id
    with pytest.raises(ValueError, match="is not a valid run ID"):
        import_recording(store, json.dumps(recording))


# Texts


@given(texts)
def test_a_text_goes_to_tokens_and_back_or_is_refused(text: str) -> None:
    with refused_in_words("surrogate", "span of blanks"):
        for allow_special in (True, False):
            ids = text_to_token_ids(text, tokenizer, allow_special)
            assert token_ids_to_text(ids, tokenizer) == text


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 50_300)))
def test_token_ids_are_decoded_or_refused(ids: list[int]) -> None:
    with refused_in_words("Token ID"):
        token_ids_to_text(torch.tensor(ids, dtype=torch.int64), tokenizer)


@pytest.mark.parametrize("parse", [parse_rows, parse_ids, lambda text: own_probes(text, 32)])
@given(text=texts)
def test_what_is_typed_into_a_field_is_read_or_refused(
    parse: Callable[[str], object], text: str
) -> None:
    with refused_in_words():
        parse(text)


@given(texts, texts)
def test_any_text_and_name_make_a_corpus_or_a_refusal(name: str, text: str) -> None:
    with refused_in_words():
        corpus = Corpus(name, text)
        assert len(corpus.sha256) == 64
        joined = join_texts([corpus, Corpus(readable_name(name), "another")])
        joined.name.encode()
        config = with_text_probe(TINY_TRAINING, corpus.text, tokenizer, TINY.context_length)
        assert config.probes[:2] == TINY_TRAINING.probes


@fewer(2)
@given(name=texts, text=texts)
def test_a_text_is_kept_as_it_is_or_refused(store: RunStore, name: str, text: str) -> None:
    library = TextLibrary(store, actor="local")
    with refused_in_words():
        card = library.keep(Corpus(readable_name(name), text), "pasted")
        assert library.load(card.sha256).text == text
        describe(card).encode()
        library.delete(card.sha256)
    assert library.entries() == []


@fewer(2)
@given(name=texts, note=texts)
def test_any_name_and_note_of_a_run_are_taken_or_refused(
    store: RunStore, run: Run, name: str, note: str
) -> None:
    if store.run(run.id) is None:
        record_run(store, run)
    with refused_in_words("name", "note"):
        label_run(store, run.id, name, note, actor="local")
    found = store.run(run.id)
    assert found is not None
    assert "\n" not in found.name
    assert "\u202e" not in found.name + found.note
    (found.name + found.note).encode()


@fewer(2)
@given(name=texts, code=texts, token=texts)
def test_any_name_and_code_at_a_classs_door_are_taken_or_refused(
    store: RunStore, name: str, code: str, token: str
) -> None:
    roster = Roster(store, join_code="abc234")
    assert roster.who(token) is None
    with refused_in_words():
        roster.join(name, "ABC 234", "here")
        roster.members()[-1].name.encode()
    with refused_in_words("code"):
        roster.join("Ann", code, "here")
    with refused_in_words("passphrase"):
        roster.sign_in_teacher(code, "there")


@fewer(4)
@given(texts, texts, texts)
def test_copying_is_measured_in_any_text_or_refused(text: str, prompt: str, training: str) -> None:
    with refused_in_words():
        ids = text_to_token_ids(training[:500], tokenizer)[0]
        copying = find_copying(text[:300], prompt[:100], ids, tokenizer)
        assert 0 <= copying.fraction <= 1
