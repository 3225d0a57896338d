"""Numbers → the texts that pages show."""

from bisect import bisect_right

PROBABILITY_STEPS = (0.001, 0.01, 0.1, 0.5, 0.9)  # where the colour of a probability changes


def format_loss(loss: float | None) -> str:
    """Return a loss with three decimals, or a dash if there is none yet."""
    return "–" if loss is None else f"{loss:.3f}"


def format_probability(probability: float) -> str:
    """Return a probability short enough for a chip: ``0.312``, ``7.5e-05``."""
    return f"{probability:.3f}" if probability >= 0.001 else f"{probability:.1e}"


def format_exactly(probability: float) -> str:
    """Return a probability as the chapter prints it: ``7.454e-05``."""
    return f"{probability:.3e}"


def format_bytes(number: float) -> str:
    """Return a size in bytes as readable text: ``650 MB``, ``1.9 GB``."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f} B"


def probability_strength(probability: float) -> float:
    """Return the strength of a probability's colour, 0 to 1, one of a few that stand apart."""
    return bisect_right(PROBABILITY_STEPS, probability) / len(PROBABILITY_STEPS)


def position_name(row: int, column: int, largest: int) -> str:
    """Return the chapter's name of a position, counted from 1: ``11``, or ``4,11``.

    ``largest`` is the largest row or column beside it: above 9, a comma keeps the two apart.
    """
    return f"{row},{column}" if largest > 9 else f"{row}{column}"


def format_estimate(seconds: float) -> str:
    """Return an estimated duration as readable text: ``under 1 min``, ``about 4 min``."""
    if seconds < 60:
        return "under 1 min"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.0f} h"


def format_duration(seconds: float) -> str:
    """Return a duration in seconds as readable text: ``12 s``, ``3 min 05 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
