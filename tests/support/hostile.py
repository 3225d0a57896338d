"""What hypothesis makes of values, texts and files that nobody here wrote."""

import io
import math
import pickle
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from gpt_core.records import EvaluationRecord, ProbeRecord, SampleRecord, StepRecord
from gpt_core.store import Run, RunState, RunStore

HOSTILE = (
    "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'> **b** $x$ "
    "[l](javascript:alert(1)) ![i](http://x.invalid/i.png) :material/home: :red[r]"
)
NUMBERS = (0, -1, 1e-320, 10**20, 2**63, -(2**63) - 1, 10**400, -(10**400), math.nan, math.inf)
# What has broken programs before: halves of characters, NUL, what turns text around, markup.
PIECES = (
    *("\ud800", "\udfff", "\0", "\u202e", "\u2066", "\ufeff", "\u200d", "\u0301", "\x1b[31m"),
    *(
        "\r",
        "\n",
        "\t",
        " ",
        "\u2028",
        "<|endoftext|>",
        "👩‍👩‍👧",
        "한",
        "'ll",
        "../",
        "C:\\",
        "%00",
        HOSTILE,
    ),
)

MAX_MUTATED = 2**18  # bytes of a mutated file
TELLING = 4096  # bytes at both ends of a file
FILE_NAMES = (
    *("book.txt", "book.docx", "book.epub", "book.pdf", "book.html", "a.b.c", ".", "..", "/", ""),
    *("../../etc/passwd", "C:\\x.txt", "CON", "nul.txt", "a\0b.txt", "\u202etxt.exe", "x" * 300),
    *("../" * 60 + "x.epub", "~/x.txt", "-rf", "x.txt/", f"{HOSTILE}.txt", "x" * 300 + ".pdf"),
)

characters = st.characters(exclude_categories=())  # halves of surrogate pairs among them
texts = st.one_of(
    st.text(characters, max_size=40),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    st.builds(lambda piece, times: piece * times, st.sampled_from(PIECES), st.integers(0, 3000)),
)
sendable = texts.map(lambda text: text.encode("utf-8", "ignore").decode())  # by a browser
file_names = st.sampled_from(FILE_NAMES) | texts
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(NUMBERS), texts
)
# Of any type that JSON has.
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


def fewer(share: int) -> settings:
    """Return the profile's settings with so many times fewer examples: each takes its time."""
    return settings(max_examples=max(5, settings().max_examples // share))


def many(quick: int, thousands: int) -> settings:
    """Return the profile's settings with so many examples; the second number is --whole-run's."""
    return settings(max_examples=thousands if settings().max_examples >= 1000 else quick)


@st.composite
def changed(draw: st.DrawFn, whole: Any) -> Any:
    """Return a copy of some JSON in which one thing is another, is missing, or is there besides."""
    if not isinstance(whole, dict | list) or not whole or draw(st.integers(0, 7)) == 0:
        return draw(values)
    copy = whole.copy()
    key = draw(st.sampled_from(list(whole) if isinstance(whole, dict) else range(len(whole))))
    what = draw(st.sampled_from(("changed", "changed", "changed", "missing", "besides")))
    if what == "changed":
        copy[key] = draw(changed(whole[key]))
    elif what == "missing":
        del copy[key]
    elif isinstance(copy, dict):
        copy[draw(texts)] = draw(values)
    else:
        copy.append(draw(values))
    return copy


@st.composite
def damaged(draw: st.DrawFn, files: Sequence[bytes]) -> bytes:
    """Return one of some files with bytes flipped, cut out or put in."""
    data = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, min(len(data), TELLING)))  # what says how to read the rest
        at = draw(st.sampled_from((at, len(data) - at)))
        length = draw(st.sampled_from((0, 1, 1, 4, 100)))
        data[at : at + length] = draw(st.binary(max_size=8))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 5)) == 0 else data)


@st.composite
def mutated(draw: st.DrawFn, whole: bytes, others: Sequence[bytes]) -> bytes:
    """Return a file, or an archive with one of its parts, in which bytes are flipped, cut,
    repeated, or replaced by some of another file.
    """
    if whole.startswith(b"PK") and draw(st.integers(0, 3)):  # else its checksums refuse it
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        name = draw(st.sampled_from(sorted(parts)))
        parts[name] = draw(mutated(parts[name], others))
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        return target.getvalue()
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((1, 2, 8, 60, 500, 10_000))))
        what = draw(st.sampled_from(("flip", "flip", "cut", "repeat", "replace")))
        if what == "flip" and start < len(data):
            data[start] ^= 1 << draw(st.integers(0, 7))
        elif what == "cut":
            del data[start:end]
        elif what == "repeat":
            times = min(draw(st.sampled_from((2, 3, 40, 3000))), MAX_MUTATED // (end - start + 1))
            data[start:end] = data[start:end] * max(1, times)
        elif what == "replace":
            other = draw(st.sampled_from(others))
            begin = draw(st.integers(0, len(other)))
            data[start:end] = other[begin : begin + end - start]
    return bytes(data[:MAX_MUTATED])


@contextmanager
def refused_in_words(*names: str) -> Iterator[None]:
    """Let a refusal pass that was written for people and has one of the names in it."""
    message = None
    try:
        yield
    except UnicodeError:  # a ValueError, too, but a library's own words
        raise
    except ValueError as error:
        message = str(error)
    if message is not None:
        assert message.endswith((".", "?", "…")), message
        assert not names or any(name in message for name in names), message
        assert tempfile.gettempdir() not in message, message
        message.encode()  # half of a surrogate pair in it would break the page that shows it


def record_run(store: RunStore, run: Run) -> None:
    """Write down a run as if it had been trained: a step, an evaluation, a sample."""
    names = ("owner", "preset", "model_config", "training_config", "text_name", "text_sha256")
    numbers = ("train_tokens", "val_tokens", "total_steps", "versions")
    store.add_run(run_id=run.id, **{name: getattr(run, name) for name in (*names, *numbers)})
    records = [
        StepRecord(0, 1, 64, 10.9, 2.0, 4e-4),
        EvaluationRecord(0, 1, 64, 10.5, 10.6),
        ProbeRecord(0, 1, 64, 0, 10.4, (0.1, 0.2, 0.3), (1, 2, 3)),
        SampleRecord(0, 1, 64, "Every", "Every one", ((0, 1),)),
    ]
    store.add_records(run.id, [(record, 1.0) for record in records])
    store.set_state(run.id, RunState.FINISHED, run.owner)


def saved_by_torch(pickled: bytes) -> bytes:
    """Return a file as ``torch.save`` writes it, with this pickle in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    return file.getvalue()


def saved_by_older_torch(pickled: bytes) -> bytes:
    """Return a file as PyTorch before 1.6 wrote it, with this pickle in it."""
    before = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    parts = [pickle.dumps(value, protocol=2) for value in before]
    return b"".join([*parts, pickled, pickle.dumps([], protocol=2)])


def doubled(depth: int) -> bytes:
    """Return opcodes for a tuple that holds another twice, which holds another twice, ….

    To hash it, to compare it or to write it out takes 2^depth steps.
    """
    pickled = b")q\0"
    for level in range(1, depth):
        pickled += b"h" + bytes([level - 1]) + b"\x86q" + bytes([level])
    return pickled
