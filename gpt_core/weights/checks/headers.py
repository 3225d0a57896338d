"""A look at the header of a safetensors file before the library reads it."""

import struct
from math import prod
from pathlib import Path
from typing import Any

from gpt_core.system import parse_json

MAX_HEADER_BYTES = 2**22
MAX_TENSORS = 10_000
MAX_DIMENSIONS = 8
NUMBER_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
}


def check_safetensors_file(file: Path) -> None:
    """Look at the header of a safetensors file: how many tensors, how large, and where.

    Raises:
        ValueError: the header is too large or damaged, names too many tensors, or a tensor is not
            where the file has its numbers.
        OSError: it cannot be read.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        beginning = opened.read(8)
        if len(beginning) < 8:
            raise ValueError("it is too short for a safetensors file")
        (length,) = struct.unpack("<Q", beginning)
        if length > size - 8:
            raise ValueError("its header is incomplete, or it is no safetensors file")
        if length > MAX_HEADER_BYTES:
            raise ValueError(f"its header is larger than {MAX_HEADER_BYTES // 2**20} MB")
        header = parse_json(opened.read(length), "its header", MAX_HEADER_BYTES)
    if not isinstance(header, dict):
        raise ValueError("its header names no tensors")
    header.pop("__metadata__", None)
    if len(header) > MAX_TENSORS:
        raise ValueError(f"it holds more than {MAX_TENSORS:,} tensors")
    end = 0
    for begin, name, bytes_there in sorted(_place(name, it) for name, it in header.items()):
        if begin != end:
            raise ValueError(f"{name} does not begin where the tensor before it ends")
        end += bytes_there
    if end != size - 8 - length:
        raise ValueError(f"its tensors take {end:,} bytes, and {size - 8 - length:,} are there")


def _place(name: str, described: Any) -> tuple[int, str, int]:
    """Return where a tensor begins, its name, and its bytes.

    Raises:
        ValueError: its description is damaged.
    """
    try:
        shape, (begin, end) = described["shape"], described["data_offsets"]
        number_bytes = NUMBER_BYTES.get(described["dtype"])
        numbers = [begin, end, *shape]
        are_sizes = all(type(number) is int and 0 <= number < 2**48 for number in numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"its header does not describe {name}") from error
    if not are_sizes or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"its header gives {name} no possible size")
    # Kinds of numbers that are unknown here are refused by the library, or when they are read.
    if end < begin or (number_bytes and prod(shape) * number_bytes != end - begin):
        raise ValueError(f"{name} takes another number of bytes than its shape")
    return begin, name, end - begin
