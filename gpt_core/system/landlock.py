"""Landlock: a Linux process that gives up, for good, to change files and to reach others.

Source: Linux, ``Documentation/userspace-api/landlock.rst`` and ``include/uapi/linux/landlock.h``.
"""

import ctypes
import os
import struct
import sys
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, the same on all machines
GET_VERSION, PATH_BENEATH = 1, 1
PR_SET_NO_NEW_PRIVS = 38
WRITE_FILE, REMOVE_DIR, REMOVE_FILE = 1 << 1, 1 << 4, 1 << 5
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (
    1 << bit for bit in range(6, 13)
)
REFER, TRUNCATE = 1 << 13, 1 << 14  # move to another folder; cut
CHANGES = (WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_CHAR | MAKE_DIR | MAKE_REG | MAKE_SOCK) | (
    MAKE_FIFO | MAKE_BLOCK | MAKE_SYM
)
IN_FOLDER = WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | TRUNCATE  # no links
SINCE = {2: REFER, 3: TRUNCATE}  # version of Landlock: what it knows beside the first one's
TCP = 3  # binding and connecting, since version 4
OTHERS = 3  # abstract sockets and signals of processes outside, since version 6


def restrict(folder: Path | None) -> bool:
    """Let this process change files in one folder only, or in none; return whether it holds.

    Where the system's Landlock knows it, the process also opens no TCP connection and signals no
    other process. Files that are open stay so. Only this thread and those that it starts later
    are restricted.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, 0, GET_VERSION)
    if version < 1:
        return False
    changes = CHANGES
    for since, right in SINCE.items():
        changes |= right if version >= since else 0
    fields = (changes, TCP if version >= 4 else 0, OTHERS if version >= 6 else 0)
    described = struct.pack("=QQQ", *fields)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = libc.syscall(CREATE_RULESET, described, ctypes.c_size_t(len(described)), 0)
    if ruleset < 0:
        return False
    try:
        if folder is not None:
            beneath = os.open(folder, os.O_PATH | os.O_DIRECTORY)
            try:
                rule = struct.pack("=Qi", IN_FOLDER & changes, beneath)
                if libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0):
                    return False
            finally:
                os.close(beneath)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)
