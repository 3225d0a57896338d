"""A run's recorded insides leave as Parquet, and travel with everything else as JSON."""

import io
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow.parquet
import pytest

from gpt_core.analysis import attention_of
from gpt_core.export import EXPORTS, import_recording, write_recording
from gpt_core.export.inside import inside_parquet
from gpt_core.store import Run, RunStore
from tests.conftest import TINY
from tests.support.insides import inside_record
from tests.support.stored_runs import add_run


@pytest.fixture
def recorded(store: RunStore) -> Run:
    add_run(store)
    small = replace(inside_record(5), head_scores=())
    store.add_records("a-run", [(inside_record(0), 0.1), (small, 0.2)])
    run = store.run("a-run")
    assert run is not None
    return run


def test_the_parquet_holds_every_number_in_its_shape(store: RunStore, recorded: Run) -> None:
    first, second = pyarrow.parquet.read_table(
        io.BytesIO(inside_parquet(store, recorded))
    ).to_pylist()
    record = inside_record(0)
    assert first["attention"] == attention_of(record, TINY).astype("f4").tolist()
    assert first["token_ids"] == list(record.token_ids)
    assert first["best_ids"][1][2] == [1, 2, 3]
    assert first["target_probas"] == [[0.25] * 3] * 2
    assert first["head_induction"] == [[0.0, 0.0], [0.25, 0.0]]
    assert second["head_induction"] is None
    part = first["parts"][1]
    assert part["name"] == "trf_blocks.0.att"
    assert part["gradients"] == {"low": -1.0, "high": 1.0, "counts": list(range(40))}
    assert part["update_to_weight"] == pytest.approx(0.001)
    assert (first["global_step"], second["global_step"]) == (0, 5)


def test_a_run_that_recorded_nothing_gives_an_empty_table(store: RunStore) -> None:
    add_run(store)
    run = store.run("a-run")
    assert run is not None
    assert pyarrow.parquet.read_table(io.BytesIO(inside_parquet(store, run))).num_rows == 0


def test_it_is_no_curve_so_a_private_runs_stays_private() -> None:
    assert not EXPORTS["inside"].is_curves


def test_it_comes_along_with_everything_as_json(
    store: RunStore, recorded: Run, tmp_path: Path
) -> None:
    recording = write_recording(store, recorded)
    with closing(RunStore(tmp_path / "elsewhere")) as other:
        import_recording(other, recording)
        there, here = ([asdict(row) for row in s.inside("a-run")] for s in (other, store))
        assert there == here
        assert write_recording(other, recorded) == recording
    damaged = recording.replace('"attention"', '"attentions"')
    with closing(RunStore(tmp_path / "damaged")) as other:
        with pytest.raises(ValueError, match="not a recording of a run"):
            import_recording(other, damaged)
        assert other.runs() == []
