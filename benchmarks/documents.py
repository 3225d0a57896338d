"""How much of real files is read, and how fast: ``python -m benchmarks.documents FOLDER``.

For each format of the files below a folder: how many are read and how many refused, the seconds
that this took in one process for all, and of how many files at least 90 % or less than half of the
words are found that pdftotext (PDF) or pandoc (the others) finds. These are asked where they are
installed, and count where they find 50 words or more. Without a folder, only the speed is measured:
a PDF of 500 pages by a process of its own (B) and by pdftotext (A), by turns.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import tempfile
import time
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.pairs import measure_pairs, print_result
from gpt_core.system import sandbox
from gpt_core.text import max_upload_bytes, read_upload_document, upload_reader
from tests.support.pdfs import book

FORMATS = ("pdf", "epub", "docx", "html", "htm", "xhtml", "odt", "fb2", "txt", "csv", "jsonl")
PANDOC = {"epub", "docx", "html", "htm", "xhtml", "odt", "fb2"}
MIN_WORDS = 50  # of the other program, or its share says little
PAGES, LINES, PAIRS = 500, 40, 5
REFERENCE_SECONDS = 60


@dataclass
class Format:
    """What became of the files of one format."""

    read: int = 0
    refused: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    seconds: float = 0.0
    found: dict[str, float] = field(default_factory=dict)  # the share of the other's words, by file


def words(text: str) -> Counter[str]:
    """Return how often each word occurs, ligatures spelt out and broken words joined."""
    joined = re.sub(r"(?<=[^\W\d_])[-\u00ad\u2010]\n\s*(?=[^\W\d_])", "", text)
    return Counter(re.findall(r"\w+", unicodedata.normalize("NFKC", joined).casefold()))


def reference(path: Path, kind: str) -> str | None:
    """Return the text that another program finds in a file; None if there is none or it fails."""
    if kind == "pdf" and shutil.which("pdftotext"):
        command = ["pdftotext", "-enc", "UTF-8", str(path), "-"]
    elif kind in PANDOC and shutil.which("pandoc"):
        source = "html" if kind in ("htm", "xhtml") else kind
        command = ["pandoc", "--from", source, "--to", "plain", "--wrap=none", str(path)]
    else:
        return None
    try:
        done = subprocess.run(command, capture_output=True, timeout=REFERENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    return None if done.returncode else done.stdout.decode("utf-8", "replace")


def read_folder(folder: Path) -> dict[str, Format]:
    """Read all files of a format that we know, and compare."""
    formats: dict[str, Format] = {}
    with upload_reader(max_upload_bytes()) as reader:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            kind = path.suffix.lower().removeprefix(".")
            if kind not in FORMATS or not path.stat().st_size:
                continue
            result = formats.setdefault(kind, Format())
            began = time.perf_counter()
            try:
                text = read_upload_document(path.name, path.read_bytes(), reader=reader).text
            except ValueError as error:
                is_killed = isinstance(error.__cause__, sandbox.SandboxError)
                (result.killed if is_killed else result.refused).append(f"{path}: {error}")
                continue
            finally:
                result.seconds += time.perf_counter() - began
            result.read += 1
            theirs = words(reference(path, kind) or "")
            if theirs.total() >= MIN_WORDS:
                result.found[str(path)] = (theirs & words(text)).total() / theirs.total()
    return formats


def table(formats: dict[str, Format]) -> str:
    """Return what became of the files, a line for each format."""
    heads = ("format", "read", "refused", "killed", "seconds", "compared")
    lines = [
        f"| {' | '.join((*heads, '90 % of words', 'under half', 'median'))} |",
        "|---" * 9 + "|",
    ]
    for kind, result in sorted(formats.items()):
        found = result.found.values()
        median = f"{statistics.median(found):.1%}" if found else "–"
        lines.append(
            f"| {kind} | {result.read} | {len(result.refused)} | {len(result.killed)} "
            f"| {result.seconds:.1f} | {len(found)} | {sum(f >= 0.9 for f in found)} "
            f"| {sum(f < 0.5 for f in found)} | {median} |"
        )
    return "\n".join(lines)


def measure_speed() -> dict[str, float]:
    """Return the seconds for 500 pages, in a process of its own (b) and by pdftotext (a)."""
    line = "The lighthouse stood on the cliff, and below it the sea went on as before, grey and"
    data = book(*[[f"{page}.{number} {line}" for number in range(LINES)] for page in range(PAGES)])
    has_other = shutil.which("pdftotext") is not None

    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(data)
        file.flush()

        def theirs() -> float:
            began = time.perf_counter()
            if has_other:
                reference(Path(file.name), "pdf")
            return time.perf_counter() - began

        def ours() -> float:
            began = time.perf_counter()
            document = read_upload_document("book.pdf", data)
            assert document.text.count("lighthouse") == PAGES * LINES
            return time.perf_counter() - began

        result = measure_pairs(theirs, ours, PAIRS)
    return result if has_other else {"b": result["b"]}


def main() -> None:
    """Print the table, what was refused, and the speed."""
    parser = argparse.ArgumentParser(description="How much of real files is read, and how fast.")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--details", action="store_true", help="name what was refused, or differs")
    options = parser.parse_args()
    formats = read_folder(options.folder) if options.folder else {}
    if formats:
        print(table(formats))
    for result in formats.values() if options.details else ():
        print(*result.refused, *result.killed, sep="\n")
        for path, share in sorted(result.found.items(), key=lambda item: item[1]):
            if share < 0.9:
                print(f"{share:.0%} {path}")
    speed = measure_speed()
    print(f"{PAGES} pages in a process of its own: {speed['b']:.2f} s")
    print_result(
        benchmark="documents",
        pages=PAGES,
        **{name: round(value, 3) for name, value in speed.items()},
        formats={
            kind: {
                "read": result.read,
                "refused": len(result.refused),
                "killed": len(result.killed),
                "seconds": round(result.seconds, 2),
                "compared": len(result.found),
                "at_least_90_percent": sum(share >= 0.9 for share in result.found.values()),
                "under_half": sum(share < 0.5 for share in result.found.values()),
            }
            for kind, result in sorted(formats.items())
        },
    )


if __name__ == "__main__":
    main()
