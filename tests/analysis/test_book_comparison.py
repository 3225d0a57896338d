"""Each case of "Is mine right?", on the printed runs themselves."""

from dataclasses import replace

import pytest

from gpt_core.analysis import BOOK_RUN, NOTEBOOK_RUN, compare_with_book, is_comparable
from gpt_core.analysis.book_comparison import machine_causes
from gpt_core.analysis.reference_runs import BAND
from gpt_core.config import TrainingConfig
from gpt_core.presets import GPT_CONFIG_124M, PRESETS
from gpt_core.store import Run
from gpt_core.text import VERDICT_SHA256
from tests.support.curves import evaluations


@pytest.fixture
def chapters(run: Run) -> Run:
    return replace(
        run,
        preset="book-124m",
        model_config=GPT_CONFIG_124M,
        training_config=TrainingConfig(),
        text_name="The Verdict",
        text_sha256=VERDICT_SHA256,
        versions={"machine": "x86_64 AVX512", "torch": "2.13.0+cpu"},
    )


def shifted(by: float, from_step: int = 0) -> dict[int, tuple[float, float]]:
    return {
        step: (train + by * (step >= from_step), val + by / 4 * (step >= from_step))
        for step, (train, val) in BOOK_RUN.losses.items()
    }


def test_the_printed_run_is_equal_digit_for_digit(chapters: Run) -> None:
    verdict = compare_with_book(chapters, evaluations(BOOK_RUN.losses))
    assert verdict.kind == "equal"
    assert "18 of the book's 18 points" in verdict.sentence
    assert verdict.causes == ()


def test_a_run_that_has_just_begun_is_equal_so_far(chapters: Run) -> None:
    verdict = compare_with_book(chapters, evaluations(BOOK_RUN.losses)[:4])
    assert (verdict.kind, "4 of the book's 18" in verdict.sentence) == ("equal", True)


def test_before_its_first_evaluation_there_is_nothing_to_compare(chapters: Run) -> None:
    assert compare_with_book(chapters, evaluations({})).kind == "early"


def test_digits_behind_the_third_do_not_count(chapters: Run) -> None:
    assert compare_with_book(chapters, evaluations(shifted(0.0004))).kind == "equal"
    assert compare_with_book(chapters, evaluations(shifted(0.002))).kind == "inside"


def test_on_another_device_a_sound_run_is_inside_the_band(chapters: Run) -> None:
    on_mps = replace(chapters, training_config=replace(TrainingConfig(), device="mps"))
    verdict = compare_with_book(on_mps, evaluations(NOTEBOOK_RUN.losses))
    assert verdict.kind == "inside"
    assert verdict.sentence.startswith("As it should be")
    assert verdict.causes[0].startswith("device mps: dropout")


def test_inside_the_band_on_an_x86_cpu_in_float32_something_is_different(chapters: Run) -> None:
    verdict = compare_with_book(chapters, evaluations(shifted(0.1, from_step=20)))
    assert verdict.kind == "inside"
    assert verdict.sentence.startswith("Almost")
    assert (
        "Step 20: training 5.826, validation 6.625; the book 5.726 and 6.600." in verdict.sentence
    )
    assert "torch" in verdict.causes[0]


def test_a_run_on_another_text_or_with_other_settings_is_not_judged(chapters: Run) -> None:
    training = replace(TrainingConfig(), learning_rate=1e-3, eval_iter=1)
    changed = replace(
        chapters,
        training_config=training,
        model_config=replace(GPT_CONFIG_124M, drop_rate=0.0),
        text_sha256="0" * 64,
        text_name="My novel",
    )
    comparison = compare_with_book(changed, evaluations(BOOK_RUN.losses))
    assert (comparison.kind, comparison.causes) == ("other", ())
    assert comparison.sentence == (
        "This run is another one than the book's, so its losses must differ from the printed log: "
        "its text is My novel, not The Verdict; drop_rate is 0.0, 0.1 in the chapter; "
        "learning_rate is 0.001, 0.0004 in the chapter; eval_iter is 1, 5 in the chapter."
    )


def test_outside_the_band_it_is_said_where_it_began(chapters: Run) -> None:
    verdict = compare_with_book(chapters, evaluations(shifted(BAND.train_loss + 0.1, from_step=30)))
    assert verdict.kind == "outside"
    assert verdict.sentence.startswith("No: it is outside the band from step 30 on.")


def test_outside_the_band_with_the_chapters_settings_the_code_is_suspected(chapters: Run) -> None:
    verdict = compare_with_book(chapters, evaluations(shifted(2.0)))
    assert (verdict.kind, "an error in the code" in verdict.causes[0]) == ("outside", True)


def test_what_changes_no_loss_is_no_cause(chapters: Run) -> None:
    harmless = replace(
        TrainingConfig(), num_epochs=3, probes=("a b",), keep_epochs=0, sample_tokens=5
    )
    verdict = compare_with_book(
        replace(chapters, training_config=harmless), evaluations(BOOK_RUN.losses)
    )
    assert (verdict.kind, verdict.causes) == ("equal", ())


def test_processor_and_precision_may_explain_a_difference(chapters: Run) -> None:
    arm = replace(chapters, versions={"machine": "arm64 NEON"})
    assert "processor arm64 NEON" in machine_causes(arm)[0]
    rounded = replace(chapters, training_config=replace(TrainingConfig(), precision="bfloat16"))
    assert "bfloat16" in machine_causes(rounded)[0]


def test_only_a_model_of_the_chapters_size_is_compared(chapters: Run, run: Run) -> None:
    assert is_comparable(chapters)
    assert not is_comparable(replace(run, model_config=PRESETS["pocket"].model))
