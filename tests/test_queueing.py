"""A fair turn for everyone: the order in which waiting runs begin."""

from gpt_core.queueing import Waiting, expected_order, next_run

ANN_1, ANN_2, ANN_3 = (Waiting(f"ann-{i}", "ann") for i in (1, 2, 3))
BEN_1, BEN_2 = (Waiting(f"ben-{i}", "ben") for i in (1, 2))
CLEO_1 = Waiting("cleo-1", "cleo")
LOCAL_1, LOCAL_2 = (Waiting(f"local-{i}", "local") for i in (1, 2))


def test_an_empty_queue_has_no_next_run() -> None:
    assert next_run([], [], []) is None
    assert expected_order([], ["ann"], []) == []


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
    many = [Waiting(f"ann-{i}", "ann") for i in range(10)]
    order = expected_order([*many, BEN_1, CLEO_1], ["ann"], ["ann"])
    assert order[:3] == ["ben-1", "cleo-1", "ann-0"]
    assert order[3:] == [f"ann-{i}" for i in range(1, 10)]


def test_owners_take_turns() -> None:
    queue = [ANN_1, ANN_2, ANN_3, BEN_1, BEN_2, CLEO_1]
    order = expected_order(queue, [], [])
    assert order == ["ann-1", "ben-1", "cleo-1", "ann-2", "ben-2", "ann-3"]


def test_the_expected_order_is_the_one_that_comes_about() -> None:
    queue = [ANN_1, BEN_1, ANN_2, LOCAL_1, CLEO_1, LOCAL_2, BEN_2, ANN_3]
    expected = expected_order(queue, ["cleo"], ["cleo"])
    left, running, served, begun = list(queue), ["cleo"], ["cleo"], []
    while left:
        running.pop(0)  # one place: the run there ends, and the next begins
        run = next_run(left, running, served)
        assert run is not None
        left.remove(run)
        begun.append(run.run_id)
        running.append(run.owner)
        served = [*(owner for owner in served if owner != run.owner), run.owner]
    assert begun == expected
