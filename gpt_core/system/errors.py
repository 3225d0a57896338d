"""Errors of the machine: the kind of an error, and a message for the user."""

import errno
import os
import re
import sqlite3
from enum import Enum, auto

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

# Only their messages say that the memory or the disk is full: torch raises RuntimeError
# ("DefaultCPUAllocator: can't allocate memory", "CUDA out of memory"), SQLite a general error,
# safetensors its own, and an import ImportError ("failed to map segment from shared object").
MEMORY_FULL_WORDS = ("allocate memory", "enough memory", "out of m", "failed to map segment")
NO_HANDLES = (errno.EMFILE, errno.ENFILE)  # of this process, of the machine
NO_HANDLES_WORDS = "Too many open files"
# Safetensors: "Error while serializing: I/O error: Read-only file system (os error 30)".
OS_ERROR = re.compile(r"I/O error: (.+) \(os error \d+\)")
DISK_FULL_WORDS = ("No space left", "disk is full")


class ErrorKind(Enum):
    """What an exception means for the user."""

    MEMORY_FULL = auto()
    DISK_FULL = auto()
    RECORD_DAMAGED = auto()  # SQLite finds its file damaged
    RECORD_UNREADABLE = auto()  # SQLite cannot read or write it
    MACHINE = auto()  # the operating system refuses
    OTHER = auto()  # the exception's own message is shown


def error_kind(error: BaseException) -> ErrorKind:
    """Return which kind of error an exception is."""
    text = str(error)
    if isinstance(error, MemoryError) or any(words in text for words in MEMORY_FULL_WORDS):
        return ErrorKind.MEMORY_FULL
    no_space = isinstance(error, OSError) and error.errno == errno.ENOSPC
    if no_space or any(words in text for words in DISK_FULL_WORDS):
        return ErrorKind.DISK_FULL
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind
        return ErrorKind.RECORD_DAMAGED if code in DAMAGED else ErrorKind.RECORD_UNREADABLE
    if (isinstance(error, OSError) and error.strerror) or OS_ERROR.search(text):
        return ErrorKind.MACHINE
    return ErrorKind.OTHER


def lacks_file_handles(error: BaseException) -> bool:
    """Tell whether an error only means that no more files can be opened at this moment.

    Many connections take the handles of a process; they come back when the connections close.
    """
    if isinstance(error, sqlite3.Error):  # "unable to open database file", whatever the reason
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as refused:
            return refused.errno in NO_HANDLES
        return False
    return getattr(error, "errno", None) in NO_HANDLES or NO_HANDLES_WORDS in str(error)


def describe_error(error: BaseException) -> str:
    """Return the message that a user sees for an exception: what is wrong and what to do."""
    match error_kind(error):
        case ErrorKind.MEMORY_FULL:
            return (
                "The memory is full: close other programs, or choose a smaller model, batch_size "
                "or context_length."
            )
        case ErrorKind.DISK_FULL:
            return (
                "The disk is full: free some space and continue, or choose another runs directory."
            )
        case ErrorKind.RECORD_DAMAGED:
            return (
                "The record of the runs is damaged. Stop the app and start it again: the damaged "
                "file is set aside, and everything readable in it is kept."
            )
        case ErrorKind.RECORD_UNREADABLE:
            return (
                f"The runs directory could not be read or written ({error}): check that it exists."
            )
        case ErrorKind.MACHINE:
            told = OS_ERROR.search(str(error))
            # Without the path, which is the server's.
            reason = told[1] if told else getattr(error, "strerror", "")
            return f"The machine reports an error ({reason}): check the runs directory."
        case ErrorKind.OTHER:
            return str(error) or type(error).__name__
