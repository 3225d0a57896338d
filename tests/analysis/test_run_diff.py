"""Just the settings in which runs differ."""

from dataclasses import replace

from gpt_core.analysis import differing_settings
from gpt_core.store import Run


def test_equal_runs_differ_in_nothing(run: Run) -> None:
    assert differing_settings([run, replace(run, id="another", name="other", owner="bob")]) == {}
    assert differing_settings([run]) == {}
    assert differing_settings([]) == {}


def test_only_the_settings_that_differ_are_named_with_every_runs_value(run: Run) -> None:
    deeper = replace(run, model_config=replace(run.model_config, n_layers=5))
    faster = replace(run, training_config=replace(run.training_config, learning_rate=1e-2))
    before = run.training_config.learning_rate
    assert differing_settings([run, deeper, faster]) == {
        "n_layers": [run.model_config.n_layers, 5, run.model_config.n_layers],
        "learning_rate": [before, before, 1e-2],
    }


def test_texts_are_told_apart_by_name_or_else_by_content(run: Run) -> None:
    renamed = replace(run, text_name="another", text_sha256="f" * 64)
    assert differing_settings([run, renamed]) == {"text": [run.text_name, "another"]}
    changed = replace(run, text_sha256="f" * 64)
    assert differing_settings([run, changed]) == {
        "text_sha256": [run.text_sha256[:12], "ffffffffffff"]
    }


def test_what_a_run_ran_on_is_a_setting_and_may_be_unknown(run: Run) -> None:
    one = replace(run, versions={"threads": "1"})
    two = replace(run, versions={"threads": "2", "torch": "x"})
    assert differing_settings([one, two]) == {"threads": ["1", "2"], "torch": [None, "x"]}
