"""A look at a file of ``torch.save`` before it is unpickled.

``torch.load(weights_only=True)`` runs no foreign code, but what it builds can be endless: a dict
hashes its keys, and a tuple that holds another twice, which holds another twice, has 2^depth parts.
So its pickle is followed here opcode by opcode, on a stack of what would be on torch's: how large
it is and what it may be used for, never the thing itself.
"""

import pickle
import pickletools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_STORED, ZipFile

import torch

MAX_PICKLE_BYTES = 2**25  # of names and plain values, beside the tensors
MAX_OPCODES = 2_000_000
MAX_NESTING = 32
MAX_VALUES = 4_000_000  # each counted as often as it is reached
MAX_ARGUMENTS = 256  # values in a call, or in the description of a storage
MAX_RECORDS = 100_000  # files in the archive: one for each tensor, and some more
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C  # with which files of PyTorch before 1.6 begin
LEGACY_PICKLES = 5  # magic number, version, machine, object, keys of the storages

CALLED = {  # what a pickle of weights calls, and the kind of the result
    "collections OrderedDict": "dict",
    **dict.fromkeys(
        (
            "torch._utils _rebuild_tensor",
            "torch._utils _rebuild_tensor_v2",
            "torch._utils _rebuild_tensor_v3",
            "torch._utils _rebuild_parameter",
            "torch._utils _rebuild_parameter_with_state",
            "torch._utils _rebuild_qtensor",  # quantized: refused by its name, later
            *("torch device", "torch Size", "_codecs encode", "__builtin__ set", "builtins set"),
        ),
        "object",
    ),
}
STORAGES = {  # the bytes of a number
    "torch.storage UntypedStorage": 1,
    "torch.storage TypedStorage": 1,
    **{
        f"torch {name}Storage": size
        for size, names in (
            (16, ("ComplexDouble",)),
            (8, ("Double", "Long", "ComplexFloat")),
            (4, ("Float", "Int", "QInt32")),
            (2, ("Half", "BFloat16", "Short")),
            (1, ("Char", "Byte", "Bool", "QInt8", "QUInt8", "QUInt4x2", "QUInt2x4")),
        )
        for name in names
    },
}
NAMED = {f"torch {name}" for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
NAMED |= {f"torch per_{how}" for how in ("tensor_affine", "channel_affine", "tensor_symmetric")}


@dataclass(slots=True)
class Value:
    """What a value on the stack is: how large, and what it may be used for."""

    kind: str  # number, text, plain, tuple, list, dict, global, object, mark
    content: Any = None  # of a number or text; a global's name; the parts of a tuple
    size: int = 1  # values in it, each counted as often as it is reached
    depth: int = 0
    is_inside: bool = False  # another holds it, which may not change its size any more

    def hold(self, parts: Sequence["Value"]) -> None:
        """Let a container hold these values too.

        Raises:
            ValueError: it is nested too deep, too large, or held by another already.
        """
        for part in parts:
            part.is_inside = True
        if self.is_inside:  # or it holds itself
            raise ValueError("one of its values changes after another holds it")
        for part in parts:
            self.size += part.size
            self.depth = max(self.depth, part.depth + 1)
        if self.depth > MAX_NESTING:
            raise ValueError(f"its values are nested more than {MAX_NESTING} deep")
        if self.size > MAX_VALUES:
            raise ValueError(f"it holds more than {MAX_VALUES:,} values")


@dataclass
class Stack:
    """The stack and the memo of an unpickler, with :class:`Value` in place of what it builds."""

    values: list[Value] = field(default_factory=list)
    below: list[list[Value]] = field(default_factory=list)  # the stacks below each mark
    memo: dict[int, Value] = field(default_factory=dict)
    storages: dict[str, int] = field(default_factory=dict)  # bytes of each, by its key

    def push(self, kind: str, content: Any = None) -> None:
        """Put a value without parts on the stack."""
        self.values.append(Value(kind, content))

    def mark(self) -> None:
        """Begin a stack above this one."""
        self.below.append(self.values)
        self.values = []

    def since_mark(self) -> list[Value]:
        """Return the values above the last mark, and take them off."""
        parts, self.values = self.values, self.below.pop()
        return parts

    def make_tuple(self, parts: list[Value]) -> None:
        """Put a tuple of these values on the stack."""
        made = Value("tuple", tuple(parts[: MAX_ARGUMENTS + 1]))
        made.hold(parts)
        self.values.append(made)

    def take(self, number: int) -> list[Value]:
        """Return so many values from the top of the stack, and take them off."""
        parts = self.values[len(self.values) - number :] if len(self.values) >= number else []
        if not parts:
            raise IndexError
        del self.values[-number:]
        return parts

    def append(self, parts: list[Value]) -> None:
        """Let the list on top hold these values too."""
        self._top("list").hold(parts)

    def set_items(self, parts: list[Value]) -> None:
        """Let the dict on top hold these pairs of a key and a value."""
        for key in parts[::2]:
            if key.kind not in ("text", "number"):
                raise ValueError("a key in it is neither a text nor a whole number")
        self._top("dict").hold(parts)

    def build(self) -> None:
        """Give an OrderedDict its attributes: the versions that ``state_dict()`` notes."""
        (state,) = self.take(1)
        if state.kind != "dict":
            raise pickle.UnpicklingError
        self._top("dict").hold([state])

    def reduce(self) -> None:
        """Call a function of :data:`CALLED`."""
        function, arguments = self.take(2)
        kind = CALLED.get(function.content) if function.kind == "global" else None
        if kind is None or arguments.kind != "tuple":
            raise pickle.UnpicklingError
        if arguments.size > (1 if kind == "dict" else MAX_ARGUMENTS):
            raise ValueError("it calls a function with too many values")
        self.push(kind)

    def load_storage(self) -> None:
        """Load a storage: ("storage", type, key, device, numbers), from older files a view too."""
        (described,) = self.take(1)
        if described.kind != "tuple" or described.size > MAX_ARGUMENTS:
            raise pickle.UnpicklingError
        parts = described.content
        kinds = [part.kind for part in parts[:5]]
        is_storage = kinds == ["text", "global", "text", "text", "number"]
        if not is_storage or parts[0].content != "storage":
            raise pickle.UnpicklingError
        _, kind, key, _, numbers = (part.content for part in parts[:5])
        if kind not in STORAGES:
            raise pickle.UnpicklingError
        if numbers < 0:
            raise ValueError("a tensor in it has less than no numbers")
        self.storages[key] = max(self.storages.get(key, 0), numbers * STORAGES[kind])
        self.push("object")

    def load_global(self, name: str) -> None:
        """Put a named thing of Python's or torch's on the stack."""
        if name not in CALLED and name not in STORAGES and name not in NAMED:
            raise pickle.UnpicklingError
        self.push("global", name)

    def _top(self, kind: str) -> Value:
        if self.values[-1].kind != kind:
            raise pickle.UnpicklingError
        return self.values[-1]


def _put(stack: Stack, index: int) -> None:
    stack.memo[index] = stack.values[-1]


def _get(stack: Stack, index: int) -> None:
    stack.values.append(stack.memo[index])


def _pushing(kind: str) -> Callable[[Stack, Any], None]:
    return lambda stack, content: stack.push(kind, content)


# Every opcode that torch.save writes; its own unpickler knows only a few more.
OPCODES: dict[str, Callable[[Stack, Any], None]] = {
    "PROTO": lambda stack, _: None,
    "MARK": lambda stack, _: stack.mark(),
    "GLOBAL": lambda stack, name: stack.load_global(name),
    "REDUCE": lambda stack, _: stack.reduce(),
    "BUILD": lambda stack, _: stack.build(),
    "BINPERSID": lambda stack, _: stack.load_storage(),
    "TUPLE": lambda stack, _: stack.make_tuple(stack.since_mark()),
    "TUPLE1": lambda stack, _: stack.make_tuple(stack.take(1)),
    "TUPLE2": lambda stack, _: stack.make_tuple(stack.take(2)),
    "TUPLE3": lambda stack, _: stack.make_tuple(stack.take(3)),
    "EMPTY_TUPLE": lambda stack, _: stack.make_tuple([]),
    "EMPTY_LIST": _pushing("list"),
    "EMPTY_DICT": _pushing("dict"),
    "APPEND": lambda stack, _: stack.append(stack.take(1)),
    "APPENDS": lambda stack, _: stack.append(stack.since_mark()),
    "SETITEM": lambda stack, _: stack.set_items(stack.take(2)),
    "SETITEMS": lambda stack, _: stack.set_items(stack.since_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _get),
    **dict.fromkeys(("BININT", "BININT1", "BININT2"), _pushing("number")),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINSTRING"), _pushing("text")),
    **dict.fromkeys(("NONE", "NEWTRUE", "NEWFALSE", "BINFLOAT"), _pushing("plain")),
    "LONG1": _pushing("large number"),  # no key: many can have the same hash
}


def check_pickled_file(file: Path) -> None:
    """Look at a file of ``torch.save``, of the format since PyTorch 1.6 or the one before.

    Raises:
        pickle.UnpicklingError: it holds more than weights and plain values.
        ValueError: it is neither format, damaged, or too large for a file of weights: what it
            holds is nested too deep, is too much, or has keys other than texts and whole numbers.
        OSError: it cannot be read.
        RuntimeError: torch cannot read the archive.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        if opened.read(4) == b"PK\3\4":
            storages = _check_archive(file, size)
        else:
            opened.seek(0)
            pickles = BytesIO(opened.read(MAX_PICKLE_BYTES))
            stack = Stack()
            first = _follow(pickles, stack)
            if first.content != MAGIC_NUMBER:
                raise ValueError("it is not a file of torch.save")
            for _ in range(1, LEGACY_PICKLES):
                stack = Stack(storages=stack.storages)
                _follow(pickles, stack)
            storages = stack.storages
    if sum(storages.values()) > size:
        raise ValueError("it holds less than the tensors that it names: is it whole?")


def _check_archive(file: Path, size: int) -> dict[str, int]:
    """Check the pickle in an archive, as torch finds it there; return its storages' bytes.

    Raises:
        ValueError, pickle.UnpicklingError, RuntimeError: as of :func:`check_pickled_file`.
    """
    with ZipFile(file) as archive:
        members = archive.infolist()
        if any(member.compress_type != ZIP_STORED for member in members):
            raise ValueError("it was compressed, and torch.save compresses nothing")
        if sum(member.filename.endswith("data.pkl") for member in members) > 1:
            raise ValueError("it holds several pickles")
    # Two readers of a ZIP can see two different files in it: only what torch sees counts.
    reader = torch._C.PyTorchFileReader(str(file))
    records = reader.get_all_records()
    if len(records) > MAX_RECORDS:
        raise ValueError(f"it holds more than {MAX_RECORDS:,} files")
    if sum(map(reader.get_record_size, records)) > size:
        raise ValueError("it unpacks to more than its size, and torch.save compresses nothing")
    if "data.pkl" not in records:
        raise ValueError("it is not a file of torch.save")
    if reader.get_record_size("data.pkl") > MAX_PICKLE_BYTES:
        raise ValueError(f"its pickle is larger than {MAX_PICKLE_BYTES // 2**20} MB")
    stack = Stack()
    _follow(BytesIO(reader.get_record("data.pkl")), stack)
    return stack.storages


def _follow(pickled: IO[bytes], stack: Stack) -> Value:
    """Follow one pickle to its end and return what it holds.

    Raises:
        pickle.UnpicklingError: an opcode, or what it uses, is not allowed.
        ValueError: the pickle is damaged, or over a limit.
    """
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(pickled)):
            if number > MAX_OPCODES:
                raise ValueError(f"its pickle has more than {MAX_OPCODES:,} steps")
            if opcode.name == "STOP":
                break
            if opcode.name not in OPCODES:
                raise pickle.UnpicklingError
            OPCODES[opcode.name](stack, argument)
        return stack.values[-1]
    except (IndexError, KeyError) as error:
        raise ValueError("its pickle is damaged") from error
