"""The machine: atomic files, displayable text, memory, and error messages for users.

The modules ``sandbox``, which is also a program, and ``foreign_json``, which uses it, are imported
as modules.
"""

from gpt_core.system.atomic_write import write_atomically
from gpt_core.system.bounded_json import (
    MAX_RECORDING_BYTES,
    MAX_SETTINGS_BYTES,
    parse_json,
    read_json,
)
from gpt_core.system.data_dir import DATA_DIR, FETCHED_DIR, USER_DIR
from gpt_core.system.display_text import count, printable, shorten
from gpt_core.system.environment import compute_after_others, describe_change, describe_machine
from gpt_core.system.errors import DAMAGED, describe_error, lacks_file_handles
from gpt_core.system.malloc import keep_freed_memory, return_freed_memory, start_thread
from gpt_core.system.turns import ReadingTurns, Watch

__all__ = [
    "DAMAGED",
    "DATA_DIR",
    "FETCHED_DIR",
    "MAX_RECORDING_BYTES",
    "MAX_SETTINGS_BYTES",
    "USER_DIR",
    "ReadingTurns",
    "Watch",
    "compute_after_others",
    "count",
    "describe_change",
    "describe_error",
    "describe_machine",
    "keep_freed_memory",
    "lacks_file_handles",
    "parse_json",
    "printable",
    "read_json",
    "return_freed_memory",
    "shorten",
    "start_thread",
    "write_atomically",
]
