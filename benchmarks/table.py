"""The README's table of speeds, from the history: ``python -m benchmarks.table``.

Writes the newest result of each benchmark between the README's two marks. Run it after a
benchmark; a test holds the README to it.
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.pairs import HISTORY

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- benchmarks: python -m benchmarks.table -->\n", "<!-- end of benchmarks -->\n"


def newest() -> dict[str, dict[str, Any]]:
    """Return the newest result of each benchmark that the table tells of, by its name."""
    results = [json.loads(line) for line in HISTORY.read_text().splitlines()]
    return {
        result["benchmark"]: result
        for result in results
        if result.get("precision") != "float32"  # another whole run
        # no row of the table
        and result["benchmark"] not in ("documents", "first_minute", "inside", "inspection")
    }


def table() -> str:
    """Return the table as markdown, with the machine it was measured on."""
    results = newest()
    training, whole = results["training"], results["whole_run"]
    learning = results["learning"]
    speed, roof = training["speed"], training["step_over_roofline"]
    memory, share = training["peak_memory"], whole["share_of_the_steps_time"]
    rows = [
        (
            "training step, bfloat16",
            "the book's code, float32",
            f"{speed['ours-bfloat16 / book']:.2f} × as fast",
        ),
        (
            "training step, float32",
            "the book's code",
            f"{speed['ours-float32 / book']:.2f} × as fast",
        ),
        (
            "training step, bfloat16",
            "Hugging Face transformers, bfloat16",
            f"{speed['ours-bfloat16 / transformers-bfloat16']:.2f} × as fast",
        ),
        (
            "training step, float32",
            "Hugging Face transformers, float32",
            f"{speed['ours-float32 / transformers-float32']:.2f} × as fast",
        ),
        (
            "time of a step, bfloat16 and float32",
            "what the machine's products and bandwidth allow",
            f"{roof['bfloat16']:.2f} × and {roof['float32']:.2f} ×",
        ),
        (
            "peak memory, bfloat16 and float32",
            "the book's code",
            f"{memory['ours-bfloat16 / book']:.2f} × and {memory['ours-float32 / book']:.2f} ×",
        ),
        (
            "time of evaluations and of samples, whole run in bfloat16",
            "the time of its steps",
            f"{share['evaluations']:.2f} × and {share['samples']:.2f} ×",
        ),
        (
            "from the opened text to nanoGPT's loss on tiny Shakespeare (one thread of an "
            f"{learning['machine']['cpu'].split(',')[0]})",
            "nanoGPT's recipe for a CPU",
            f"{learning['time_over_nanogpts']['seconds']:.2f} × the time",
        ),
        (
            "200 greedy tokens",
            "the book's `generate_text_simple`, with its model",
            f"{results['generation']['ratio']:.1f} × as fast",
        ),
        (
            "a text of 10 MB to its batches",
            "the book's `create_dataloader_v1`",
            f"{results['dataset']['seconds']['ratio']:.1f} × as fast, "
            f"1/{results['dataset']['peak_mb']['ratio']:.0f} of the memory",
        ),
        (
            "a text of 20 MB to its batches",
            "tiktoken's encoding alone",
            f"{results['dataset']['time_over_tiktokens']:.2f} × the time, memory "
            f"{results['dataset']['memory_over_size']:.1f} × the file",
        ),
        (
            "first page served",
            "Python's `import torch` alone",
            f"+ {results['startup']['served_after_import_torch']:.1f} s",
        ),
        (
            "training steps per second with 1, 10 and 30 pages watching",
            "nobody watching",
            " / ".join(
                f"{results['dashboard']['speed'][count]['pace_over_unwatched']:.2f} ×"
                for count in ("1", "10", "30")
            ),
        ),
        (
            "training steps per second while thirty students of a class follow and click",
            "before and after them",
            f"{results['classroom']['pace_over_unwatched']:.2f} ×",
        ),
        (
            "an edit on the Loss page, to its loss on the screen",
            "the bare answer of the same 124M model",
            f"{results['walk']['seconds']['idle_first_number']['ratio']:.1f} × the time",
        ),
        (
            "a click to its change on the screen (p95) while the 124M model trains on both cores",
            "the same while nothing trains, median of ten pages",
            f"{results['responsiveness']['click_p95_over_idle']:.2f} × the time",
        ),
        (
            "the Runs page with 500 runs of 2,000 evaluations, to its table on the screen",
            "with 3 such runs",
            f"{results['runs']['table']['ratio']:.2f} × the time",
        ),
    ]
    machine = training["machine"]
    dates = [result["date"] for name, result in results.items() if name != "gpu"]
    lines = [
        "| what | against | ratio |",
        "|---|---|---|",
        *(f"| {what} | {peer} | {ratio} |" for what, peer, ratio in rows),
        "",
        f"Medians of pairs on {machine['cpu']}, {machine['threads']} threads, torch "
        f"{machine['torch']}, {min(dates)} to {max(dates)}.",
        *(gpu_lines(results["gpu"]) if "gpu" in results else ()),
    ]
    return "\n".join(lines) + "\n"


def gpu_lines(result: dict[str, Any]) -> list[str]:
    """Return the lines of the table of steps on a GPU, and what they are compared with."""
    measured = [row for row in result["steps"].get("rows", ()) if "seconds" in row]
    lines = [
        "",
        "| step on a GPU, context 1024 | batch | ms | tokens per second | MFU | memory |",
        "|---|---|---|---|---|---|",
    ]
    for row in measured:
        compiled = ", compiled" if row["is_compiled"] else ""
        mfu = "" if row["mfu"] is None else f"{row['mfu']:.0%}"
        memory = "" if row["peak_gb"] is None else f"{row['peak_gb']:.1f} GB"
        lines.append(
            f"| {row['size']}, {row['precision']}{compiled} | {row['batch_size']} | "
            f"{1000 * row['seconds']:.1f} | {row['tokens_per_second']:,.0f} | {mfu} | {memory} |"
        )
    ratios = [f"{r:.2f} × {name}'s" for name, r in result["peers"].get("ours_over", {}).items()]
    peers = f" Our compiled bfloat16 step's speed by turns: {', '.join(ratios)}." if ratios else ""
    machine = f"{result['gpu']}, torch {result['machine']['torch']}, {result['date']}."
    return [*lines, "", f"Medians on an {machine}{peers}"]


def with_table(readme: str) -> str:
    """Return the README's text with the table in its place."""
    before, rest = readme.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))
