"""What a class has on record: what is shared, and the rules."""

import time
from contextlib import closing
from pathlib import Path

from gpt_core.store import RunStore, ShareKind
from gpt_core.store.database import WATCH_SECONDS
from tests.support.stored_runs import add_run


def test_what_was_said_last_of_a_share_counts(store: RunStore) -> None:
    book = store.class_store
    assert book.shared() == frozenset()
    book.add_share(ShareKind.TEXT, "abc", "ann", shared=True)
    book.add_share(ShareKind.MODEL, "abc", "ann", shared=True)
    book.add_share(ShareKind.TEXT, "abc", "ben", shared=True)  # the same text, and another's word
    book.add_share(ShareKind.TEXT, "abc", "ann", shared=False)
    assert book.shared() == {(ShareKind.MODEL, "abc", "ann"), (ShareKind.TEXT, "abc", "ben")}
    book.add_share(ShareKind.TEXT, "abc", "ann", shared=True)
    assert (ShareKind.TEXT, "abc", "ann") in book.shared()


def test_a_deleted_run_takes_its_share_along(store: RunStore) -> None:
    add_run(store)
    store.class_store.add_share(ShareKind.RUN, "a-run", "ann", shared=True)
    store.remove_run("a-run", "ann")
    assert store.class_store.shared() == frozenset()


def test_names_are_kept_of_those_who_were_sent_out(store: RunStore) -> None:
    book = store.class_store
    book.add_member("s-1", "Ann", "hash of her token")
    book.add_member("s-2", "Ben", "hash of his")
    book.revoke_member("s-1", "teacher")
    assert book.names() == {"s-1": "Ann", "s-2": "Ben"}
    assert [row.name for row in book.members()] == ["Ben"]


def test_who_is_signed_in_shows_at_once_here_and_soon_in_another_process(tmp_path: Path) -> None:
    now = [1000.0]
    with closing(RunStore(tmp_path, clock=lambda: now[0])) as store:
        book = store.class_store
        assert book.member("hers", 60) is None
        book.add_member("s-1", "Ann", "hers")
        book.add_member("s-1", "Ann", "her phone's")
        assert book.member("hers", 60) == book.member("her phone's", 60)
        now[0] += 61
        assert book.member("hers", 60) is None
        assert book.member("hers", 120) is not None
        book.revoke_browser("hers", "s-1")
        assert book.member("hers", 120) is None
        assert book.member("her phone's", 120) is not None
        with closing(RunStore(tmp_path)) as other:  # not the same object: as another process
            other.class_store.revoke_member("s-1", "teacher")
        time.sleep(2 * WATCH_SECONDS)
        assert book.member("her phone's", 120) is None


def test_the_rules_written_last_hold(store: RunStore) -> None:
    book = store.class_store
    assert book.rules() == {}
    book.add_rules({"most_steps": 5}, "teacher")
    book.add_rules({"presets": ("pocket",)}, "teacher")
    assert book.rules() == {"presets": ["pocket"]}
