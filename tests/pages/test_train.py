"""The Train page beyond start and stop: settings, axes, one step, verdicts, replay, samples."""

import base64
import re
import time
from dataclasses import replace

import pytest

from dashboard.app import runtime
from dashboard.charts import format_bytes
from dashboard.components.sample_list.entries import marked
from dashboard.train.replay import SPEED, playing_since
from gpt_core.analysis import BOOK_RUN, Copying
from gpt_core.analysis.reference_runs import BAND
from gpt_core.config import GPTConfig, TrainingConfig, field_help
from gpt_core.export import RECORDED_RUN, import_recorded_run
from gpt_core.model import count_config_parameters
from gpt_core.presets import PRESETS
from gpt_core.records import SampleRecord, StepRecord
from gpt_core.text import Corpus, load_text, prompt_of, write_problems
from gpt_core.vocabularies import get_tokenizer
from tests.conftest import TINY_TRAINING
from tests.support.app_driver import (
    POCKET,
    button,
    choose,
    components,
    finish,
    metric,
    open_app,
    start_pocket_run,
    texts,
    wait_for_state,
)
from tests.support.curves import keep_chapter_run
from tests.support.runs import PRESET
from tests.support.write_watch import watch_writes

pytestmark = pytest.mark.usefixtures("own_runtime")
HOSTILE = "<img src=x onerror=alert(1)> **bold** $x$ <script>1</script>"


def labels(app) -> list[str]:
    return [button.label for button in app.main.button]


def setting(app, name: str):
    kinds = (app.number_input, app.selectbox, app.slider, app.toggle, app.text_input)
    return next(widget for widgets in kinds for widget in widgets if widget.label == name)


def paused_run() -> str:
    run_id = start_pocket_run(3)
    runtime.get_runner().pause(run_id, actor="local").result(timeout=30)
    return run_id


def chapter_run(losses: dict[int, tuple[float, float]], **changes) -> str:
    run_id = f"chapter-{time.monotonic_ns()}"
    keep_chapter_run(runtime.get_store(), run_id, losses, **changes)
    return run_id


# The form


def test_every_field_of_both_configurations_is_there_with_its_help() -> None:
    app = open_app("train", state={"other_settings": True})
    helps = {**field_help(GPTConfig), **field_help(TrainingConfig)}
    for name in set(helps) - {"probes"}:
        assert setting(app, name).help == helps[name], name
    assert any("Rows of your own" in area.label for area in app.text_area)
    assert [tab.label for tab in app.tabs] == [
        "Model",
        "Optimizer",
        "Data",
        "Evaluation",
        "Machine",
        "Beyond the chapter",
    ]


@pytest.mark.slow
def test_a_changed_setting_is_named_trained_with_and_taken_back_with_a_click() -> None:
    app = open_app("train", state={"text": "counting", "other_settings": True})
    setting(app, "n_layers").set_value(1).run()
    setting(app, "schedule").select("cosine").run()
    setting(app, "max_grad_norm").set_value(0.5).run()
    setting(app, "accumulation_steps").set_value(2).run()
    assert "Changed from pocket: n_layers, schedule, max_grad_norm, accumulation_steps." in texts(
        app
    )
    button(app, "Start training").click().run()
    assert not app.exception
    run = runtime.get_store().latest_run()
    assert run is not None
    assert run.model_config == replace(PRESETS["pocket"].model, n_layers=1)
    training = run.training_config
    assert (training.schedule, training.max_grad_norm) == ("cosine", 0.5)
    assert "pocket, changed, on Counting" in texts(app)
    finish(run.id)
    app = open_app(
        "train", state={"start": True, "other_settings": True, "setting-n_layers-pocket": 1}
    )
    button(app, "Reset to the preset").click().run()
    assert setting(app, "n_layers").value == PRESETS["pocket"].model.n_layers
    assert "Changed from" not in texts(app)


def test_settings_that_contradict_each_other_are_refused_by_their_names() -> None:
    app = open_app("train", state={"text": "counting", "other_settings": True})
    setting(app, "emb_dim").set_value(130).run()
    assert not app.exception
    assert "emb_dim=130 is not divisible by n_heads=4" in texts(app)
    assert button(app, "Start training").disabled
    setting(app, "emb_dim").set_value(128).run()
    assert not button(app, "Start training").disabled
    setting(app, "min_learning_rate").set_value(0.5).run()
    assert "min_learning_rate=0.5 is out of range" in texts(app)


def test_settings_hold_from_page_to_page() -> None:
    app = open_app("data")
    setting(app, "batch_size").set_value(3).run()
    app.switch_page("pages/train.py").run()
    app.session_state["other_settings"] = True
    app.run()  # AppTest's first run does not have it yet
    assert setting(app, "batch_size").value == 3
    assert "Changed from pocket: batch_size." in texts(app)


def test_settings_hold_while_they_are_folded_away() -> None:
    app = open_app("train", state={"text": "counting", "other_settings": True})
    setting(app, "n_layers").set_value(1).run()
    app.text_area(key="own_probes").set_value("one two three four").run()
    app.session_state["other_settings"] = False
    app.run().run()
    assert not [field for field in app.number_input if field.label == "n_layers"]
    assert "Changed from pocket: n_layers, probes." in texts(app)
    app.session_state["other_settings"] = True
    app.run()
    assert setting(app, "n_layers").value == 1
    assert app.text_area(key="own_probes").value == "one two three four"


def test_what_the_run_will_take_stands_beside_the_start_button() -> None:
    app = open_app("train", state={"preset": "book-124m", "other_settings": True})
    assert "162,419,712 parameters · 90 steps with 46,080 tokens · " in texts(app)
    assert "Measure how long it takes" in labels(app)
    setting(app, "accumulation_steps").set_value(2).run()
    assert " 50 steps with 46,080 tokens" in texts(app)
    app = open_app("train", state={"preset": "book-124m", "text": "counting"})
    assert "The text is too short for context_length=256" in texts(app)


@pytest.mark.slow
def test_the_evening_preset_fits_the_story_that_comes_with_the_app() -> None:
    app = open_app("train", state={"preset": "evening"})
    assert " steps with " in texts(app)
    assert "too short" not in texts(app)


def test_how_long_each_preset_trains_on_the_chosen_text_is_said_without_a_press() -> None:
    app = open_app("train")
    [times] = [c.value for c in app.caption if "Expected on this text" in c.value]
    for name in PRESETS:
        assert re.search(rf"{name} (under 1 min|about \d+ (min|h))[,.]", times), times
    app = open_app("train", state={"text": "counting"})
    assert "book-124m needs a longer text" in texts(app)
    assert " min " in next(c.value for c in app.caption if " steps with " in c.value)


def test_the_weights_of_every_epoch_are_kept_if_wanted_and_the_disk_they_take_is_said() -> None:
    app = open_app("train", state={"text": "counting", "other_settings": True})
    assert setting(app, "keep_epochs").value == 1
    size = format_bytes(4 * count_config_parameters(PRESETS["pocket"].model))
    [toggle] = [t for t in app.toggle if "every epoch" in t.label]
    assert f"\n12 epochs of {size} each.\n" in texts(app)
    toggle.set_value(True).run()
    assert setting(app, "keep_epochs").disabled
    setting(app, "num_epochs").set_value(3).run()
    assert "Changed from pocket: num_epochs, keep_epochs." in texts(app)
    button(app, "Start training").click().run()
    run = runtime.get_store().latest_run()
    assert run is not None
    assert run.training_config.keep_epochs == 3
    finish(run.id)


def test_the_disk_of_every_epoch_is_that_of_a_model_with_the_chosen_vocabulary() -> None:
    app = open_app("train", state={"text": "counting", "other_settings": True})
    choose(app, "vocabulary", "bytes")
    size = format_bytes(
        4 * count_config_parameters(replace(PRESETS["pocket"].model, vocab_size=257))
    )
    assert f"\n12 epochs of {size} each.\n" in texts(app)
    choose(app, "vocabulary", "characters")
    assert " epochs of " not in texts(app)  # of how much, the text tells


def test_the_prompt_follows_the_text_unless_another_one_is_chosen() -> None:
    app = open_app("train", state={"other_settings": True})
    assert setting(app, "start_context").value == "Every effort moves you"
    choose(app, "Text", "counting")
    assert setting(app, "start_context").value == "Count from one:"
    assert "Changed from" not in texts(app)
    setting(app, "start_context").set_value("Two, three").run()
    assert "Changed from pocket: start_context." in texts(app)
    choose(app, "Text", "days-of-the-week")
    assert setting(app, "start_context").value == "Today is Monday."
    button(app, "Start training").click().run()
    run = runtime.get_store().latest_run()
    assert run is not None
    assert run.training_config.start_context == "Today is Monday."
    finish(run.id)


def test_all_settings_of_a_run_stand_on_its_page_beside_those_of_its_preset() -> None:
    run_id = chapter_run({0: (9.0, 9.1)}, num_epochs=3)
    app = open_app("train", run=run_id, state={"settings": True})
    table = app.dataframe[-1].value.set_index("Setting")
    assert set(table.index) == set(field_help(GPTConfig)) | set(field_help(TrainingConfig))
    value, usual = table.loc["num_epochs"]
    assert (value, usual) == ("3", "10")
    assert tuple(table.loc["seed"]) == ("123", "")
    assert tuple(table.loc["qkv_bias"]) == ("no", "")


def test_a_model_larger_than_the_machine_is_refused_before_it_starts() -> None:
    app = open_app("train", state={"setting-emb_dim-pocket": 4096, "setting-n_layers-pocket": 64})
    assert "of memory, and this machine has" in texts(app)
    assert button(app, "Start training").disabled


def test_a_prompt_full_of_markup_stays_out_of_what_is_shown_as_markup() -> None:
    hostile = "![pic](https://example.com/pic.png) :red[x]"
    run_id = chapter_run({0: (9.0, 9.1)}, start_context=hostile)
    app = open_app("train", run=run_id)
    app = open_app("train", run=run_id, state={"settings": True})
    assert hostile in str(app.dataframe[-1].value["Value"].tolist())
    for element in (*app.caption, *app.markdown):
        assert "example.com" not in element.value


# The curve


def test_what_is_drawn_against_what_is_chosen() -> None:
    run_id = start_pocket_run()
    finish(run_id)
    app = open_app("train", run=run_id, state={"axis": "minutes", "height": "Perplexity"})
    layout = components(app, "live_chart")[0]["figure"]["layout"]
    assert layout["xaxis"]["title"]["text"] == "Minutes of training"
    assert layout["yaxis"]["title"]["text"] == "Perplexity"
    assert layout["yaxis"]["type"] == "log"
    names = [t.get("name") for t in components(app, "live_chart")[0]["figure"]["data"]]
    assert names[:3] == ["Training", "Validation", "Each step"]


def test_the_sentence_below_the_curve_has_the_books_numbers() -> None:
    app = open_app("train", run=chapter_run(BOOK_RUN.losses))
    assert (
        "The model overfits since step 55 (epoch 7): there validation was lowest, 6.134, and it "
        "has risen to 6.452 since, while training fell to 0.391. Training has been clearly below "
        in texts(app)
    )
    assert (
        "After the first update, step 0, validation is 9.933, below ln(50,257) = 10.825"
        in texts(app)
    )


def test_the_last_losses_of_an_ended_run_name_the_step_of_their_evaluation() -> None:
    losses = {step: BOOK_RUN.losses[step] for step in (0, 5, 10)}
    app = open_app("train", run=chapter_run(losses))
    [progress] = app.get("progress")
    assert progress.proto.text.endswith("losses measured at step 10")


@pytest.mark.slow
def test_is_mine_right_in_each_of_its_cases() -> None:
    near = {step: (a + 0.1, b) for step, (a, b) in BOOK_RUN.losses.items()}
    far = {step: (a + BAND.train_loss + 1, b) for step, (a, b) in BOOK_RUN.losses.items()}
    for losses, changes, words in (
        (BOOK_RUN.losses, {}, "Yes, digit for digit: 18 of the book's 18 points"),
        (near, {"device": "mps"}, "As it should be: inside the band"),
        (near, {}, "Almost: inside the band"),
        (far, {}, "No: it is outside the band from step 0 on."),
        (far, {"eval_iter": 1}, "eval_iter is 1, 5 in the chapter"),
        ({}, {}, "Nothing to compare yet"),
    ):
        app = open_app("train", run=chapter_run(losses, **changes))
        assert words in texts(app)
        assert ("Is mine right?" in texts(app)) == ("eval_iter" not in changes)
    assert "Is mine right?" not in texts(open_app("train", run=paused_run()))


def test_published_runs_are_laid_under_the_curve() -> None:
    app = open_app(
        "train",
        run=chapter_run(BOOK_RUN.losses),
        state={"published": ["The book's printed log", "The lecture's run"]},
    )
    traces = {t.get("name"): t for t in components(app, "live_chart")[0]["figure"]["data"]}
    assert "The lecture's run: validation" in traces
    assert "The book's printed log: training" in traces


# One step


def test_one_step_shows_what_a_single_update_did() -> None:
    run_id = paused_run()
    store = runtime.get_store()
    before = len(store.steps(run_id))
    app = open_app("train", run=run_id)
    assert "One step" in labels(app)
    button(app, "One step").click().run()
    deadline = time.monotonic() + 30
    while not store.updates(run_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    wait_for_state(run_id, "paused")
    app.run()
    assert not app.exception
    (update,) = store.updates(run_id)
    assert len(store.steps(run_id)) == before + 1
    assert f"What step {before:,} did" in texts(app)
    assert metric(app, "Loss before") == f"{update.loss_before:.3f}"
    assert metric(app, "Loss after") == f"{update.loss_after:.3f}"
    assert metric(app, "Learning rate") == f"{POCKET.training.learning_rate:.3g}"
    bars = [c for c in components(app, "live_chart") if c["figure"]["data"][0]["type"] == "bar"]
    assert [len(bar["figure"]["data"][0]["y"]) for bar in bars] == [6, 6]  # two blocks, four others
    finish(run_id)


# The recorded run


def test_the_recorded_run_opens_from_home_and_is_replayed() -> None:
    app = open_app()
    button(app, f"Watch a recorded run, {SPEED} × as fast").click().run()
    assert not app.exception
    assert [title.value for title in app.title] == ["Train"]
    assert app.query_params["run"] in (RECORDED_RUN, [RECORDED_RUN])
    assert "replay" in app.query_params
    assert "End the replay" in labels(app)
    assert "book-124m on The Lamp Room" in texts(app)


def replayed(replay: str):
    """Open the recorded run as its replay at that address shows it."""
    return open_app("train", run=RECORDED_RUN, replay=replay)


def since(ago: float, speed: int = SPEED) -> str:
    """Return the address of a replay that began so many seconds ago."""
    return playing_since(time.time() - ago, speed)


def bar_step(app) -> int:
    """Return where the bar of a replay is."""
    return components(app, "seek_bar")[0]["step"]


def drawn_steps(app) -> int:
    """Return how many steps' batches the curve shows."""
    lines = {line.get("name"): line for line in components(app, "live_chart")[0]["figure"]["data"]}
    return len(base64.b64decode(lines["Each step"]["x"]["bdata"])) // 4  # float32


def test_a_replay_shows_the_run_as_it_was_at_that_moment() -> None:
    early, late, fast = replayed(since(3)), replayed(since(25)), replayed(since(3, speed=50))
    assert 0 < drawn_steps(early) < drawn_steps(fast) < drawn_steps(late) < 90
    assert float(metric(early, "Training loss")) > float(metric(late, "Training loss"))
    button(late, "End the replay").click().run()
    assert "replay" not in late.query_params
    assert metric(late, "Training loss") == "0.979"
    assert "Replay" in labels(late)


def test_a_replay_that_is_over_pauses_at_its_end_and_plays_again() -> None:
    over = replayed(since(500))
    assert metric(over, "Training loss") == "0.979"
    assert over.query_params["replay"] in ("step-89,10", ["step-89,10"])
    button(over, "Play again").click().run()
    assert drawn_steps(over) < 10


@pytest.mark.parametrize("projector", [{}, {"projector": "1"}])
def test_a_paused_replay_shows_all_up_to_its_step_and_plays_on_from_it(
    projector: dict[str, str],
) -> None:
    recorded = import_recorded_run(runtime.get_store())
    for step, train_loss, epoch in ((40, "3.794", 4), (62, "2.472", 7), (8, "7.466", 1)):
        app = open_app("train", run=recorded, replay=f"step-{step}", **projector)
        assert drawn_steps(app) == bar_step(app) + 1 == step + 1
        assert metric(app, "Training loss") == train_loss
        samples = components(app, "sample_list")[0]  # the latest, beside the curve
        assert samples["entries"][0]["heading"] == f"Epoch {epoch}"
        if not projector:
            assert f"At step {step - step % 5}:" in texts(app)  # its last probes
    button(app, "Play").click().run()
    assert 8 <= bar_step(app) < 20
    button(app, "Pause").click().run()
    paused = bar_step(app)
    assert bar_step(app.run()) == paused


def test_a_replay_changes_its_speed_and_stays_where_it_is() -> None:
    app = replayed("step-40,10")
    speed = app.button_group(key=f"speed-{RECORDED_RUN}")
    assert speed.value == 10
    speed.set_value(50).run()
    assert app.query_params["replay"] in ("step-40,50", ["step-40,50"])
    button(app, "Play").click().run()
    app.button_group(key=f"speed-{RECORDED_RUN}").set_value(1).run()
    assert "Pause" in labels(app)
    assert 40 <= bar_step(app) < 60


def test_a_replay_writes_nothing() -> None:
    store = runtime.get_store()
    recorded = import_recorded_run(store)
    open_app("train", run=recorded)  # plotly.js is copied at the first chart
    before = store.version()
    with watch_writes() as written:
        app = open_app("train", run=recorded, replay=since(10))
        button(app, "Pause").click().run()
        button(app, "Play").click().run()
        app.button_group(key=f"speed-{recorded}").set_value(50).run()
    changed = {path for path in written if str(store.runs_dir) in path}
    assert changed <= {str(store.runs_dir / "runs.sqlite")}  # opened, to be read
    assert store.version() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "address",
    [
        "",
        "nan",
        "-5",
        "1e400",
        "<b>",
        "99999999999999",
        "9999999999,10",
        "5,7",
        "step-x",
        "step-1,",
    ],
)
def test_a_made_up_replay_in_the_address_shows_the_whole_run(address: str) -> None:
    app = replayed(address)
    assert not app.exception
    assert metric(app, "Training loss") == "0.979"
    assert "End the replay" not in labels(app)


def test_the_recorded_run_shows_what_was_learnt_by_heart() -> None:
    app = open_app("train", run=RECORDED_RUN)
    line, _ = components(app, "sample_list")
    assert line["label"] == "The latest sample"
    assert line["entries"][0]["heading"] == "Epoch 10"
    assert "76% copied, the longest span 14 tokens" in line["entries"][0]["note"]
    copied = [words for words, kind in line["entries"][0]["pieces"] if kind == "copied"]
    story = load_text("the-lamp-room").text
    assert copied
    assert all(words in story for words in copied if "↵" not in words)
    assert "Write" not in labels(app)  # it comes without weights


# What it writes


def test_a_live_model_goes_on_from_any_prompt() -> None:
    run_id = paused_run()
    app = open_app("train", run=run_id)
    next(t for t in app.text_input if "Ask the model" in t.label).set_value(HOSTILE).run()
    button(app, "Write").click().run()
    deadline = time.monotonic() + 30
    while True:
        lines = [c for c in components(app, "sample_list") if c["label"] == "A text"]
        if lines and lines[0]["entries"][0]["note"] != "writing…":
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
        app.run()
    assert not app.exception
    (entry,) = lines[0]["entries"]
    assert entry["heading"] == f"At step {len(runtime.get_store().steps(run_id)) - 1:,}"
    text = "".join(words for words, _ in entry["pieces"])
    assert text.startswith(HOSTILE)
    assert len(text) > len(HOSTILE)
    finish(run_id)
    assert "as it was saved at step" in str(
        [t.label for t in open_app("train", run=run_id).text_input]
    )


def test_an_empty_prompt_is_refused_in_words() -> None:
    run_id = paused_run()
    app = open_app("train", run=run_id)
    next(t for t in app.text_input if "Ask the model" in t.label).set_value("").run()
    button(app, "Write").click().run()
    deadline = time.monotonic() + 20
    while "The prompt is empty" not in texts(app):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        app.run()
    finish(run_id)


@pytest.mark.slow
def test_watching_and_asking_change_no_loss() -> None:
    left_alone = start_pocket_run(12)
    finish(left_alone)
    store = runtime.get_store()
    run_id = paused_run()
    app = open_app("train", run=run_id)
    button(app, "Write").click().run()
    for _ in range(4):
        runtime.get_runner().step(run_id, actor="local").result(timeout=30)
    runtime.get_runner().resume(run_id, actor="local").result(timeout=30)
    while len(store.steps(run_id)) < 12:
        time.sleep(0.05)
    finish(run_id)
    expected = [row.loss for row in store.steps(left_alone)][:12]
    assert [row.loss for row in store.steps(run_id)][:12] == expected


def test_of_a_task_the_exact_answers_are_shown_and_its_loss_beside_the_baselines() -> None:
    open_app()  # makes the runtime
    corpus = Corpus("Backwards", write_problems("reverse", seed=0, size=6_000))
    prompt = prompt_of(corpus, get_tokenizer())
    config = replace(TINY_TRAINING, num_epochs=1, eval_freq=20, start_context=prompt)
    run_id = runtime.get_runner().start(PRESET, corpus, config, actor="local")
    assert runtime.get_runner().wait(run_id, 60)
    app = open_app("train", state={"height": "Bits per byte"}, run=run_id)
    assert not app.exception
    last = runtime.get_store().evaluations(run_id)[-1]
    assert metric(app, "Exact answers") == f"{last.exact_match:.1%}"
    assert "What it answers" in [header.value for header in app.header]
    captions = " ".join(caption.value for caption in app.caption)
    assert "the unigram baseline" in captions
    assert f"Token accuracy {last.val_accuracy:.1%}" in captions
    pieces = components(app, "sample_list")[0]["entries"][0]["pieces"]
    assert pieces[0][1] == "prompt"
    assert pieces[0][0].endswith("<")


def test_samples_are_text_and_many_breaks_of_the_line_are_counted() -> None:
    pieces = marked("Every day" + "\n" * 40 + "end", None)
    assert [piece.text for piece in pieces] == ["Every day ↵ × 40 end"]
    copying = Copying(prompt_tokens=1, tokens=4, spans=((2, 4),))
    pieces = marked("Every effort moves you", copying)
    assert [(p.text, p.kind) for p in pieces] == [
        ("Every", "prompt"),
        (" effort", ""),
        (" moves you", "copied"),
    ]


def test_of_a_long_run_the_newest_samples_are_shown_until_all_are_wanted() -> None:
    run_id = chapter_run({0: (9.0, 9.1)})
    store = runtime.get_store()
    store.add_records(run_id, [(StepRecord(i, i + 1, i, 9.0, 1.0, 4e-4), i) for i in range(40)])
    samples = [SampleRecord(i, i + 1, i, "Every", f"Every {HOSTILE}", ()) for i in range(40)]
    store.add_records(run_id, [(sample, i) for i, sample in enumerate(samples)])
    app = open_app("train", run=run_id)
    latest, earlier = components(app, "sample_list")
    assert [e["heading"] for e in latest["entries"]] == ["Epoch 40"]
    assert [e["heading"] for e in earlier["entries"]][:2] == ["Epoch 39", "Epoch 38"]
    assert len(earlier["entries"]) == 12
    next(t for t in app.toggle if t.label == "All 39 earlier samples").set_value(True).run()
    assert len(components(app, "sample_list")[1]["entries"]) == 39
    assert not app.exception


@pytest.mark.parametrize(
    "query", [{"projector": "1"}, {"replay": "5"}, {"projector": "", "replay": "x"}]
)
def test_an_address_of_no_run_is_no_dead_end(query: dict[str, str]) -> None:
    app = open_app("train", run="nope", **query)
    assert "There is no run nope" in texts(app)
    assert "Start training" in labels(app)


# The projector


def test_the_projector_shows_only_what_matters_and_is_left_again() -> None:
    app = open_app("train", run=RECORDED_RUN, projector="1")
    assert not app.title
    assert "This run is another one than the book's" not in texts(app)
    assert len(components(app, "sample_list")[0]["entries"]) == 1
    assert components(app, "live_chart")[0]["figure"]["layout"]["font"]["size"] > 15
    button(app, "Leave the projector").click().run()
    assert [title.value for title in app.title] == ["Train"]
    assert "its text is The Lamp Room" in texts(app)
    assert "Is mine right?" not in texts(app)


def test_settings_are_made_for_the_text_and_the_time_one_has() -> None:
    app = open_app("train")
    pills = next(group for group in app.button_group if "time you have" in group.label)
    pills.select("20 minutes").run()
    assert not app.exception
    assert "The text is short: after 30 passes" in texts(app)
    assert "for each of the model's" in texts(app)
    assert "A vocabulary of 512 tokens: the text has" in texts(app)
    button(app, "Start training").click().run()
    assert not app.exception
    run = runtime.get_store().runs()[0]
    assert run.preset == "20 minutes"
    assert run.training_config.vocabulary == "bpe"
    assert run.model_config.vocab_size == 512
    assert run.vocabulary_sha256
    finish(run.id)
