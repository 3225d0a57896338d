"""What every figure is made with: points that are kept, labels, JSON."""

import base64
import html
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# A plotly figure as plain data. What is drawn anew each second is made so: plotly's own objects
# take ten times as long.
Chart = dict[str, Any]

MAX_POINTS = 600  # of a line: about as many as a screen can tell apart


def to_json(chart: Chart) -> str:
    """Return a chart as JSON, its numbers as plotly.js takes them up fastest: base64."""
    return json.dumps(chart, default=_typed_array, separators=(",", ":"))


def _typed_array(numbers: npt.NDArray[np.float32]) -> dict[str, str]:
    shape = {"shape": ", ".join(map(str, numbers.shape))} if numbers.ndim > 1 else {}
    whole = np.ascontiguousarray(numbers, np.float32)
    return {"dtype": "f4", "bdata": base64.b64encode(whole.tobytes()).decode(), **shape}


def kept_points(y: npt.NDArray[np.float64], most: int = MAX_POINTS) -> npt.NDArray[np.intp]:
    """Return which points of a line to draw: about ``most``, spikes kept.

    Of each bucket the lowest and the highest. Buckets are counted from the start and their size
    is a power of two, so that a longer line keeps points that were drawn before, or leaves some
    out, but moves none. What fills no whole bucket yet goes into smaller ones.
    """
    size = 1
    while len(y) > most * size / 2:
        size *= 2
    if len(y) <= most:
        size = 1
    whole = len(y) // size * size
    buckets = y[:whole].reshape(-1, size)  # (buckets, size)
    starts = np.arange(0, whole, size)
    ends = [0, len(y) - 1] if len(y) else []
    rest = kept_points(y[whole:], most) if 0 < whole < len(y) else np.arange(0)
    return np.unique(
        np.concatenate(
            [
                starts + buckets.argmin(axis=1),
                starts + buckets.argmax(axis=1),
                whole + rest,
                np.array(ends, dtype=np.intp),
            ]
        ).astype(np.intp)
    )


def plain(text: str) -> str:
    """Return a text that plotly shows as it is: it would take tags in it for markup."""
    return html.escape(text, quote=False)


def labels(texts: Sequence[str]) -> dict[str, Any]:
    """Return an axis's labels, one at each whole number: equal ones stay apart."""
    return {"tickvals": list(range(len(texts))), "ticktext": [plain(text) for text in texts]}
