"""A run as one file: written, read elsewhere, and the one that comes with the app."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gpt_core.analysis import find_copying
from gpt_core.export import (
    RECORDED_RUN,
    import_recorded_run,
    import_recording,
    recorded_losses,
    write_recording,
)
from gpt_core.presets import GPT_CONFIG_124M
from gpt_core.records import EvaluationRecord, SampleRecord, StepRecord
from gpt_core.store import Baselines, RunStore
from gpt_core.system import DATA_DIR
from gpt_core.text import load_text
from gpt_core.training import encode_splits
from gpt_core.vocabularies import get_tokenizer
from tests.support.stored_runs import add_run


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    store = RunStore(tmp_path / "here")
    yield store
    store.close()


def everything(store: RunStore, run_id: str) -> dict[str, list]:
    tables = ("transitions", "steps", "evaluations", "samples", "probes", "updates")
    return {
        table: [{k: v for k, v in row.items() if k != "id"} for row in rows]
        for table, rows in store.rows_of(run_id, tables).items()
    }


def test_a_recorded_run_is_the_same_run_in_another_store(store: RunStore, tmp_path: Path) -> None:
    import_recorded_run(store)
    run = store.run(RECORDED_RUN)
    assert run is not None
    recording = write_recording(store, run)
    other = RunStore(tmp_path / "elsewhere")
    assert import_recording(other, recording) == RECORDED_RUN
    assert other.run(RECORDED_RUN) == run
    assert everything(other, RECORDED_RUN) == everything(store, RECORDED_RUN)
    assert write_recording(other, run) == recording
    other.close()


def test_hostile_text_survives_and_is_only_text(store: RunStore, tmp_path: Path) -> None:
    add_run(store)
    text = 'Every "<b>effort</b>"\n$x$ 🙂 \u2028'
    store.add_records("a-run", [(StepRecord(0, 1, 8, 9.0, 1.0, 4e-4), 0.1)], memory=5)
    store.add_records("a-run", [(SampleRecord(0, 1, 8, "Every", text, ((0, 2),)), 0.2)])
    run = store.run("a-run")
    assert run is not None
    other = RunStore(tmp_path / "elsewhere")
    import_recording(other, write_recording(store, run))
    assert other.samples("a-run")[0].text == text
    assert other.samples("a-run")[0].copied == ((0, 2),)
    assert other.steps("a-run")[0].memory == 5
    other.close()


def test_its_baselines_and_measures_come_along_and_are_checked(
    store: RunStore, tmp_path: Path
) -> None:
    known = Baselines(unigram=6.5, bigram=4.25, bytes_per_token=4.0, floor=1.5, entropy=1.25)
    add_run(store, baselines=known)
    measured = EvaluationRecord(0, 1, 8, 9.0, 9.5, 3.0, 3.25, 0.25, 0.125, exact_match=0.5)
    store.add_records("a-run", [(measured, 0.1)])
    run = store.run("a-run")
    assert run is not None
    assert run.baselines == known
    recording = write_recording(store, run)
    with closing(RunStore(tmp_path / "elsewhere")) as other:
        import_recording(other, recording)
        imported = other.run("a-run")
        assert imported is not None
        assert imported.baselines == known
        assert other.evaluations("a-run") == store.evaluations("a-run")
    with closing(RunStore(tmp_path / "damaged")) as other:
        for damage in ('"6"', "-1", "NaN", "null", '6.5, "more": 1'):
            damaged = recording.replace('"unigram": 6.5', f'"unigram": {damage}')
            with pytest.raises(ValueError, match="not a recording of a run"):
                import_recording(other, damaged)
        assert other.runs() == []


def test_the_run_that_comes_with_the_app_is_the_chapters_model_on_our_story(
    store: RunStore,
) -> None:
    assert import_recorded_run(store) == import_recorded_run(store)  # twice is once
    run = store.run(RECORDED_RUN)
    assert run is not None
    story = load_text("the-lamp-room")
    assert (run.model_config, run.state) == (GPT_CONFIG_124M, "finished")
    assert store.text(run.text_sha256) == story.text
    assert len(store.steps(run.id)) == run.total_steps == 90
    assert len(store.evaluations(run.id)) == 18
    assert len(store.samples(run.id)) == 10
    assert len(store.probes_at(run.id, 85)) == 3
    assert (DATA_DIR / f"{RECORDED_RUN}.json").stat().st_size < 400_000


def test_what_it_copied_is_what_stands_in_the_story(store: RunStore) -> None:
    import_recorded_run(store)
    run = store.run(RECORDED_RUN)
    assert run is not None
    tokenizer = get_tokenizer()
    training_text = load_text("the-lamp-room").text
    train_ids, _ = encode_splits(training_text, tokenizer, run.training_config)
    for sample in store.samples(run.id):
        found = find_copying(sample.text, sample.start_context, train_ids, tokenizer)
        assert found.spans == sample.copied


@pytest.mark.parametrize(
    "damage",
    [
        lambda parts: parts.pop("steps"),
        lambda parts: parts.update(format=99),
        lambda parts: parts["run"].update(model_config={"n_layers": 0}),
        lambda parts: parts["run"].update({"id": None}),
        lambda parts: parts["run"].update({'x"; DROP TABLE runs; --': 1}),
        lambda parts: parts["steps"]["columns"].append("no_such_column"),
        lambda parts: parts["steps"]["rows"].append([1]),
        lambda parts: parts["steps"]["rows"].append(parts["steps"]["rows"][0]),
    ],
)
def test_a_damaged_recording_is_refused_whole(store: RunStore, tmp_path: Path, damage) -> None:
    import_recorded_run(store)
    run = store.run(RECORDED_RUN)
    assert run is not None
    parts = json.loads(write_recording(store, run))
    damage(parts)
    other = RunStore(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"recording|recorded run"):
        import_recording(other, json.dumps(parts))
    assert other.runs() == []
    other.close()


def test_what_is_no_recording_is_refused_in_words(store: RunStore) -> None:
    for text in ("", "[]", "null", '{"format": 1}', "<html>"):
        with pytest.raises(ValueError, match="not a recording"):
            import_recording(store, text)


def test_a_taken_id_is_refused_and_the_run_there_stays(store: RunStore) -> None:
    import_recorded_run(store)
    run = store.run(RECORDED_RUN)
    assert run is not None
    with pytest.raises(ValueError, match="was not imported"):
        import_recording(store, write_recording(store, run))
    assert len(store.steps(RECORDED_RUN)) == 90


def test_two_visitors_who_open_the_recorded_run_at_once_both_see_it(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_recorded_run(store)
    found = store.run
    answers = iter([None])  # as if it had not been there when the second one looked
    monkeypatch.setattr(store, "run", lambda run_id: next(answers, found(run_id)))
    assert import_recorded_run(store) == RECORDED_RUN


def test_the_recorded_run_stands_before_those_that_were_started_here(store: RunStore) -> None:
    add_run(store, "mine")
    import_recorded_run(store)
    latest = store.latest_run()
    assert latest is not None
    assert latest.id == "mine"
    assert [run.id for run in store.runs()] == ["mine", RECORDED_RUN]


def test_the_recorded_losses_are_those_of_the_imported_run(store: RunStore, tmp_path: Path) -> None:
    import_recorded_run(store)
    rows = store.evaluations(RECORDED_RUN)
    assert [vars(loss) for loss in recorded_losses()] == [
        {name: getattr(row, name) for name in ("global_step", "train_loss", "val_loss")}
        for row in rows
    ]
    (tmp_path / f"{RECORDED_RUN}.json").write_text('{"evaluations": []}')
    with pytest.raises(ValueError, match="not a recording"):
        recorded_losses(tmp_path)
