"""The rows of the drawing of a model, for one token: what each part adds to its stream."""

from collections.abc import Sequence

from dashboard.components.model_column import Part, Stage
from dashboard.inside.attention import head_habit
from dashboard.inside.findings import Findings
from dashboard.inside.reading import Reading


def stages_of(reading: Reading, found: Findings, off: Sequence[str]) -> list[Stage]:
    """Return the rows from the embedding to the output.

    Args:
        reading: the model, the text and the chosen token.
        found: what the model does with the text.
        off: the parts that are switched off.
    """
    at = reading.position
    values = found.stream.contributions[:, at].tolist()
    adds = dict(zip(found.stream.parts, values, strict=True))
    layers = range(reading.model.config.n_layers)
    return [
        _embedding(reading, found, adds, off),
        *(_layer(reading, found, adds, off, layer) for layer in layers),
        *([_output(found, adds, at)] if "final_norm.shift" in adds else []),
    ]


def is_off(name: str, off: Sequence[str]) -> bool:
    """Tell whether a part is off, by itself or with the part that it belongs to."""
    return any(name == part or name.startswith(f"{part}.") for part in off)


def _embedding(
    reading: Reading, found: Findings, adds: dict[str, float], off: Sequence[str]
) -> Stage:
    """Return the row of the token and its position; rotary ones add nothing to the stream."""
    at, positions = reading.position, reading.model.config.positions
    token = Part(
        "tok_emb",
        "Token",
        note=reading.tokens()[at],
        value=adds["tok_emb"],
        details=("The token's row of the embedding matrix: the same wherever it occurs.",),
        has_switch=False,
    )
    position = Part(
        "pos_emb",
        "Position",
        note=f"{at}",
        value=adds.get("pos_emb"),
        details=(
            f"The vector of position {at}: the same whatever token is there."
            if positions == "learned"
            else "Queries and keys are turned by an angle that grows with the position.",
        ),
        label="Positions",
        is_off="pos_emb" in off,
    )
    parts = (token,) if positions == "none" else (token, position)
    norm = found.stream.norms[0, at].item()
    return Stage(Part("embedding", "Embedding", has_switch=False), parts, (norm, norm))


def _layer(
    reading: Reading, found: Findings, adds: dict[str, float], off: Sequence[str], layer: int
) -> Stage:
    """Return the row of a layer: its attention, its feed-forward, and the lens after it."""
    name, at = f"trf_blocks.{layer}", reading.position
    feed_forward = Part(
        f"{name}.ff",
        "Feed-forward",
        value=adds[f"{name}.ff"],
        details=(_length(found, layer, 1, at),),
        label=f"Feed-forward of layer {layer}",
        is_off=is_off(f"{name}.ff", off),
    )
    return Stage(
        Part(name, f"Layer {layer}", is_off=is_off(name, off)),
        (_attention(found, adds, off, layer, at), feed_forward),
        tuple(found.stream.norms[2 * layer : 2 * layer + 3, at].tolist()),
        says=reading.token(int(found.lens.best_ids[layer, at, 0])),
        proba=found.lens.best_probas[layer, at, 0].item(),
        target_proba=found.lens.target_probas[layer, at].item(),
    )


def _attention(
    found: Findings, adds: dict[str, float], off: Sequence[str], layer: int, at: int
) -> Part:
    """Return a layer's attention with its heads; its bias is part of what it adds."""
    name = f"trf_blocks.{layer}.att"
    heads = tuple(
        Part(
            f"{name}.{head}",
            f"Head {layer}.{head}",
            note=head_habit(found.scores, layer, head),
            value=adds[f"{name}.{head}"],
            is_off=is_off(f"{name}.{head}", off),
        )
        for head in range(found.weights.shape[1])
    )
    bias = adds[f"{name}.out_proj.bias"]
    in_words = f"{bias:+.2f}".replace("-", "−")
    return Part(
        name,
        "Attention",
        value=sum(head.value or 0 for head in heads) + bias,
        details=(
            _length(found, layer, 0, at),
            f"Of its bar, {in_words} are the bias of out_proj.",
        ),
        label=f"Attention of layer {layer}",
        is_off=is_off(name, off),
        heads=heads,
    )


def _output(found: Findings, adds: dict[str, float], at: int) -> Stage:
    """Return the row of the final norm, whose shift is added last."""
    shift = Part(
        "final_norm.shift",
        "Final norm's shift",
        value=adds["final_norm.shift"],
        details=("The same for every token and position.",),
        has_switch=False,
    )
    norm = found.stream.norms[-1, at].item()
    return Stage(Part("output", "Output", has_switch=False), (shift,), (norm, norm))


def _length(found: Findings, layer: int, kind: int, at: int) -> str:
    """Say how long the vector of a layer's attention (0) or feed-forward (1) is."""
    added = found.added[layer, kind, at].item()
    before = found.stream.norms[2 * layer + kind, at].item()
    return f"It writes a vector of length {added:.2f} into a stream of length {before:.2f}."
