"""Learning a vocabulary: how long 2,048 byte pairs of 1 MB take, and 100 MB in bounded memory.

The text is the tiny Shakespeare beside the repository, or the bundled stories repeated; the larger
one is a hundred of it with other numbers between the words, so that its words differ. Then the
text is encoded with each vocabulary: tokens per character, and seconds.

Run it with:  python -m benchmarks.vocabulary [TEXT]
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gpt_core.text import BUNDLED_TEXTS, load_text
from gpt_core.vocabularies import (
    count_merges,
    describe_sample,
    encode_corpus,
    learn_merges,
    learn_vocabulary,
    read_vocabulary,
)

SHAKESPEARE = Path(__file__).parents[2] / "shared" / "data" / "tinyshakespeare.txt"
MERGES, LARGE = 2048, 100_000_000  # merges; characters
T = TypeVar("T")


def timed(action: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds that an action takes, and its result."""
    began = time.perf_counter()
    result = action()
    return time.perf_counter() - began, result


def memory_mb() -> float:
    """Return the process's maximum of memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def default_text() -> str:
    """Return 1 MB of text."""
    if SHAKESPEARE.exists():
        return SHAKESPEARE.read_text(encoding="utf-8")
    stories = "\n".join(load_text(name).text for name in BUNDLED_TEXTS)
    return (stories * (1_000_000 // len(stories) + 1))[:1_000_000]


def main() -> None:
    """Print the measurements as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text", nargs="?", type=Path, help="a text file, UTF-8")
    file = parser.parse_args().text
    text = file.read_text(encoding="utf-8") if file else default_text()
    learn_merges("warm up", 1)  # imports the library
    used = time.process_time()
    seconds, merges = timed(lambda: learn_merges(text, MERGES))
    used = time.process_time() - used
    counting, counts = timed(lambda: count_merges(text, merges))
    assert counts == sorted(counts, reverse=True)
    facts = {
        "characters": len(text),
        "merges": len(merges),
        "seconds": round(seconds, 2),
        "seconds_of_all_cores": round(used, 2),
        "seconds_of_counting": round(counting, 2),
    }
    kinds = {}
    for kind in ("gpt2", "characters", "bytes", "bpe"):
        tokenizer = read_vocabulary(learn_vocabulary(kind, text, MERGES + 257))
        encoding, ids = timed(lambda tokenizer=tokenizer: encode_corpus(text, tokenizer))
        kinds[kind] = {
            "tokens_in_all": tokenizer.n_vocab,
            "tokens_per_character": round(len(ids) / len(text), 3),
            "seconds_of_encoding": round(encoding, 3),
        }
    large = "".join(f"{text} {number:06d} " for number in range(LARGE // len(text)))
    before = memory_mb()
    seconds, merges = timed(lambda: learn_merges(large, MERGES))
    facts |= {
        "vocabularies": kinds,
        "large": {
            "characters": len(large),
            "merges": len(merges),
            "seconds": round(seconds, 2),
            "more_memory_mb": round(memory_mb() - before),
            "said": describe_sample("bpe", large),
        },
    }
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
