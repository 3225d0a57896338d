"""Turns of a member's pages, in real threads, with a clock that only the test moves."""

import threading
from collections.abc import Iterator

import pytest

from dashboard.app.turns import LONG_SECONDS, PageTurns
from tests.support.paths import ROOT

SOON = 20.0  # seconds after which a test gives up


class Clock:
    """A clock that stands still."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Page(threading.Thread):
    """A page that is drawn until the test ends it."""

    def __init__(self, turns: PageTurns, member_id: str) -> None:
        super().__init__(daemon=True)
        self._turns, self._member_id = turns, member_id
        self.began, self._may_end = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self._turns.turn(self._member_id), self._turns.turn(self._member_id):  # a fragment
            self.began.set()
            self._may_end.wait(SOON)

    def end(self) -> None:
        self._may_end.set()
        self.join(SOON)


@pytest.fixture
def clock() -> Iterator[Clock]:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> PageTurns:
    return PageTurns(clock)


def wait_for(turns: PageTurns, member_id: str, waiting: int) -> None:
    """Wait until so many pages of a member wait for their turn."""
    while turns._lines[member_id].waiting != waiting:
        threading.Event().wait(0.001)


def test_the_pages_of_a_member_are_drawn_one_at_a_time_and_those_of_others_beside(
    turns: PageTurns,
) -> None:
    anns = [Page(turns, "ann")]
    assert anns[0].began.wait(SOON)
    anns += [Page(turns, "ann") for _ in range(9)]
    wait_for(turns, "ann", 9)
    ben = Page(turns, "ben")
    assert ben.began.wait(SOON)
    assert [page.began.is_set() for page in anns] == [True] + [False] * 9
    anns[0].end()
    while not any(page.began.wait(0.001) for page in anns[1:]):
        pass
    wait_for(turns, "ann", 8)
    assert sum(page.began.is_set() for page in anns) == 2
    for page in (ben, *anns):
        page._may_end.set()
    for page in (ben, *anns):
        page.join(SOON)
        assert page.began.is_set()
    assert turns._lines == {}


def test_a_rest_as_long_as_the_drawing_comes_between_two_pages(
    turns: PageTurns, clock: Clock
) -> None:
    first = Page(turns, "ann")
    assert first.began.wait(SOON)
    second = Page(turns, "ann")
    wait_for(turns, "ann", 1)
    clock.now = 0.25
    first.end()
    assert not second.began.wait(0.3)  # the clock stands still
    clock.now = 0.5
    assert second.began.wait(SOON)
    second.end()
    third = Page(turns, "ann")  # no other page has waited
    assert third.began.wait(SOON)
    third.end()


def test_a_page_that_waits_for_a_file_or_a_model_holds_up_no_other(
    turns: PageTurns, clock: Clock
) -> None:
    slow = Page(turns, "ann")
    assert slow.began.wait(SOON)
    other = Page(turns, "ann")
    wait_for(turns, "ann", 1)
    clock.now = LONG_SECONDS
    assert other.began.wait(SOON)
    other.end()
    slow.end()


def test_pages_and_fragments_take_turns_where_membership_is_checked() -> None:
    for path, checks, draws in (
        ("main.py", "require_member()", "page.run()"),
        ("dashboard/app/fragments.py", "if was_sent_out()", "draw(*args, **kwargs)"),
    ):
        source = (ROOT / path).read_text(encoding="utf-8")
        assert source.index(checks) < source.index("with page_turn():") < source.index(draws)
