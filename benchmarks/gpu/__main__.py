"""Measures all parts, each in a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import benchmarks.gpu
from benchmarks.gpu.checks import check_chapter, check_chapter_run, check_resume
from benchmarks.gpu.limits import measure_generation, measure_memory_limits
from benchmarks.gpu.speed import compare_peers, measure_steps, profile_step
from benchmarks.gpu.steps import Options, gpu_name
from benchmarks.pairs import print_result
from gpt_core.config import TrainingConfig
from gpt_core.model import peak_tflops

GOAL = 0.40  # MFU of the 124M model in bfloat16, compiled, on an H100 or H200
PATIENCE = 4  # times the limits, on the busy CPUs of a test


# Each part, its limit in seconds, and whether --quick leaves it out.
PARTS: dict[str, tuple[Callable[[Options], dict[str, Any]], float, bool]] = {
    "chapter": (check_chapter, 40, False),
    "resume": (check_resume, 50, False),
    "peers": (compare_peers, 110, False),
    "steps": (measure_steps, 210, False),
    "generation": (measure_generation, 30, False),
    "memory": (measure_memory_limits, 50, True),
    "chapter_run": (check_chapter_run, 50, True),
    "profile": (profile_step, 60, True),
}


def in_a_process(name: str, options: Options) -> dict[str, Any]:
    """Measure a part in a process of its own, which its limit ends."""
    with tempfile.TemporaryDirectory() as place:
        answer = Path(place) / "answer.json"
        command = [sys.executable, "-m", "benchmarks.gpu", "--part", name, "--to", str(answer)]
        command += ["--device", options.device, "--limit", str(options.seconds)]
        command += ["--tiny"] * options.is_tiny + ["--quick"] * options.is_quick
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=options.seconds, env=os.environ
            )
        except subprocess.TimeoutExpired:
            return {"not_measured": f"not done after {options.seconds:.0f} s"}
        if done.returncode or not answer.exists():
            lines = (done.stderr.strip() or f"it ended with {done.returncode}").splitlines()
            print(done.stderr, file=sys.stderr)
            return {"not_measured": lines[-1][:300]}
        result: dict[str, Any] = json.loads(answer.read_text())
        return result


def print_steps(rows: list[dict[str, Any]]) -> None:
    """Print the timed steps as a table."""
    titles = f"{'MODEL':6} {'PRECISION':9} {'COMPILED':8} {'BATCH':>5} {'STEP':>9}"
    print(f"{titles} {'TOKENS/S':>10} {'MFU':>6} {'PEAK':>8}")
    for row in rows:
        line = f"{row['size']:6} {row['precision']:9} {'yes' if row['is_compiled'] else 'no':8} "
        line += f"{row['batch_size']:>5} "
        if "not_measured" in row:
            print(f"{line}{row['not_measured']}")
            continue
        mfu = "–" if row["mfu"] is None else f"{row['mfu']:.1%}"
        peak = "–" if row["peak_gb"] is None else f"{row['peak_gb']:.1f} GB"
        print(
            f"{line}{1000 * row['seconds']:>6.1f} ms {row['tokens_per_second']:>10,.0f} "
            f"{mfu:>6} {peak:>8}"
        )


def is_goal_missed(rows: list[dict[str, Any]]) -> bool:
    """Tell whether no compiled bfloat16 step of the 124M model reaches the goal, if one has MFU."""
    reached = [
        row["mfu"]
        for row in rows
        if (row["size"], row["precision"], row["is_compiled"]) == ("124M", "bfloat16", True)
        and row.get("mfu") is not None
    ]
    return bool(reached) and max(reached) < GOAL


def main() -> None:
    """Measure all parts, print their tables, and print and keep the result."""
    parser = ArgumentParser(description=benchmarks.gpu.__doc__.split("\n\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="leave out what takes longest")
    parser.add_argument("--tiny", action="store_true", help="a tiny model: a test, no measurement")
    parser.add_argument("--part", choices=PARTS, help="this part only, in this process")
    parser.add_argument("--limit", type=float, default=600, help="seconds of --part")
    parser.add_argument("--to", type=Path, help="the file for the numbers of --part")
    chosen = parser.parse_args()
    if chosen.device == "cuda" and not torch.cuda.is_available():
        sys.exit("There is no CUDA device here. --device cpu --tiny runs everything in small.")
    options = Options(chosen.device, chosen.tiny, chosen.quick, chosen.limit)
    if chosen.part:
        numbers = json.dumps(PARTS[chosen.part][0](options))
        print(numbers) if chosen.to is None else chosen.to.write_text(numbers)
        return

    name = gpu_name(options.device)
    peak = peak_tflops(name, TrainingConfig(precision="bfloat16"))
    print(f"{name}, torch {torch.__version__}; bfloat16 peak: {peak or 'not known'} TFLOP/s")
    parts: dict[str, Any] = {}
    for part, (_, seconds, is_long) in PARTS.items():
        rows = parts.get("steps", {}).get("rows", [])
        if is_long and options.is_quick and not (part == "profile" and is_goal_missed(rows)):
            continue
        began = time.perf_counter()
        limit = PATIENCE * seconds if options.is_tiny else seconds
        parts[part] = in_a_process(part, replace(options, seconds=limit))
        print(f"\n{part}, {time.perf_counter() - began:.0f} s")
        if part == "steps" and "rows" in parts[part]:
            print_steps(parts[part]["rows"])
        else:
            print(json.dumps(parts[part], indent=1))
    result = {"benchmark": "gpu", "gpu": name, "quick": options.is_quick, **parts}
    if options.is_tiny:
        print(json.dumps(result))
    else:
        print_result(**result)


if __name__ == "__main__":
    main()
