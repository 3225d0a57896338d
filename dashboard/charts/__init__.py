"""Data → Plotly figures: pure functions, no Streamlit."""

from dashboard.charts.axes import AXES, Axes
from dashboard.charts.comparison import Curve, comparison_chart, describe_comparison
from dashboard.charts.decoding import choice_bars, word_bars
from dashboard.charts.figure import to_json
from dashboard.charts.formatting import (
    PROBABILITY_STEPS,
    format_bytes,
    format_duration,
    format_estimate,
    format_exactly,
    format_loss,
    format_probability,
    position_name,
    probability_strength,
)
from dashboard.charts.frames import (
    extent_of,
    last_losses,
    numbers_frame,
    published_frame,
    tokens_per_second,
)
from dashboard.charts.loss_chart import LossCurves, describe_losses, loss_chart
from dashboard.charts.loss_walk import probe_lines
from dashboard.charts.over_time import (
    attention_map,
    lens_map,
    ridgelines,
    score_lines,
    update_lines,
)
from dashboard.charts.palette import PREDICTED, RUNS
from dashboard.charts.run_words import STATE_COLORS, changes_from_preset, describe_wait
from dashboard.charts.small_charts import (
    Bars,
    Panel,
    cosine_map,
    mean_bars,
    part_bars,
    small_charts,
)
from gpt_core.system import count

__all__ = [
    "AXES",
    "PREDICTED",
    "PROBABILITY_STEPS",
    "RUNS",
    "STATE_COLORS",
    "Axes",
    "Bars",
    "Curve",
    "LossCurves",
    "Panel",
    "attention_map",
    "changes_from_preset",
    "choice_bars",
    "comparison_chart",
    "cosine_map",
    "count",
    "describe_comparison",
    "describe_losses",
    "describe_wait",
    "extent_of",
    "format_bytes",
    "format_duration",
    "format_estimate",
    "format_exactly",
    "format_loss",
    "format_probability",
    "last_losses",
    "lens_map",
    "loss_chart",
    "mean_bars",
    "numbers_frame",
    "part_bars",
    "position_name",
    "probability_strength",
    "probe_lines",
    "published_frame",
    "ridgelines",
    "score_lines",
    "small_charts",
    "to_json",
    "tokens_per_second",
    "update_lines",
    "word_bars",
]
