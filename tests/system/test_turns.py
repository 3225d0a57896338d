import threading
import time
from collections.abc import Callable

import pytest

from gpt_core.system import ReadingTurns


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(3000):
        if is_so():
            return
        time.sleep(0.01)
    pytest.fail("it never was")


class Reader:
    """A thread that reads in a turn until it is told to end."""

    def __init__(self, turns: ReadingTurns, owner: str, begun: list[str]) -> None:
        self.told: list[str] = []
        self.ending = threading.Event()

        def read() -> None:
            with turns.turn(owner, self.told.append):
                begun.append(owner)
                self.ending.wait(30)

        self.thread = threading.Thread(target=read)
        self.thread.start()

    def end(self) -> None:
        self.ending.set()
        self.thread.join()


def test_two_read_at_once_and_the_others_are_told_that_they_wait() -> None:
    turns, begun = ReadingTurns(2), list[str]()
    readers = [Reader(turns, owner, begun) for owner in ("ann", "bob")]
    wait_until(lambda: len(begun) == 2)
    late = Reader(turns, "cem", begun)
    wait_until(lambda: len(late.told) > 1)
    assert sorted(begun) == ["ann", "bob"]
    assert set(late.told) == {"Waiting for its turn: other files are being read."}
    readers[0].end()
    wait_until(lambda: len(begun) == 3)
    for reader in (readers[1], late):
        reader.end()
    assert not readers[1].told


def test_many_files_of_one_wait_for_the_first_of_another() -> None:
    turns, begun = ReadingTurns(1), list[str]()
    greedy = [Reader(turns, "ann", begun) for _ in range(4)]
    wait_until(lambda: begun == ["ann"])
    other = Reader(turns, "bob", begun)
    wait_until(lambda: bool(other.told))
    for reader in greedy:  # whichever of them has the turn
        reader.ending.set()
    wait_until(lambda: len(begun) > 1)
    assert begun[:2] == ["ann", "bob"]
    other.ending.set()
    for reader in (*greedy, other):
        reader.thread.join()
    assert begun == ["ann", "bob", "ann", "ann", "ann"]


def test_who_gives_up_waiting_or_reading_leaves_the_turn_to_others() -> None:
    class TabClosed(BaseException):
        pass

    def close(_: str) -> None:
        raise TabClosed

    turns, begun = ReadingTurns(1), list[str]()
    reader = Reader(turns, "ann", begun)
    wait_until(lambda: begun == ["ann"])
    with pytest.raises(TabClosed), turns.turn("bob", close):
        pytest.fail("it had a turn")
    reader.end()
    with pytest.raises(TabClosed), turns.turn("bob", close):
        raise TabClosed
    with turns.turn("cem", close):
        pass
