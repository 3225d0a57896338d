import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import psutil
import pytest

from gpt_core.records import EvaluationRecord, SampleRecord, StepRecord
from gpt_core.store import RunState, RunStore
from gpt_core.store.migrations import MIGRATIONS
from gpt_core.store.run_reader import SUMMARIES
from tests.conftest import TINY, TINY_TRAINING
from tests.support.stored_runs import add_run


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    times = iter(range(1_000_000))
    store = RunStore(tmp_path, clock=lambda: float(next(times)))
    yield store
    store.close()


def test_a_run_is_read_back_as_it_was_written(store: RunStore) -> None:
    add_run(store)
    run = store.run("a-run")
    assert run is not None
    assert (run.model_config, run.training_config) == (TINY, TINY_TRAINING)
    assert (run.owner, run.state, run.versions) == ("ada", "queued", {"torch": "x"})
    assert run.is_live
    assert run.steps_per_epoch == 10
    assert store.run("another") is None


def test_a_runs_state_is_its_latest_transition_with_time_actor_and_message(store: RunStore) -> None:
    add_run(store)
    store.set_state("a-run", RunState.RUNNING, "ada")
    store.set_state("a-run", RunState.FAILED, "ada", "no more memory")
    run = store.run("a-run")
    assert run is not None
    assert (run.state, run.message) == ("failed", "no more memory")
    assert not run.is_live
    rows = store.transitions("a-run")
    assert [row.state for row in rows] == ["queued", "running", "failed"]
    assert [row.at for row in rows] == sorted(row.at for row in rows)
    assert {row.actor for row in rows} == {"ada"}


def test_records_are_read_by_cursor(store: RunStore) -> None:
    add_run(store)
    add_run(store, "another")
    store.add_records(
        "a-run", [(StepRecord(i, 1, 8 * i, 9.5 - i, 1.0, 4e-4), i / 10) for i in range(3)]
    )
    store.add_records("another", [(StepRecord(0, 1, 8, 1.0, 1.0, 4e-4), 0.1)])
    store.add_records("a-run", [(StepRecord(3, 1, 24, 6.5, 1.0, 4e-4), 0.3)])
    rows = store.steps("a-run")
    assert [row.loss for row in rows] == [9.5, 8.5, 7.5, 6.5]
    assert [row.loss for row in store.steps("a-run", after=rows[1].id)] == [7.5, 6.5]
    assert [row.global_step for row in store.last_steps("a-run", 2)] == [2, 3]
    assert store.steps("a-run", after=rows[-1].id) == []


def test_evaluations_and_samples_are_kept_with_all_they_say(store: RunStore) -> None:
    add_run(store)
    evaluation = EvaluationRecord(0, 1, 64, 9.75, 9.5)
    sample = SampleRecord(9, 1, 640, "Every", "Every <b>effort</b>\n$x$ 🙂")
    store.add_records("a-run", [(evaluation, 0.5), (sample, 1.5)])
    row = store.evaluations("a-run")[0]
    assert (row.train_loss, row.val_loss, row.seconds) == (9.75, 9.5, 0.5)
    assert store.samples("a-run")[0].text == sample.text


def test_a_batch_of_records_is_written_whole_or_not_at_all(store: RunStore) -> None:
    add_run(store)
    store.add_records("a-run", [(StepRecord(0, 1, 8, 9.0, 1.0, 4e-4), 0.1)])
    with pytest.raises(sqlite3.IntegrityError):
        store.add_records(
            "a-run",
            [
                (StepRecord(1, 1, 16, 8.0, 1.0, 4e-4), 0.2),
                (StepRecord(0, 1, 8, 9.0, 1.0, 4e-4), 0.1),
            ],
        )
    assert [row.global_step for row in store.steps("a-run")] == [0]


def test_runs_are_listed_newest_first_and_the_latest_is_the_first(store: RunStore) -> None:
    assert store.latest_run() is None
    for run_id in ("one", "two", "three"):
        add_run(store, run_id)
    store.set_state("two", RunState.STOPPED, "ada")
    assert [run.id for run in store.runs()] == ["three", "two", "one"]
    assert [run.id for run in store.live_runs()] == ["one", "three"]
    latest = store.latest_run()
    assert latest is not None
    assert latest.id == "three"


def test_what_is_written_is_there_for_the_next_process(tmp_path: Path) -> None:
    first = RunStore(tmp_path)
    add_run(first)
    first.close()
    with closing(RunStore(tmp_path)) as second:
        assert second.run("a-run") is not None


def test_many_threads_read_while_one_writes(store: RunStore) -> None:
    add_run(store)
    counts: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            rows = store.steps("a-run")
            assert [row.global_step for row in rows] == list(range(len(rows)))
            counts.append(len(rows))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for i in range(100):
        store.add_records("a-run", [(StepRecord(i, 1, i, 1.0, 1.0, 4e-4), i)])
    done.set()
    for reader in readers:
        reader.join()
    assert len(store.steps("a-run")) == 100
    assert counts


def _open_and_close(runs_dir: Path, gate: Barrier) -> None:
    gate.wait()
    RunStore(runs_dir).close()


@pytest.mark.slow
def test_four_processes_may_open_a_new_directory_at_the_same_moment(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    gate = spawn.Barrier(4)
    processes = [
        spawn.Process(target=_open_and_close, args=(tmp_path / "new", gate)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]


def test_a_store_of_a_newer_version_is_refused_in_words(tmp_path: Path) -> None:
    RunStore(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "runs.sqlite")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(ValueError, match="newer version"):
        RunStore(tmp_path)


def test_a_directory_that_cannot_be_used_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"cannot be used.*--runs-dir.*GPT_LAB_RUNS_DIR"):
        RunStore(tmp_path / "file")


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_directory_on_a_network_file_system_is_refused_in_words(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = type(psutil.disk_partitions(all=True)[0])
    automounter = disk("auto", str(tmp_path), "autofs", "")
    remote = disk("server:/home", str(tmp_path), kind, "")
    disks = [disk("/dev/a", "/", "ext4", ""), automounter, remote]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: disks)
    with pytest.raises(ValueError, match=rf"network file system \({kind}\).*--runs-dir"):
        RunStore(tmp_path / "runs")
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: disks[:1])
    RunStore(tmp_path / "runs").close()


def test_a_store_of_the_first_version_is_brought_up_to_date_with_its_learning_rates(
    tmp_path: Path,
) -> None:
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
        connection.executescript(MIGRATIONS[0])
        connection.execute("PRAGMA user_version = 1")
        training = '{"learning_rate": 0.002}'
        connection.execute(
            "INSERT INTO runs VALUES ('old', 1, 'ada', 'pocket', '{}', ?, 't', 'x', 9, 1, 5, '{}')",
            (training,),
        )
        connection.execute("INSERT INTO transitions VALUES (1, 'old', 1, 'finished', 'ada', '')")
        connection.execute("INSERT INTO steps VALUES (1, 'old', 0, 1, 64, 9.5, 1.5, 0.1)")
        connection.execute("INSERT INTO samples VALUES (1, 'old', 0, 1, 64, 'a', 'a b', 0.2)")
        connection.commit()
    store = RunStore(tmp_path)
    (step,) = store.steps("old")
    assert (step.learning_rate, step.memory, step.loss) == (0.002, 0, 9.5)
    assert store.samples("old")[0].copied is None
    run = store.run("old")
    assert run is not None
    assert run.training_config.learning_rate == 0.002
    store.close()


def test_the_version_changes_with_every_write_of_this_process_and_of_others(
    store: RunStore, tmp_path: Path
) -> None:
    version = store.version()
    assert store.version() == version
    add_run(store)
    after = store.version()
    assert after != version
    other = RunStore(tmp_path)  # as another process has it: a connection of its own
    other.set_state("a-run", RunState.RUNNING, "ada")
    deadline = time.monotonic() + 10
    while store.version() == after:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    other.close()


def test_news_of_several_tables_is_what_came_after_each_cursor(store: RunStore) -> None:
    add_run(store)
    store.add_records("a-run", [(StepRecord(i, 1, i, 9.0, 1.0, 4e-4), i) for i in range(3)])
    news = store.records_since("a-run", ("steps", "samples"), {"steps": 1})
    assert [row.global_step for row in news.steps] == [1, 2]
    assert news.samples == []


def test_a_summary_says_how_far_each_run_has_come(store: RunStore) -> None:
    add_run(store)
    (empty,) = store.summaries()
    assert (empty.run.id, empty.steps_done, empty.seconds) == ("a-run", 0, 0.0)
    assert empty.train_loss is empty.val_loss is empty.lowest_val_loss is None
    records = [
        (StepRecord(0, 1, 64, 9.0, 1.0, 4e-4), 0.5),
        (EvaluationRecord(0, 1, 64, 8.5, 9.0), 0.7),
        (EvaluationRecord(5, 1, 384, 7.0, 8.0), 3.0),
        (EvaluationRecord(7, 1, 384, 7.0, 8.0), 3.5),
        (StepRecord(10, 1, 704, 6.0, 1.0, 4e-4), 5.0),
        (EvaluationRecord(10, 1, 704, 5.0, 8.5), 5.5),
        (SampleRecord(10, 1, 704, "a", "a b"), 6.0),
    ]
    store.add_records("a-run", records)
    (summary,) = store.summaries()
    assert (summary.steps_done, summary.seconds) == (11, 6.0)
    assert (summary.train_loss, summary.val_loss) == (5.0, 8.5)
    assert (summary.lowest_val_loss, summary.lowest_val_step) == (8.0, 5)


def test_what_a_summary_takes_does_not_grow_with_the_run(tmp_path: Path) -> None:
    work = {}
    for evaluations in (20, 2000):
        store = RunStore(tmp_path / str(evaluations))
        add_run(store)
        records = [(EvaluationRecord(i, 1, i, 9.0, 9 - i / 1e4), i) for i in range(evaluations)]
        store.add_records("a-run", records)
        with closing(sqlite3.connect(tmp_path / str(evaluations) / "runs.sqlite")) as connection:
            ticks: list[None] = []
            connection.set_progress_handler(lambda ticks=ticks: ticks.append(None), 1)
            assert connection.execute(SUMMARIES).fetchone()[-1] == evaluations - 1
            work[evaluations] = len(ticks)  # instructions of SQLite's machine
        store.close()
    assert work[2000] <= work[20] + 10


def test_runs_stand_in_the_order_they_were_started_even_if_the_clock_jumps_back(
    tmp_path: Path,
) -> None:
    times = iter(range(1_000_000, 0, -1000))  # every look at it is earlier than the one before
    store = RunStore(tmp_path, clock=lambda: float(next(times)))
    for name in ("first", "second", "third"):
        add_run(store, name)
        store.set_state(name, RunState.RUNNING, "local")
    assert [run.id for run in store.runs()] == ["third", "second", "first"]
    assert [run.id for run in store.live_runs()] == ["first", "second", "third"]
    latest = store.latest_run()
    assert latest is not None
    assert latest.id == "third"
    store.close()


def test_who_trains_a_run_is_recorded_anew_when_others_resume_it(store: RunStore) -> None:
    add_run(store)
    store.set_processes("a-run", {"processes": "2", "devices": "2 × cpu", "hosts": "here"})
    run = store.run("a-run")
    assert run is not None
    assert (run.processes, run.versions["hosts"], run.versions["torch"]) == (2, "here", "x")
    store.set_processes("a-run", {})
    run = store.run("a-run")
    assert run is not None
    assert (run.processes, run.versions) == (1, {"torch": "x"})
