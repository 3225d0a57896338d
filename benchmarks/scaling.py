"""What training on several GPUs takes and gives, on paper: ``python -m benchmarks.scaling``.

Writes the tables of docs/MORE_THAN_ONE_MACHINE.md between its marks, and docs/scaling.svg. Nothing
is measured here: memory is ``training_memory``, which the preflight shows too, and efficiency is
``parallel_efficiency``. A test holds the page to both.
"""

from collections.abc import Iterable
from pathlib import Path

from gpt_core.analysis import parallel_efficiency
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import (
    BYTES_PER_PARAMETER,
    count_config_parameters,
    count_looked_up,
    training_memory,
)
from gpt_core.presets import GPT2_CONFIGS, GPT_CONFIG_124M

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PLOT = DOCS / "MORE_THAN_ONE_MACHINE.md", DOCS / "scaling.svg"
BEGIN, END = "<!-- {}: python -m benchmarks.scaling -->\n", "<!-- end of {} -->\n"

MODELS = {"book-124m": GPT_CONFIG_124M, **GPT2_CONFIGS}
BATCH_SIZE = 8
SHARES = (8, 16)  # devices among which the moments are shared out

DEVICES = (2, 4, 8, 16, 32, 64)
GBIT = (10, 25, 400)  # per second: of a slow, a usual and a fast network between hosts
ACCUMULATED = (1, 16)  # batches of an update
# An NVIDIA H100 SXM's dense bfloat16 peak (its data sheet), and how much of it a good training
# step uses.
PEAK, MFU = 989.5e12, 0.40


def memory_table() -> str:
    """Return the peak memory of a step by model, precision and sharing, as markdown."""
    lines = [
        f"| model | parameters | float32 | bfloat16 | float32, moments in {SHARES[0]} | bfloat16, "
        f"in {SHARES[0]} | bfloat16, in {SHARES[1]} | a window more, bfloat16 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, model in MODELS.items():
        cells = [
            f"{name}, context {model.context_length}",
            f"{count_config_parameters(model) / 1e6:,.0f} M",
            *(_gigabytes(_peak(model, precision)) for precision in ("float32", "bfloat16")),
            _gigabytes(_peak(model, "float32", SHARES[0])),
            *(_gigabytes(_peak(model, "bfloat16", shares)) for shares in SHARES),
            _gigabytes(
                _peak(model, "bfloat16", batch_size=BATCH_SIZE + 1) - _peak(model, "bfloat16")
            ),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _peak(model: GPTConfig, precision: str, shares: int = 1, batch_size: int = BATCH_SIZE) -> int:
    """Return a GPU's peak memory; gradients are kept, as when batches are accumulated."""
    training = TrainingConfig(
        device="cuda", precision=precision, batch_size=batch_size, accumulation_steps=2
    )
    return training_memory(model, training, shares, shards_optimizer=shares > 1).peak


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def step_seconds(model: GPTConfig, batch_size: int, accumulation_steps: int) -> float:
    """Return the seconds of an update at that part of the peak, by its operations.

    Source: Chowdhery et al. (2022), "PaLM", appendix B: 6 operations for each weight in a product,
    12 · layers · width · context for attention, a token.
    """
    multiplied = count_config_parameters(model) - count_looked_up(model)
    attention = 12 * model.n_layers * model.emb_dim * model.context_length
    tokens = accumulation_steps * batch_size * model.context_length
    return (6 * multiplied + attention) * tokens / (PEAK * MFU)


def efficiencies(gbit: float, accumulation_steps: int) -> list[float]:
    """Return the efficiency of GPT-2's 124M for each number of devices."""
    model = GPT2_CONFIGS["124M"]
    return [
        parallel_efficiency(
            devices,
            step_seconds(model, BATCH_SIZE, accumulation_steps),
            BYTES_PER_PARAMETER * count_config_parameters(model),
            gbit * 1e9 / 8,
            BYTES_PER_PARAMETER * model.vocab_size * model.emb_dim,
            accumulation_steps,
        )
        for devices in DEVICES
    ]


def efficiency_table() -> str:
    """Return the expected efficiency by network, batches of an update and devices, as markdown."""
    lines = [
        f"| network | batches an update | {' | '.join(f'{n} GPUs' for n in DEVICES)} |",
        "|---|---|" + "---|" * len(DEVICES),
    ]
    for accumulated in ACCUMULATED:
        for gbit in GBIT:
            cells = [f"{100 * e:.0f} %" for e in efficiencies(gbit, accumulated)]
            lines.append(f"| {gbit} Gbit/s | {accumulated} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


# The plot. Its numbers are pixels.
WIDTH, HEIGHT, LEFT, TOP, PANEL, TALL = 800, 330, 60, 60, 260, 210
GAP = 130  # between the two panels, for the labels of the first
LINE = 16  # between two labels, at least
COLORS = {10: "#d9480f", 25: "#8a63d2", 400: "#1f8a5b"}
STYLE = """
  .card { fill: #ffffff } text { fill: #24292f; font: 13px sans-serif } .grid { stroke: #d8dee4 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117 } text { fill: #e6edf3 } .grid { stroke: #3d444d }
  }
"""


def plot() -> str:
    """Return the plot of the efficiencies as SVG; it brings its background, light or dark."""
    shapes = [
        shape for place, steps in enumerate(ACCUMULATED) for shape in _draw_panel(place, steps)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        "<title>Expected efficiency of 2 to 64 GPUs by the network between them</title>\n"
        f"<style>{STYLE}</style>\n"
        f'<rect class="card" width="{WIDTH}" height="{HEIGHT}" rx="6"/>\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )


def _draw_panel(place: int, accumulated: int) -> Iterable[str]:
    """Yield the shapes of one panel: title, grid, axes, and a line for each network."""
    left = LEFT + place * (PANEL + GAP)
    tokens = accumulated * BATCH_SIZE * GPT2_CONFIGS["124M"].context_length
    yield _text(left, TOP - 30, f"{tokens:,} tokens an update on each GPU")
    for percent in (0, 25, 50, 75, 100):
        y = TOP + TALL * (1 - percent / 100)
        yield f'<path class="grid" d="M{left} {y:.1f}h{PANEL}"/>'
        yield _text(left - 8, y + 4, f"{percent} %", "end")
    step = PANEL / (len(DEVICES) - 1)
    for i, devices in enumerate(DEVICES):
        yield _text(left + i * step, TOP + TALL + 22, str(devices), "middle")
    yield _text(left + PANEL / 2, TOP + TALL + 44, "GPUs", "middle")
    label = TOP + TALL + LINE  # the lowest line's comes first
    for gbit in GBIT:
        heights = [TOP + TALL * (1 - e) for e in efficiencies(gbit, accumulated)]
        points = " ".join(f"{left + i * step:.1f},{y:.1f}" for i, y in enumerate(heights))
        color = COLORS[gbit]
        yield f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2.5"/>'
        label = min(heights[-1] + 4, label - LINE)
        yield _text(left + PANEL + 6, label, f"{gbit} Gbit/s")


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'


def with_tables(page: str) -> str:
    """Return the page's text with the tables in their places."""
    for name, table in (("memory", memory_table()), ("efficiency", efficiency_table())):
        before, rest = page.split(BEGIN.format(name))
        after = rest.split(END.format(name))[1]
        page = before + BEGIN.format(name) + table + END.format(name) + after
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
    PLOT.write_text(plot())
