"""Who may do what: permissions, class rules, the roster, and which runs an actor sees."""

from gpt_core.access.class_rules import (
    CONTROLS,
    FIRST_LESSON,
    MEGABYTE,
    TEXTS,
    WEIGHTS,
    ClassRules,
    bytes_used,
    read_rules,
    require_allowed_run,
    require_disk_quota,
    require_training_time,
    seconds_left,
    write_rules,
)
from gpt_core.access.permissions import (
    LOCAL,
    TEACHER,
    PermissionDenied,
    is_open,
    is_student,
    refuse,
    require_owner,
    require_read_access,
    require_teacher,
)
from gpt_core.access.roster import MAX_MEMBER_NAME, Member, Roster
from gpt_core.access.visible_runs import VisibleRuns

__all__ = [
    "CONTROLS",
    "FIRST_LESSON",
    "LOCAL",
    "MAX_MEMBER_NAME",
    "MEGABYTE",
    "TEACHER",
    "TEXTS",
    "WEIGHTS",
    "ClassRules",
    "Member",
    "PermissionDenied",
    "Roster",
    "VisibleRuns",
    "bytes_used",
    "is_open",
    "is_student",
    "read_rules",
    "refuse",
    "require_allowed_run",
    "require_disk_quota",
    "require_owner",
    "require_read_access",
    "require_teacher",
    "require_training_time",
    "seconds_left",
    "write_rules",
]
