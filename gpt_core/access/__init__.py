"""Who may do what: permissions, a class's rules, its roster, what a visitor sees."""

from gpt_core.access.class_rules import (
    CONTROLS,
    FIRST_LESSON,
    MEGABYTE,
    TEXTS,
    WEIGHTS,
    ClassRules,
    bytes_used,
    read_rules,
    refuse_bytes,
    refuse_more_training,
    refuse_run,
    seconds_left,
    write_rules,
)
from gpt_core.access.permissions import (
    LOCAL,
    TEACHER,
    NotAllowed,
    find_open_run,
    find_own_run,
    is_open,
    is_student,
    refuse,
    refuse_students,
)
from gpt_core.access.roster import LONGEST_NAME, ClassRoll, Member
from gpt_core.access.visible_runs import View

__all__ = [
    "CONTROLS",
    "FIRST_LESSON",
    "LOCAL",
    "LONGEST_NAME",
    "MEGABYTE",
    "TEACHER",
    "TEXTS",
    "WEIGHTS",
    "ClassRoll",
    "ClassRules",
    "Member",
    "NotAllowed",
    "View",
    "bytes_used",
    "find_open_run",
    "find_own_run",
    "is_open",
    "is_student",
    "read_rules",
    "refuse",
    "refuse_bytes",
    "refuse_more_training",
    "refuse_run",
    "refuse_students",
    "seconds_left",
    "write_rules",
]
