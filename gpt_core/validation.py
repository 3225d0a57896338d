"""Checks of values from users: a message names the field, the value and what to do."""

import math
from collections.abc import Callable
from typing import Any

MAX_INTEGER = 2**31 - 1  # of whole numbers: the product of two still fits into the store
MAX_SHOWN_CHARACTERS = 80  # characters of a refused value


def shown(value: Any) -> str:
    """Return a value as a message shows it: on one line, and shortened."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or deeply nested lists
        return "…"
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"


def check_whole(name: str, value: Any, at_least: int, at_most: int = MAX_INTEGER) -> None:
    """Raise ValueError unless the value is a whole number from ``at_least`` to ``at_most``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name}={shown(value)} is not a whole number: choose {at_least} or more.")
    if value < at_least:
        raise ValueError(f"{name}={shown(value)} is too small: choose {at_least} or more.")
    if value > at_most:
        raise ValueError(f"{name}={shown(value)} is too large: choose {at_most} or less.")


def check_number(name: str, value: Any, allows: Callable[[float], bool], allowed: str) -> None:
    """Raise ValueError unless the value is a finite number that ``allows`` accepts."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}={shown(value)} is not a number: choose a number {allowed}.")
    try:
        is_fine = math.isfinite(value) and allows(value)
    except OverflowError:  # 10**400
        is_fine = False
    if not is_fine:
        raise ValueError(f"{name}={shown(value)} is out of range: choose a number {allowed}.")


def check_yes_or_no(name: str, value: Any) -> None:
    """Raise ValueError unless the value is True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name}={shown(value)} is neither true nor false: choose one of them.")


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless the value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name}={shown(value)} is not known: choose {', '.join(choices)}.")


def is_whole_text(text: str) -> bool:
    """Tell whether a text can be encoded as UTF-8: half of a surrogate pair is not a character."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def check_text(name: str, value: Any) -> None:
    """Raise ValueError unless the value is a non-empty text that can be encoded as UTF-8."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}={shown(value)} holds no text: give it at least one character.")
    if not is_whole_text(value):
        raise ValueError(f"{name} is damaged: it contains half of a surrogate pair. Remove it.")
