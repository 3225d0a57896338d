"""Named tensors in the files people have: safetensors or torch.save's, one file or several."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from gpt_core.weights.checks import MAX_TENSORS, check_pickled_file, check_safetensors_file
from gpt_core.weights.file_names import INDEX_SUFFIX, PICKLE_SUFFIXES, SHARD, WEIGHTS_SUFFIXES
from gpt_core.weights.gpt2_config import read_settings_file

MAX_SHARDS = 256
MAX_WRAPPERS = 3  # dictionaries around a checkpoint's tensors
STATE_NAMES = ("model_state_dict", "state_dict", "model", "module")  # of those dictionaries
# What wrappers put into the names of parameters: torch.compile, several GPUs, sharding.
WRAPPERS = {"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
EMBEDDINGS = (["tok_emb", "weight"], ["wte", "weight"])  # the book's name, and GPT-2's
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
BEGINNING = 512  # bytes of a file that show what it is

Part = tuple[tuple[int, ...], Callable[[], Tensor]]  # a tensor's shape, and what reads it


@dataclass(frozen=True)
class NamedTensors:
    """The tensors of a model, by names without the prefixes of wrappers.

    Args:
        file: the file, or the index of several.
        parts: of each name, the tensor's shape and what reads it.
        facts: what a checkpoint of torch.save states beside its tensors.
    """

    file: Path
    parts: Mapping[str, Part]
    facts: Mapping[str, Any]

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor.

        Raises:
            ValueError: it is missing.
        """
        if name not in self.parts:
            raise ValueError(f"{name} is missing")
        return self.parts[name][0]

    def read(self, name: str) -> Tensor:
        """Return a tensor as it is in the file.

        Raises:
            ValueError: it is missing, incomplete, or not of floating-point numbers.
        """
        self.shape(name)
        tensor = self.parts[name][1]().detach()
        if tensor.dtype not in FLOATS:
            raise ValueError(f"{name} is of {tensor.dtype}: quantized weights are not supported")
        if tensor.untyped_storage().nbytes() < tensor.nbytes:  # a few repeated numbers
            raise ValueError(f"{name} is incomplete")
        return tensor


@contextmanager
def open_tensors(file: Path) -> Iterator[NamedTensors]:
    """Open a file of weights, one of several, or their index.

    Only tensors and plain values are read: a file that would run code is refused.

    Raises:
        ValueError: it is not what its name says, incomplete, or has too many parts.
        pickle.UnpicklingError: it would run code.
        Exception: a damaged file can raise anything.
    """
    if shard := SHARD.fullmatch(file.name):
        file = file.with_name(f"{shard[1]}{shard[2]}{INDEX_SUFFIX}")
        if not file.is_file():
            raise ValueError(f"it is one of several files, and {file.name} is not beside it")
    files = _shards(file) if file.name.endswith(INDEX_SUFFIX) else [file]
    facts: Mapping[str, Any] = {}
    parts: dict[str, Part] = {}
    with ExitStack() as stack:
        for one in files:
            refuse_placeholder(one)
            if one.suffix in PICKLE_SUFFIXES:
                found, facts = _unpickle(one)
            else:
                check_safetensors_file(one)
                weights = stack.enter_context(safe_open(one, "pt"))
                found = {
                    name: (
                        tuple(weights.get_slice(name).get_shape()),
                        partial(_read, weights, name),
                    )
                    for name in weights.keys()  # noqa: SIM118 (it is no dict)
                }
            if parts.keys() & found.keys():
                raise ValueError(f"{one.name} holds tensors that another of the files holds too")
            parts |= found
            if len(parts) > MAX_TENSORS:
                raise ValueError(f"it holds more than {MAX_TENSORS:,} tensors")
        names = bare_names(parts)
        yield NamedTensors(file, {bare: parts[name] for bare, name in names.items()}, facts)


def bare_names(names: Iterable[str]) -> dict[str, str]:
    """Return the names of a model's parameters without what wrappers added, and the names as given.

    Raises:
        ValueError: two parameters have the same bare name, or there is more than one model.
    """
    split = {name: [p for p in name.split(".") if p not in WRAPPERS] for name in names}
    outer = {tuple(parts[:-2]) for parts in split.values() if parts[-2:] in EMBEDDINGS}
    if len(outer) > 1:
        raise ValueError("it holds more than one model")
    holder = next(iter(outer), ())  # of the model: ("transformer",), or a program's own names
    bare: dict[str, str] = {}
    for name, parts in split.items():
        shared = list(takewhile(lambda pair: pair[0] == pair[1], zip(parts, holder, strict=False)))
        short = ".".join(parts[len(shared) :])
        if short in bare:
            raise ValueError(f"it holds two tensors called {short}")
        bare[short] = name
    return bare


def refuse_placeholder(file: Path) -> None:
    """Raise ValueError if a file only stands for the one that its name promises.

    Raises:
        ValueError: it is empty, a pointer of Git LFS, or a web page.
        OSError: it cannot be read.
    """
    with file.open("rb") as opened:
        beginning = opened.read(BEGINNING)
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not beginning:
        raise ValueError(f"{file.name} is empty")
    if text.startswith(b"version https://git-lfs"):
        raise ValueError(
            f"{file.name} is a pointer of Git LFS, not the file itself: run git lfs pull in its "
            "folder, or download the file from its page"
        )
    if text.startswith((b"<!doctype html", b"<html", b"<!--")):
        raise ValueError(f"{file.name} is a web page, not the file itself: download that again")


def _read(weights: Any, name: str) -> Tensor:
    tensor: Tensor = weights.get_slice(name)[...]
    return tensor


def _shards(index: Path) -> list[Path]:
    """Return the files that an index names.

    Raises:
        ValueError: the index is damaged, or names files that are missing or elsewhere.
    """
    refuse_placeholder(index)
    where = read_settings_file(index).get("weight_map")
    names = set(where.values()) if isinstance(where, dict) else set()
    if not 0 < len(names) <= MAX_SHARDS:
        raise ValueError(f"{index.name} names no files, or more than {MAX_SHARDS}")
    files = []
    for name in sorted(map(str, names)):
        if Path(name).name != name or "\\" in name or not name.endswith(WEIGHTS_SUFFIXES):
            raise ValueError(f"{index.name} names a file that may not be read: {name!r}")
        files.append(index.with_name(name))
        if not files[-1].is_file():
            raise ValueError(f"{name} is missing: put all {len(names)} files beside {index.name}")
    return files


def _unpickle(file: Path) -> tuple[dict[str, Part], dict[str, Any]]:
    """Return the tensors in a file of torch.save, and what else stands there."""
    with file.open("rb") as opened:
        is_zip = opened.read(4) == b"PK\3\4"  # since PyTorch 1.6
    check_pickled_file(file)
    # Mapped, a file of weights and of optimizer states takes no memory beside the model's.
    saved: Any = torch.load(file, map_location="cpu", weights_only=True, mmap=is_zip)
    facts: dict[str, Any] = {}
    for _ in range(MAX_WRAPPERS):
        inner = [n for n in STATE_NAMES if isinstance(saved, Mapping) and n in saved]
        if not inner or not isinstance(saved[inner[0]], Mapping):
            break
        facts |= {name: value for name, value in saved.items() if name != inner[0]}
        saved = saved[inner[0]]
    if not isinstance(saved, Mapping) or not saved:
        raise ValueError("it holds no model weights")
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in saved.items()):
        raise ValueError("it holds no model weights")
    return {name: (tuple(t.shape), partial(_same, t)) for name, t in saved.items()}, facts


def _same(tensor: Tensor) -> Tensor:
    return tensor
