"""Who belongs to a class: join codes, tokens, and what becomes of wrong ones."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from gpt_core.access import PermissionDenied, Roster
from gpt_core.access.roster import (
    CODE_LETTERS,
    JOINS_SECONDS,
    MAX_JOINS,
    SCHOOL_DAY_HOURS,
    new_code,
)
from gpt_core.access.tries import FREE_TRIES, MAX_DELAY_SECONDS, WITHIN_SECONDS
from gpt_core.store import RunStore

CODE, PASSPHRASE, HERE = "abc234", "a-long-passphrase", "192.168.1.5"


class Timer:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def roster(store: RunStore, timer: Timer) -> Roster:
    return Roster(store, CODE, PASSPHRASE, timer)


def test_who_joins_is_known_by_the_token_and_by_nothing_else(roster: Roster) -> None:
    token = roster.join(" Ann\n Lee ", "ABC 234", HERE)
    ann = roster.who(token)
    assert ann is not None
    assert (ann.name, ann.is_teacher) == ("Ann Lee", False)
    assert roster.members() == [ann]
    for guess in (None, "", token[:-1], token + "a", token.swapcase(), ann.id, ann.name):
        assert roster.who(guess) is None


def test_the_store_holds_no_token_that_could_be_used(roster: Roster, store: RunStore) -> None:
    token = roster.join("Ann", CODE, HERE)
    [member] = store.class_store.members()
    assert token not in str(member)
    with closing(sqlite3.connect(store.runs_dir / "runs.sqlite")) as connection:
        [row] = connection.execute("SELECT * FROM members").fetchall()
        [(token_sha256,)] = connection.execute("SELECT token_sha256 FROM members").fetchall()
    assert token not in str(row)
    assert roster.who(token_sha256) is None


def test_members_stay_when_the_app_starts_again(
    roster: Roster, store: RunStore, tmp_path: Path
) -> None:
    tokens = [roster.join("Ann", CODE, HERE), roster.sign_in_teacher(PASSPHRASE, HERE)]
    with closing(RunStore(tmp_path)) as opened:
        again = Roster(opened, passphrase=PASSPHRASE)
        for token in tokens:
            assert again.who(token) == roster.who(token) is not None


def test_with_another_passphrase_all_have_to_come_in_again(roster: Roster, store: RunStore) -> None:
    student, teacher = roster.join("Ann", CODE, HERE), roster.sign_in_teacher(PASSPHRASE, HERE)
    for passphrase in ("another passphrase", None):
        changed = Roster(store, CODE, passphrase)
        assert changed.who(student) is changed.who(teacher) is None


def test_a_passphrase_that_is_generated_at_each_start_ends_the_teachers_token_alone(
    store: RunStore,
) -> None:
    first = Roster(store, CODE)
    student = first.join("Ann", CODE, HERE)
    teacher = first.sign_in_teacher(first.passphrase, HERE)
    assert first.who(teacher) is not None
    again = Roster(store, CODE)
    assert again.who(student) == first.who(student) is not None
    assert again.who(teacher) is None


def test_a_browser_is_signed_out_after_a_school_day_and_its_student_returns(tmp_path: Path) -> None:
    clock = Timer()
    with closing(RunStore(tmp_path, clock)) as store:
        roster = Roster(store, CODE, PASSPHRASE, clock)
        tokens = [roster.join("Ann", CODE, HERE), roster.sign_in_teacher(PASSPHRASE, HERE)]
        ann, code = roster.who(tokens[0]), roster.rejoin_code(tokens[0])
        assert ann is not None
        assert code is not None
        clock.now = 3600 * SCHOOL_DAY_HOURS - 1
        assert all(roster.who(token) for token in tokens)
        clock.now += 2
        assert not any(roster.who(token) for token in tokens)
        assert roster.who(roster.join("Ann", code, HERE)) == ann
        longer = Roster(store, CODE, PASSPHRASE, clock, hours=24)
        assert all(longer.who(token) for token in tokens)


@pytest.mark.parametrize("is_generated", [True, False])
def test_a_token_that_was_given_up_opens_nothing(store: RunStore, is_generated: bool) -> None:
    roster = Roster(store, CODE, None if is_generated else PASSPHRASE)
    for token in (roster.join("Ann", CODE, HERE), roster.sign_in_teacher(roster.passphrase, HERE)):
        roster.sign_out(token)
        assert roster.who(token) is None


def test_two_of_one_name_are_told_apart(roster: Roster) -> None:
    for name in ("Ann", "ann", "Ann 2", "Ann"):
        roster.join(name, CODE, HERE)
    names = [member.name for member in roster.members()]
    assert names == ["Ann", "ann 2", "Ann 2 2", "Ann 3"]
    assert len({member.id for member in roster.members()}) == 4


@pytest.mark.parametrize("name", ["", "  ", "\n\t", "\u200b\u202e", "\u3164", "a" * 41])
def test_a_name_that_cannot_be_shown_is_refused(roster: Roster, name: str) -> None:
    with pytest.raises(ValueError, match=r"The name is (empty|too long)"):
        roster.join(name, CODE, HERE)
    assert roster.members() == []


def test_the_teacher_signs_in_from_several_browsers_and_is_no_student(roster: Roster) -> None:
    tokens = {roster.sign_in_teacher(PASSPHRASE, HERE) for _ in range(2)}
    assert len(tokens) == 2
    for token in tokens:
        member = roster.who(token)
        assert member is not None
        assert member.is_teacher
    assert roster.members() == []
    with pytest.raises(ValueError, match="passphrase is wrong"):
        roster.sign_in_teacher(CODE, HERE)  # the students' code opens nothing here


def test_a_student_who_calls_herself_teacher_is_a_student(roster: Roster) -> None:
    member = roster.who(roster.join("Teacher", CODE, HERE))
    assert member is not None
    assert not member.is_teacher
    assert member.name == "Teacher 2"  # and everybody can read that


def test_two_who_join_at_once_under_one_name_are_told_apart(roster: Roster) -> None:
    threads = [
        threading.Thread(target=roster.join, args=("Anna", CODE, f"192.168.1.{i}"))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({member.name for member in roster.members()}) == 8


def test_wrong_codes_delay_the_next_ones_and_refuse_no_right_one(
    roster: Roster, timer: Timer
) -> None:
    waits = [roster.seconds_to_wait(HERE, "Ann", "aaaaaa") for _ in range(200)]
    assert waits[:FREE_TRIES] == [0.0] * FREE_TRIES  # a whole class behind one router
    assert waits == sorted(waits)
    assert waits[-1] == MAX_DELAY_SECONDS
    assert roster.who(roster.join("Ann", CODE, HERE))  # it waits, and is let in
    assert roster.seconds_to_wait("192.168.1.6") == 0.0  # the teacher, from elsewhere
    assert 0 < roster.seconds_to_wait(HERE) <= MAX_DELAY_SECONDS
    timer.now += WITHIN_SECONDS
    assert roster.seconds_to_wait(HERE, "Ann", CODE) == 0.0


def test_guesses_from_many_addresses_delay_only_what_they_want_to_open(roster: Roster) -> None:
    for i in range(200):
        last = roster.seconds_to_wait(f"10.0.0.{i}", "Ann", "abcd-efgh")
    assert last == MAX_DELAY_SECONDS
    assert roster.seconds_to_wait(HERE, "\uff21nn", "abcd-efgh") == MAX_DELAY_SECONDS  # also Ann
    assert roster.seconds_to_wait(HERE, "Ben", "abcd-efgh") == 0.0
    assert roster.seconds_to_wait(HERE, "Ann", CODE) == 0.0
    assert roster.seconds_to_wait(HERE) == 0.0


def test_right_codes_do_not_count_as_tries(roster: Roster, timer: Timer) -> None:
    for i in range(FREE_TRIES + 20):
        timer.now += JOINS_SECONDS / 10
        assert roster.seconds_to_wait(HERE, f"S{i}", CODE) == 0.0
        roster.join(f"S{i}", CODE, HERE)
        assert roster.seconds_to_wait(HERE) == 0.0
        roster.sign_in_teacher(PASSPHRASE, HERE)


def test_two_hundred_who_join_at_once_are_limited(roster: Roster, timer: Timer) -> None:
    for i in range(MAX_JOINS):
        roster.join(f"S{i}", CODE, HERE)
    with pytest.raises(ValueError, match="Very many are joining"):
        roster.join("Ann", CODE, "192.168.1.6")
    assert roster.count_joined() == MAX_JOINS == len(roster.members())
    timer.now += JOINS_SECONDS
    assert roster.count_joined() == 0
    assert roster.join("Ann", CODE, HERE)


def test_the_teacher_closes_the_class_to_new_students_alone(roster: Roster) -> None:
    token = roster.join("Ann", CODE, HERE)
    [ann], code = roster.members(), rejoin_code(roster, token)
    with pytest.raises(PermissionDenied, match="Only the teacher"):
        roster.set_open(False, actor=ann.id)
    roster.set_open(False, actor="teacher")
    with pytest.raises(ValueError, match="closed the class to new students"):
        roster.join("Ben", CODE, HERE)
    assert roster.who(roster.join("Ann", code, HERE)) == ann
    assert roster.who(roster.sign_in_teacher(PASSPHRASE, HERE))
    roster.set_open(True, actor="teacher")
    assert roster.join("Ben", CODE, HERE)


@pytest.mark.parametrize(
    "name",
    ["ANN", "\uff21\uff2e\uff2e", "A\u200dnn", "Ann\ufe0f", "A\u034fnn", "Ann\u00a0", "\u3164Ann"],
)
def test_names_that_look_alike_are_one_name(roster: Roster, name: str) -> None:
    token = roster.join("Ann", CODE, HERE)
    other = roster.who(roster.join(name, CODE, HERE))
    assert other is not None
    assert other.name.endswith(" 2")
    assert roster.who(roster.join(name, rejoin_code(roster, token), HERE)) == roster.who(token)


def test_only_the_teacher_sends_somebody_out_and_who_is_out_is_nobody(
    roster: Roster, store: RunStore
) -> None:
    ann_token, ben_token = roster.join("Ann", CODE, HERE), roster.join("Ben", CODE, HERE)
    ann, ben = roster.members()
    with pytest.raises(PermissionDenied, match="Only the teacher"):
        roster.revoke(ann.id, actor=ben.id)
    assert [row.actor for row in store.class_store.refusals()] == [ben.id]
    assert roster.who(ann_token) == ann
    roster.revoke(ann.id, actor="teacher")
    assert roster.who(ann_token) is None
    assert roster.who(ben_token) == ben
    assert roster.members() == [ben]


def test_made_up_codes_can_be_read_aloud_and_differ() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) > 990
    assert set("".join(codes)) <= set(CODE_LETTERS)
    assert not set("01ilo") & set(CODE_LETTERS)


# Coming back


def rejoin_code(roster: Roster, token: str) -> str:
    code = roster.rejoin_code(token)
    assert code is not None
    return code


def test_a_student_returns_from_another_browser_as_who_they_were(
    roster: Roster, store: RunStore, tmp_path: Path
) -> None:
    token = roster.join("Ann", CODE, HERE)
    ann, code = roster.who(token), rejoin_code(roster, token)
    assert code == rejoin_code(roster, token)
    roster.join("Ben", CODE, HERE)
    later = Roster(RunStore(tmp_path), None, PASSPHRASE)  # another join code
    again = later.join(" ANN", f" {code.upper().replace('-', ' ')} ", HERE)
    assert again != token
    assert later.who(again) == later.who(token) == ann
    assert [member.name for member in later.members()] == ["Ann", "Ben"]
    assert rejoin_code(later, again) != code  # this browser has one of its own, and both are valid
    assert later.who(later.join("Ann", rejoin_code(later, again), HERE)) == ann


def test_a_rejoin_code_is_its_students_alone_and_is_stored_as_a_hash(
    roster: Roster, store: RunStore
) -> None:
    token = roster.join("Ann", CODE, HERE)
    roster.join("Ben", CODE, HERE)
    code = rejoin_code(roster, token)
    for name in ("Ben", "Ann 2", ""):
        with pytest.raises(ValueError, match="join code is wrong"):
            roster.join(name, code, HERE)
    with closing(sqlite3.connect(store.runs_dir / "runs.sqlite")) as connection:
        stored = str(connection.execute("SELECT * FROM rejoin_codes").fetchall())
    assert code not in stored
    assert code.replace("-", "") not in stored
    assert roster.rejoin_code(roster.sign_in_teacher(PASSPHRASE, HERE)) is None


def test_who_leaves_keeps_the_name_and_may_return(roster: Roster) -> None:
    token = roster.join("Ann", CODE, HERE)
    ann, code = roster.who(token), rejoin_code(roster, token)
    roster.sign_out(token)
    assert roster.who(token) is None
    assert roster.members() == []
    other = roster.who(roster.join("Ann", CODE, HERE))
    assert other is not None
    assert other.name == "Ann 2"
    assert roster.who(roster.join("Ann", code, HERE)) == ann


def test_the_teacher_issues_a_code_which_replaces_the_lost_one(
    roster: Roster, store: RunStore
) -> None:
    token = roster.join("Ann", CODE, HERE)
    ann, lost = roster.who(token), rejoin_code(roster, token)
    assert ann is not None
    with pytest.raises(PermissionDenied, match="Only the teacher"):
        roster.issue_rejoin_code(ann.id, actor=ann.id)
    with pytest.raises(ValueError, match="There is no student teacher"):
        roster.issue_rejoin_code("teacher", actor="teacher")
    code = roster.issue_rejoin_code(ann.id, actor="teacher")
    with pytest.raises(ValueError, match="join code is wrong"):
        roster.join("Ann", lost, HERE)
    assert roster.who(roster.join("Ann", code, HERE)) == ann
    assert roster.who(token) == ann  # her first browser stays in,
    assert roster.rejoin_code(token) is None  # and no longer shows the lost code


def test_who_was_sent_out_does_not_return_with_a_code(roster: Roster) -> None:
    token = roster.join("Ann", CODE, HERE)
    [ann], code = roster.members(), rejoin_code(roster, token)
    roster.revoke(ann.id, actor="teacher")
    with pytest.raises(ValueError, match="join code is wrong"):
        roster.join("Ann", code, HERE)
    code = roster.issue_rejoin_code(ann.id, actor="teacher")  # unless the teacher allows it
    assert roster.who(roster.join("Ann", code, HERE)) == ann


def test_a_browser_from_before_rejoin_codes_gets_one(roster: Roster, store: RunStore) -> None:
    token = roster.join("Ann", CODE, HERE)
    with closing(sqlite3.connect(store.runs_dir / "runs.sqlite")) as connection:
        connection.execute("DELETE FROM rejoin_codes")
        connection.commit()
    assert roster.who(roster.join("Ann", rejoin_code(roster, token), HERE)) == roster.who(token)


def test_on_a_full_disk_the_door_lets_the_teacher_in(store: RunStore, roster: Roster) -> None:
    """SQLite's own limit, which it reports as it does a full disk."""
    student = roster.join("Ann", CODE, HERE)
    with store.class_store._database.transaction() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for number in range(10_000):  # as large as the teacher's row
            store.class_store.add_member("student", "Student", f"{number:064x}")

    with pytest.raises(sqlite3.OperationalError, match="disk is full"):
        fill()
    token = roster.sign_in_teacher(PASSPHRASE, HERE)
    teacher = roster.who(token)
    assert teacher is not None
    assert teacher.is_teacher
    assert roster.who(student) is not None
    with pytest.raises(ValueError, match="passphrase is wrong"):
        roster.sign_in_teacher("a guess", HERE)
    assert Roster(store, CODE, PASSPHRASE).who(token) is None  # it ends with this process
    roster.sign_out(token)
    assert roster.who(token) is None
