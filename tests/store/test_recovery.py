"""A damaged database: real damage to a real file."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gpt_core.records import EvaluationRecord, SampleRecord, StepRecord
from gpt_core.store import RunState, RunStore
from gpt_core.store.recovery import is_damaged, notices
from tests.support.stored_runs import add_run

STEPS = 300


def fill(runs_dir: Path, runs: int = 5) -> None:
    """Write down runs of many steps, and close the file as an app that ends does."""
    with closing(RunStore(runs_dir)) as store:
        for number in range(runs):
            add_run(store, f"run-{number}")
            at = [(i, 1, 32 * i) for i in range(STEPS)]
            store.add_records(
                f"run-{number}",
                [
                    *((StepRecord(*a, 5.0, 1.0, 1e-3), 0.1) for a in at),
                    *((EvaluationRecord(*a, 5.0, 6.0), 0.1) for a in at),
                    (SampleRecord(*at[-1], "Every", "Every day", ()), 0.1),
                ],
            )
            store.set_state(f"run-{number}", RunState.FINISHED, "local")


def damage(path: Path, start: int, length: int, seed: int = 1) -> None:
    """Overwrite some of a file's bytes."""
    with path.open("r+b") as file:
        file.seek(start)
        file.write(random.Random(seed).randbytes(length))


def test_a_sound_file_is_left_alone(tmp_path: Path) -> None:
    fill(tmp_path)
    assert not is_damaged(tmp_path / "runs.sqlite")
    assert not is_damaged(tmp_path / "none.sqlite")
    RunStore(tmp_path).close()
    assert notices(tmp_path) == {}
    assert not list(tmp_path.glob("*.damaged*"))


def test_damage_in_the_middle_costs_what_stands_there_and_is_told(tmp_path: Path) -> None:
    fill(tmp_path)
    path = tmp_path / "runs.sqlite"
    damage(path, path.stat().st_size // 2, 3 * 4096)
    before = path.read_bytes()
    with closing(RunStore(tmp_path)) as store:
        runs = [run.id for run in store.runs()]
        assert runs == [f"run-{number}" for number in reversed(range(5))]  # in their order
        kept = sum(len(store.steps(run_id)) for run_id in runs)
        assert 3 * STEPS < kept <= 5 * STEPS
        store.set_state("run-0", RunState.STOPPED, "local")  # it can be written to
        [(place, notice)] = store.notices().items()
    [aside] = tmp_path.glob("*.damaged.sqlite")
    assert aside.read_bytes() == before  # as it was: somebody may know how to read more of it
    assert f"5 runs with {kept:,} steps" in notice
    assert aside.name in notice
    assert not is_damaged(path)
    place.unlink()
    with closing(RunStore(tmp_path)) as store:
        assert store.notices() == {}


@pytest.mark.parametrize("how", ["no database", "head", "cut"])
def test_what_cannot_be_read_at_all_begins_anew_and_is_told(how: str, tmp_path: Path) -> None:
    fill(tmp_path)
    path = tmp_path / "runs.sqlite"
    if how == "no database":
        path.write_bytes(b"<html>not a database</html>" * 1000)
    elif how == "head":
        damage(path, 0, 4096)
    else:
        path.write_bytes(path.read_bytes()[:2000])
    with closing(RunStore(tmp_path)) as store:
        assert store.runs() == []
        [notice] = store.notices().values()
    assert "Nothing in it could be read" in notice


def test_a_run_that_lost_its_state_or_makes_no_sense_breaks_no_page(tmp_path: Path) -> None:
    fill(tmp_path)
    path = tmp_path / "runs.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM transitions WHERE run_id = 'run-1'")
        connection.execute("UPDATE runs SET model_config = '[1' WHERE id = 'run-2'")
        connection.execute("UPDATE samples SET copied = '{' WHERE run_id = 'run-3'")
        connection.execute("UPDATE transitions SET state = 'rux' WHERE run_id = 'run-4'")
        connection.execute(
            "INSERT INTO checkpoints (run_id, global_step, kind, folder, bytes, at)"
            " VALUES ('run-3', 1, 'weighty', 'nowhere', 1, 0)"
        )
        connection.execute(
            "INSERT INTO shares (kind, key, at, actor, shared) VALUES ('rux', 'x', 0, 's-1', 1)"
        )
        connection.commit()
        # An index that contradicts its table: what a page of the file that was lost looks like.
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET rootpage = 2 WHERE name = 'steps_by_run'")
        connection.commit()
    assert is_damaged(path)
    with closing(RunStore(tmp_path)) as store:
        states = {run.id: run.state for run in store.runs()}
        assert states == {
            **dict.fromkeys(("run-0", "run-3"), "finished"),
            **dict.fromkeys(("run-1", "run-4"), "interrupted"),
        }
        assert store.checkpoints("run-3") == []
        assert store.class_store.shared() == frozenset()
        assert store.samples("run-3") == []
        assert len(store.summaries()) == 4
        assert store.steps("run-2") == []


@pytest.mark.parametrize("seed", range(20))
def test_random_damage_never_keeps_the_store_from_opening(seed: int, tmp_path: Path) -> None:
    fill(tmp_path, runs=2)
    path = tmp_path / "runs.sqlite"
    draw = random.Random(seed)
    size = path.stat().st_size
    for _ in range(draw.randint(1, 5)):
        damage(path, draw.randrange(size), draw.choice((1, 16, 512, 4096)), seed)
    with closing(RunStore(tmp_path)) as store:
        for summary in store.summaries():
            store.steps(summary.run.id)
            store.samples(summary.run.id)
        assert not is_damaged(path)
