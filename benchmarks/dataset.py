"""From a text to its batches: ``python -m benchmarks.dataset``.

Twice. First a text of 20 MB: what tiktoken alone takes to encode it (A), against encoding,
splitting and windowing it (B), with B's peak memory over the file's size, and the same for 100 MB
once. Then against the book's loader.

A: the book's ``create_dataloader_v1``, which keeps two tensors per window. B: ours, which keeps
four bytes per token and cuts windows as they are asked for. Ten megabytes of text, windows of 256
tokens with stride 128, then once through all batches. Each in a process of its own, by turns; the
ratios are the book's time and peak memory (beyond the imports) over ours.
"""

import json
import resource
import statistics
import subprocess
import sys
import time

from benchmarks.pairs import print_result
from gpt_core.presets import PRESETS
from gpt_core.text import DEFAULT_TEXT, create_dataloader, load_text
from gpt_core.training import prepare_data
from gpt_core.vocabularies import encode_corpus, get_tokenizer

ROUNDS, CHARACTERS = 3, 10_000_000
LARGE, MAX_INTEGER = 20_000_000, 100_000_000


def ours(text: str) -> int:
    """Return how many batches there are, after going through them."""
    loader = create_dataloader(encode_corpus(text, get_tokenizer()), 8, 256, 128, False, True)
    return sum(1 for _ in loader)


def book(text: str) -> int:
    """Return how many batches there are, after going through them."""
    from llms_from_scratch import ch02

    ch02.tiktoken.get_encoding = lambda name: get_tokenizer()  # the book's code would download it
    loader = ch02.create_dataloader_v1(text, 8, 256, 128, shuffle=False, drop_last=True)
    return sum(1 for _ in loader)


def alone(text: str) -> int:
    """Encode the text with tiktoken and nothing else; return how many tokens there are."""
    return len(get_tokenizer().encode_to_numpy(text))


def prepared(text: str) -> int:
    """Encode, split and window the text as a run does; return how many batches there are."""
    preset = PRESETS["pocket"]
    data = prepare_data(text, get_tokenizer(), preset.model, preset.training)
    return len(data.train_loader) + len(data.val_loader)


def measure(name: str, characters: int) -> dict[str, float]:
    """Return seconds, peak memory in MB beyond the start, and the number of batches."""
    story = load_text(DEFAULT_TEXT).text
    text = story * (characters // len(story))
    get_tokenizer()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    measured = {"ours": ours, "book": book, "alone": alone, "prepared": prepared}
    batches = measured[name](text)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"seconds": seconds, "peak_mb": peak / 1000, "batches": batches}


def in_a_process(name: str, characters: int = CHARACTERS) -> dict[str, float]:
    """Measure one of them in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.dataset", name, str(characters)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    """Measure by turns."""
    if sys.argv[1:]:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
        return
    large = [(in_a_process("alone", LARGE), in_a_process("prepared", LARGE)) for _ in range(ROUNDS)]
    largest = in_a_process("prepared", MAX_INTEGER)
    rounds = [(in_a_process("book"), in_a_process("ours")) for _ in range(ROUNDS)]
    print_result(
        benchmark="dataset",
        time_over_tiktokens=statistics.median(b["seconds"] / a["seconds"] for a, b in large),
        memory_over_size=statistics.median(b["peak_mb"] / (LARGE / 1e6) for _, b in large),
        memory_over_size_at_100_mb=largest["peak_mb"] / (MAX_INTEGER / 1e6),
        same_batches=all(a["batches"] == b["batches"] for a, b in rounds),
        **{
            what: {
                "book": statistics.median(a[what] for a, _ in rounds),
                "ours": statistics.median(b[what] for _, b in rounds),
                "ratio": statistics.median(a[what] / b[what] for a, b in rounds),
            }
            for what in ("seconds", "peak_mb")
        },
    )


if __name__ == "__main__":
    main()
