import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import classroom, documents, first_minute, scaling
from benchmarks.gpu import __main__ as gpu
from benchmarks.pairs import HISTORY, measure_pairs
from benchmarks.table import README, gpu_lines, with_table
from gpt_core.config import GPTConfig
from gpt_core.model import build_model
from gpt_core.text import STORIES, has_the_verdict, load_text, story_entropy
from tests.support.documents import docx, pdf
from tests.support.paths import ROOT


def test_pairs_are_measured_by_turns_and_the_ratio_is_b_over_a() -> None:
    calls = []
    values = {"a": iter([1.0, 2.0, 4.0]), "b": iter([2.0, 8.0, 12.0])}

    def measure(name: str) -> float:
        calls.append(name)
        return next(values[name])

    result = measure_pairs(lambda: measure("a"), lambda: measure("b"), pairs=3)
    assert "".join(calls) == "ababab"
    assert result == {"a": 2.0, "b": 8.0, "ratio": 3.0}


def test_the_history_is_one_json_object_a_line_with_machine_date_and_commit() -> None:
    for line in HISTORY.read_text().splitlines():
        result = json.loads(line)
        assert {"date", "commit", "benchmark", "machine"} <= set(result)


def test_the_readmes_table_is_the_historys() -> None:
    readme = README.read_text()
    assert with_table(readme) == readme, "run: python -m benchmarks.table"


@pytest.mark.parametrize(
    "name",
    [
        *("training", "generation", "dataset", "startup", "dashboard", "walk", "classroom"),
        "documents",
    ],
)
def test_each_benchmark_has_been_run(name: str) -> None:
    assert any(json.loads(line)["benchmark"] == name for line in HISTORY.read_text().splitlines())


def test_the_floor_of_the_first_run_is_near_the_grammars_entropy() -> None:
    stories = load_text(STORIES)
    count = first_minute.validation_of(stories).count("<|endoftext|>")
    entropy = count * story_entropy() / len(first_minute.validation_of(stories).encode())
    assert first_minute.floor_of(stories) == pytest.approx(entropy, rel=0.02)


def test_each_token_of_the_validation_text_counts_once_after_half_a_window() -> None:
    config = GPTConfig(vocab_size=50, context_length=8, emb_dim=16, n_heads=2, n_layers=1)
    model = build_model(config, 0, torch.Generator()).eval()
    for size in (9, 30, 33):
        ids = torch.randint(50, (size,), generator=torch.Generator().manual_seed(size))
        total = 0.0
        for i in range(1, size):
            # The first window that reaches the token: they begin at 0, 4, 8 …, the last at the end.
            start = min(max(0, -(-(i - 8) // 4) * 4), size - 9)
            logits = model(ids[None, start:i])[0, -1]
            total += torch.nn.functional.cross_entropy(logits, ids[i]).item()
        assert first_minute.sum_of_losses(model, ids) == pytest.approx(total, rel=1e-5)


def test_a_folders_documents_are_counted_by_format(tmp_path: Path) -> None:
    files = {"a.pdf": pdf("words"), "b/c.PDF": b"%PDF-1.4", "d.docx": docx("x"), "e.py": b"x = 1"}
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    formats = documents.read_folder(tmp_path)
    counts = {kind: (found.read, len(found.refused)) for kind, found in formats.items()}
    assert counts == {"pdf": (1, 1), "docx": (1, 0)}
    assert documents.table(formats).count("\n") == 3


def test_words_are_the_same_whether_broken_or_in_ligatures() -> None:
    assert documents.words("The of-\nfice, ﬁn") == documents.words("the office fin")


@pytest.mark.whole_run
@pytest.mark.slow
def test_the_first_runs_model_learns_to_reverse_eight_letters_that_it_never_saw() -> None:
    preset = first_minute.change(first_minute.FIRST, first_minute.REVERSE)
    halfway, end = first_minute.learn(preset, load_text("reverse"))
    assert end.step == 2 * halfway.step
    assert end.exact_match is not None
    assert end.exact_match >= 0.99


@pytest.mark.whole_run
@pytest.mark.slow
def test_a_small_class_loses_no_run_and_nobody_sees_anothers_choice() -> None:
    result = classroom.measure(students=6, minutes=0.5, alone_seconds=4)
    assert result["faults"] == []
    assert result["clicks"] > 3
    assert result["redraws"] > 20


def test_the_tables_and_the_plot_of_several_machines_are_the_functions() -> None:
    page = scaling.PAGE.read_text()
    assert scaling.with_tables(page) == page, "run: python -m benchmarks.scaling"
    assert scaling.PLOT.read_text() == scaling.plot(), "run: python -m benchmarks.scaling"


@pytest.mark.whole_run
@pytest.mark.slow
def test_the_gpu_benchmark_runs_whole_in_small_on_a_cpu() -> None:
    before = HISTORY.read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--tiny"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert set(gpu.PARTS) <= set(result)
    late = {name for name, part in result.items() if name in gpu.PARTS and "not_measured" in part}
    assert late <= ({"chapter_run"} if not has_the_verdict() else set()), done.stderr
    assert result["chapter"]["loss_is_right"]
    assert result["chapter"]["float32_against_the_cpu"] == "as on the CPU"
    exact = {"resumed_off_by": 0.0, "repeated_off_by": 0.0}
    assert result["resume"] == {"float32": exact, "bfloat16": exact}
    assert {row["is_compiled"] for row in result["steps"]["rows"] if "seconds" in row} == {
        True,
        False,
    }
    assert {"ours", "nanogpt"} <= set(result["peers"]["tokens_per_second"])
    assert result["generation"]["same_tokens"]
    assert HISTORY.read_bytes() == before
    machine = {"torch": "2.13.0"}
    lines = gpu_lines({**result, "machine": machine, "date": "2026-11-28"})
    assert any(line.startswith("| 124M, bfloat16, compiled | 2 |") for line in lines)


def test_without_a_gpu_the_gpu_benchmark_says_what_can_be_run_here() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.strip().startswith("There is no CUDA device here.")


def test_a_goal_is_missed_only_by_a_compiled_bfloat16_step_that_was_measured() -> None:
    row = {"size": "124M", "precision": "bfloat16", "is_compiled": True, "batch_size": 16}
    assert not gpu.is_goal_missed([])
    assert not gpu.is_goal_missed([{**row, "not_measured": "out of memory"}])
    assert not gpu.is_goal_missed([{**row, "mfu": None}])
    assert not gpu.is_goal_missed([{**row, "mfu": 0.3}, {**row, "mfu": 0.45}])
    assert not gpu.is_goal_missed([{**row, "mfu": 0.3, "is_compiled": False}])
    assert gpu.is_goal_missed([{**row, "mfu": 0.3}])


def test_the_gpu_table_names_the_machine_and_the_peers() -> None:
    row = {"size": "124M", "precision": "tf32", "is_compiled": False, "batch_size": 16}
    speed = {"seconds": 0.1, "tokens_per_second": 163_840.0, "mfu": 0.283, "peak_gb": 12.34}
    result = {
        "gpu": "NVIDIA H200",
        "date": "2027-01-01",
        "machine": {"torch": "2.13.0"},
        "steps": {"rows": [{**row, **speed}, {**row, "not_measured": "out of memory"}]},
        "peers": {"ours_over": {"nanogpt": 1.134}},
    }
    assert gpu_lines(result)[3:] == [
        "| 124M, tf32 | 16 | 100.0 | 163,840 | 28% | 12.3 GB |",
        "",
        "Medians on an NVIDIA H200, torch 2.13.0, 2027-01-01. Our compiled bfloat16 step's speed "
        "by turns: 1.13 × nanogpt's.",
    ]
