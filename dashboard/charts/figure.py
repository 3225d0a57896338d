"""Helpers of all figures: reduced lines, labels, JSON."""

import base64
import html
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# A Plotly figure as plain data, for charts that are redrawn each second: Plotly's own objects take
# ten times as long.
Chart = dict[str, Any]

MAX_POINTS = 600  # per line: about as many as a screen can show


def to_json(chart: Chart) -> str:
    """Return a chart as JSON, its arrays in base64, which plotly.js reads fastest."""
    return json.dumps(chart, default=_typed_array, separators=(",", ":"))


def _typed_array(numbers: npt.NDArray[np.float32]) -> dict[str, str]:
    shape = {"shape": ", ".join(map(str, numbers.shape))} if numbers.ndim > 1 else {}
    whole = np.ascontiguousarray(numbers, np.float32)
    return {"dtype": "f4", "bdata": base64.b64encode(whole.tobytes()).decode(), **shape}


def kept_points(y: npt.NDArray[np.float64], most: int = MAX_POINTS) -> npt.NDArray[np.intp]:
    """Return the indices of the points of a line to draw: about ``most``, spikes included.

    These are the lowest and the highest point of each bucket. Buckets are counted from the start
    and their size is a power of two: as a line grows, points may be left out, but none moves. The
    points after the last whole bucket are divided into smaller buckets.
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
    """Escape a text for Plotly, which would read tags in it as markup."""
    return html.escape(text, quote=False)


def labels(texts: Sequence[str]) -> dict[str, Any]:
    """Return an axis's labels, one at each whole number, so that equal labels stay apart."""
    return {"tickvals": list(range(len(texts))), "ticktext": [plain(text) for text in texts]}
