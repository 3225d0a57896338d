import json
from pathlib import Path

import pytest

from gpt_core.access import PermissionDenied
from gpt_core.library import TextLibrary
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import Corpus, load_text
from tests.support.runs import LONG, wait_for_steps

BOOK = Corpus('<b>"A book"</b>.epub', "Once upon a time, größer als Häuser. " * 20)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path)


def test_a_text_is_kept_with_its_name_size_and_source_and_given_back(store: RunStore) -> None:
    library = TextLibrary(store, clock=lambda: 5.0, actor="local")
    library.keep(BOOK, "uploaded")
    (card,) = TextLibrary(store, actor="local").texts()  # as another visit sees it
    assert (card.name, card.source, card.kept_at) == (BOOK.name, "uploaded", 5.0)
    assert card.characters == len(BOOK.text)
    assert card.bytes == len(BOOK.text.encode())
    assert TextLibrary(store, actor="local").load(card.sha256) == BOOK


def test_the_same_text_is_kept_once_under_its_newest_name(store: RunStore) -> None:
    library = TextLibrary(store, actor="local")
    library.keep(BOOK, "uploaded")
    library.keep(Corpus("another name", BOOK.text), "pasted")
    assert [card.name for card in library.texts()] == ["another name"]


def test_the_newest_text_comes_first(store: RunStore) -> None:
    times = iter([1.0, 2.0])
    library = TextLibrary(store, clock=lambda: next(times), actor="local")
    library.keep(BOOK, "uploaded")
    library.keep(load_text("counting"), "uploaded")
    assert [card.kept_at for card in library.texts()] == [2.0, 1.0]


def test_a_deleted_text_is_gone_with_all_that_was_made_of_it(store: RunStore) -> None:
    library = TextLibrary(store, actor="local")
    card = library.keep(BOOK, "uploaded")
    tokens = store.runs_dir / "tokens" / f"{card.sha256}-0-9.npy"
    tokens.parent.mkdir()
    tokens.touch()
    library.delete(card.sha256)
    assert library.texts() == []
    assert not list(store.runs_dir.rglob(f"*{card.sha256}*"))
    with pytest.raises(ValueError, match="not here any more"):
        library.load(card.sha256)
    library.delete(card.sha256)  # by a second click: nothing is left to do


def test_a_text_that_a_run_was_trained_on_stays(store: RunStore) -> None:
    corpus = Corpus("mine", load_text("counting").text)
    library = TextLibrary(store, actor="local")
    card = library.keep(corpus, "uploaded")
    runner = TrainingRunner(store)
    run_id = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 1)
    runner.close()
    with pytest.raises(ValueError, match=f"1 run used this text.*{run_id}.*it stays"):
        library.delete(card.sha256)
    assert library.load(card.sha256) == corpus


def test_a_damaged_card_or_text_is_passed_over_or_said(store: RunStore) -> None:
    library = TextLibrary(store, actor="local")
    card = library.keep(BOOK, "uploaded")
    (store.runs_dir / "texts" / f"{'0' * 64}.json").write_text("{not json")
    (store.runs_dir / "texts" / f"{'1' * 64}.json").write_text(json.dumps({"sha256": 5}))
    assert library.texts() == [card]
    store.text_path(card.sha256).write_text("something else")
    with pytest.raises(ValueError, match="missing or damaged"):
        library.load(card.sha256)


def test_nothing_is_written_outside_the_runs_directory(tmp_path: Path) -> None:
    library = TextLibrary(RunStore(tmp_path / "runs"), actor="local")
    library.keep(Corpus("../../../etc/passwd\0".replace("\0", ""), "text"), "uploaded")
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_student_sees_their_own_texts_and_those_that_are_shared(store: RunStore) -> None:
    ann, ben, teacher = (TextLibrary(store, actor=actor) for actor in ("ann", "ben", "teacher"))
    card = ann.keep(BOOK, "pasted")
    assert [text.name for text in ann.texts()] == [BOOK.name]
    assert ben.texts() == []
    with pytest.raises(PermissionDenied, match="not yours, and its owner does not share it"):
        ben.load(card.sha256)
    assert teacher.load(card.sha256) == BOOK
    ann.share(card, True)
    assert ben.load(card.sha256) == BOOK
    [seen] = ben.texts()
    for doing in (lambda: ben.share(seen, False), lambda: ben.delete(seen.sha256, "ann")):
        with pytest.raises(PermissionDenied, match="only its owner or the teacher"):
            doing()
    ann.share(card, False)
    assert ben.texts() == []
    doings = [row.doing for row in store.class_store.refusals()]
    assert doings == ["read the text", "share the text", "delete the text"]


def test_two_who_keep_the_same_text_know_nothing_of_each_other(store: RunStore) -> None:
    ann, ben = TextLibrary(store, actor="ann"), TextLibrary(store, actor="ben")
    card = ann.keep(BOOK, "uploaded")
    ben.keep(Corpus("Ben's name for it", BOOK.text), "pasted")
    assert [text.name for text in ann.texts()] == [BOOK.name]
    assert [text.name for text in ben.texts()] == ["Ben's name for it"]
    assert len(TextLibrary(store, actor="local").entries()) == 2
    assert len(TextLibrary(store, actor="local").texts()) == 1  # to choose from, each text once
    ann.delete(card.sha256)
    assert ann.texts() == []
    assert ben.load(card.sha256) == Corpus("Ben's name for it", BOOK.text)
    TextLibrary(store, actor="teacher").delete(card.sha256, "ben")
    assert not list(store.runs_dir.rglob(f"*{card.sha256}*"))


def test_a_text_that_anothers_run_needs_can_be_given_up_by_who_has_no_run(
    store: RunStore, runner: TrainingRunner
) -> None:
    text = Corpus("handed out", load_text("counting").text.replace("one", "eleven"))
    ann, ben = TextLibrary(store, actor="ann"), TextLibrary(store, actor="ben")
    card = ann.keep(text, "pasted")
    ann.share(card, True)
    run_id = runner.start(LONG, ben.load(card.sha256), actor="ben")
    ann.delete(card.sha256)
    assert ann.texts() == ben.texts() == []
    assert store.text(card.sha256) == text.text  # Ben's run goes on
    assert store.class_store.shared() == frozenset()
    runner.stop(run_id, actor="ben").result(30)
    ben.keep(text, "pasted")
    with pytest.raises(ValueError, match="1 run used this text"):
        ben.delete(card.sha256)
