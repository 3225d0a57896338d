"""A fair turn for everyone: the order in which waiting runs begin."""

import math
from collections.abc import Sequence

from gpt_core.runner.queue.fair_queue import (
    FairQueue,
    QueuedRun,
    allowed_at,
    has_its_places,
    next_run,
)

ANN_1, ANN_2, ANN_3 = (QueuedRun(f"ann-{i}", "ann") for i in (1, 2, 3))
BEN_1, BEN_2 = (QueuedRun(f"ben-{i}", "ben") for i in (1, 2))
CLEO_1 = QueuedRun("cleo-1", "cleo")
LOCAL_1, LOCAL_2 = (QueuedRun(f"local-{i}", "local") for i in (1, 2))


def expected_order(
    waiting: Sequence[QueuedRun], running: Sequence[QueuedRun] = (), queue: FairQueue | None = None
) -> list[str]:
    return list((queue or FairQueue()).expected_starts(waiting, running, [1], {}))


def after_turns_of(*owners: str) -> FairQueue:
    """A queue of which these owners have had their turns, one after the other."""
    queue = FairQueue()
    for owner in owners:
        assert queue.take([QueuedRun(f"earlier of {owner}", owner)], [])
    return queue


def test_an_empty_queue_has_no_next_run() -> None:
    assert next_run([], [], []) is None
    assert expected_order([], [ANN_1]) == []


def test_who_has_had_no_turn_comes_before_who_has() -> None:
    queue = [ANN_2, ANN_3, BEN_1]
    assert next_run(queue, [], ["ann"]) == BEN_1
    assert next_run(queue, [], []) == ANN_2  # else the order of arrival
    assert next_run([ANN_2, BEN_2], [], ["ben", "ann"]) == BEN_2


def test_a_student_has_one_running_run_however_many_places_are_free() -> None:
    assert next_run([ANN_2], ["ann"], ["ann"]) is None
    assert next_run([ANN_2, BEN_1], ["ann"], ["ben", "ann"]) == BEN_1


def test_who_is_alone_on_the_machine_may_fill_every_place() -> None:
    assert next_run([LOCAL_2], ["local"], ["local"]) == LOCAL_2


def test_ten_runs_of_one_student_do_not_keep_the_others_waiting() -> None:
    many = [QueuedRun(f"ann-{i}", "ann") for i in range(10)]
    order = expected_order([*many, BEN_1, CLEO_1], [ANN_3], after_turns_of("ann"))
    assert order[:3] == ["ben-1", "cleo-1", "ann-0"]
    assert order[3:] == [f"ann-{i}" for i in range(1, 10)]


def test_owners_take_turns() -> None:
    queue = [ANN_1, ANN_2, ANN_3, BEN_1, BEN_2, CLEO_1]
    assert expected_order(queue) == ["ann-1", "ben-1", "cleo-1", "ann-2", "ben-2", "ann-3"]


def test_the_expected_order_is_the_one_that_comes_about() -> None:
    left = [ANN_1, BEN_1, ANN_2, LOCAL_1, CLEO_1, LOCAL_2, BEN_2, ANN_3]
    queue = after_turns_of("cleo")
    queue.move("ann-3", 1, expected_order(left, [], queue))
    expected = expected_order(left, [CLEO_1], queue)
    begun = []
    while left:
        run = queue.take(left, [])
        assert run is not None
        left.remove(run)
        begun.append(run.run_id)
    assert begun == expected
    assert begun[1] == "ann-3"


def test_a_run_is_expected_when_what_comes_before_it_has_ended() -> None:
    seconds = {"ann-1": 30.0, "ben-1": 100.0, "cleo-1": 10.0, "ann-2": 5.0}
    waiting = [BEN_1, CLEO_1, ANN_2]
    starts = after_turns_of("ann").expected_starts(waiting, [ANN_1], [1], seconds)
    assert starts == {"ben-1": 30, "cleo-1": 130, "ann-2": 140}
    starts = after_turns_of("ann").expected_starts(waiting, [ANN_1], [2], seconds)
    assert starts == {"ben-1": 0, "cleo-1": 30, "ann-2": 40}  # Ann's waits for her own as well
    starts = FairQueue().expected_starts([ANN_2], [ANN_1], [2], seconds)
    assert starts == {"ann-2": 30}  # there is a place, and it is not for her


def test_behind_a_run_of_unknown_length_nobody_knows_when() -> None:
    starts = FairQueue().expected_starts(
        [BEN_1, CLEO_1], [ANN_1], [1], {"ann-1": 8.0, "cleo-1": 1.0}
    )
    assert starts == {"ben-1": 8, "cleo-1": math.inf}


def test_a_moved_run_comes_where_the_teacher_puts_it() -> None:
    waiting = [ANN_1, BEN_1, CLEO_1, ANN_2, BEN_2]
    queue = FairQueue()
    queue.move("ben-2", 0, expected_order(waiting))
    assert expected_order(waiting, [], queue) == ["ben-2", "ann-1", "cleo-1", "ben-1", "ann-2"]
    queue.move("ann-2", 1, expected_order(waiting, [], queue))
    order = expected_order(waiting, [], queue)
    assert order[:2] == ["ben-2", "ann-2"]
    queue.move("ben-2", 2, order)  # down again
    assert expected_order(waiting, [], queue)[2] == "ben-2"
    before = expected_order(waiting, [], queue)
    queue.move("not waiting", 0, before)
    assert expected_order(waiting, [], queue) == before


def test_what_the_teacher_has_put_first_does_not_break_one_run_per_student() -> None:
    queue = FairQueue()
    queue.move("ann-2", 0, expected_order([ANN_2, BEN_1]))
    assert queue.take([ANN_2, BEN_1], ["ann"]) == BEN_1


def test_while_the_queue_is_held_only_the_teachers_runs_begin() -> None:
    queue = FairQueue()
    queue.held = True
    assert queue.take([ANN_1, BEN_1], []) is None
    assert queue.take([ANN_1, LOCAL_1], []) == LOCAL_1
    queue.held = False
    assert queue.take([ANN_1, BEN_1], []) == ANN_1


ON_ANY = frozenset(range(4))
BEFORE, AFTER = (QueuedRun(name, "local", ON_ANY) for name in ("before", "after"))
TOGETHER = QueuedRun("together", "local", frozenset({1, 2}), needs_all=True)
OTHERS = QueuedRun("others", "local", frozenset({0, 3}), needs_all=True)


def trains_at(place: int) -> QueuedRun:
    return QueuedRun(f"at {place}", "local", frozenset({place}))


def test_what_is_queued_behind_a_run_of_several_devices_does_not_begin_there_before_it() -> None:
    waiting = [BEFORE, TOGETHER, AFTER]
    assert allowed_at(0, waiting) == [BEFORE, AFTER]
    assert allowed_at(1, waiting) == [BEFORE]


def test_a_run_of_several_devices_begins_when_nothing_needs_them_before_it() -> None:
    assert has_its_places(TOGETHER, [TOGETHER, AFTER], [trains_at(0), OTHERS])
    assert not has_its_places(TOGETHER, [TOGETHER], [trains_at(2)])
    assert not has_its_places(TOGETHER, [BEFORE, TOGETHER], [])


def test_it_is_expected_once_all_its_devices_are_free_and_others_after_it() -> None:
    seconds = {"at 1": 10.0, "at 2": 30.0, "at 0": 50.0, "together": 5.0, "after": 1.0}
    running = [trains_at(place) for place in (0, 1, 2)]
    starts = FairQueue().expected_starts([TOGETHER, AFTER], running, [1, 1, 1], seconds)
    assert starts == {"together": 30, "after": 35}
    starts = FairQueue().expected_starts([TOGETHER, AFTER], running, [1, 1, 1, 1], seconds)
    assert starts == {"after": 0, "together": 30}  # the fourth device is free


def test_a_run_waits_for_a_device_of_its_kind() -> None:
    on_gpu = QueuedRun("on a GPU", "local", frozenset({1}))
    seconds = {"at 0": 8.0, "at 1": 20.0}
    running = [trains_at(0), trains_at(1)]
    assert FairQueue().expected_starts([on_gpu], running, [1, 1], seconds) == {"on a GPU": 20}
