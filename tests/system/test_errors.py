"""Which kind of error an exception is, and the sentence that a user reads."""

import errno
import sqlite3

import pytest
import torch
from safetensors import SafetensorError

from gpt_core.system import describe_error
from gpt_core.system.errors import ErrorKind, error_kind


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), ErrorKind.MEMORY_FULL),
        (torch.OutOfMemoryError("CUDA out of memory."), ErrorKind.MEMORY_FULL),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), ErrorKind.MEMORY_FULL),
        (OSError(errno.ENOSPC, "No space left on device"), ErrorKind.DISK_FULL),
        (OSError("I/O error: No space left on device (os error 28)"), ErrorKind.DISK_FULL),
        (sqlite3.OperationalError("database or disk is full"), ErrorKind.DISK_FULL),
        (sqlite_error(sqlite3.SQLITE_CORRUPT), ErrorKind.RECORD_DAMAGED),
        (sqlite_error(sqlite3.SQLITE_CORRUPT | 3 << 8), ErrorKind.RECORD_DAMAGED),
        (sqlite3.OperationalError("unable to open database file"), ErrorKind.RECORD_UNREADABLE),
        (OSError(errno.EACCES, "Permission denied", "/srv/secret"), ErrorKind.MACHINE),
        (ValueError("choose another"), ErrorKind.OTHER),
    ],
)
def test_an_error_is_of_one_kind(error: Exception, kind: ErrorKind) -> None:
    assert error_kind(error) is kind


def test_a_torch_allocation_that_fails_is_a_full_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert error_kind(caught.value) is ErrorKind.MEMORY_FULL


def test_the_sentence_names_no_path_of_the_server() -> None:
    sentence = describe_error(OSError(errno.EACCES, "Permission denied", "/srv/secret"))
    assert "Permission denied" in sentence
    assert "secret" not in sentence


def test_an_exception_without_a_message_has_its_kind_for_one() -> None:
    assert describe_error(ValueError("choose another")) == "choose another"
    assert describe_error(KeyError()) == "KeyError"


@pytest.mark.parametrize("kind", [SafetensorError, OSError])
def test_what_safetensors_cannot_write_is_told_as_of_any_other_file(kind: type) -> None:
    error = kind("Error while serializing: I/O error: Read-only file system (os error 30)")
    told = "The machine reports an error (Read-only file system): check the runs directory."
    assert describe_error(error) == told
