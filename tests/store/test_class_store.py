"""What a class has on record: what is shared, and the rules."""

from gpt_core.store import RunStore, ShareKind
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


def test_the_rules_written_last_hold(store: RunStore) -> None:
    book = store.class_store
    assert book.rules() == {}
    book.add_rules({"most_steps": 5}, "teacher")
    book.add_rules({"presets": ("pocket",)}, "teacher")
    assert book.rules() == {"presets": ["pocket"]}
