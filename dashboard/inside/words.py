"""Part 5 of the page Inside: the embeddings as places, of words and of positions."""

import re
from dataclasses import dataclass
from functools import partial

import streamlit as st
import torch
from torch import Tensor

from dashboard.app import (
    current_actor,
    get_model_cache,
    get_store,
    get_visible_runs,
    remember,
    session_keys,
    show_refusal,
)
from dashboard.charts import cosine_map, count
from dashboard.components.live_chart import live_chart
from dashboard.components.token_chips import Scale, readable, token_chips
from dashboard.components.word_map import WordPath, word_map
from dashboard.forms import NOW
from dashboard.inside.reading import Reading
from dashboard.inside.whole_text import Counts, run_of_model, training_counts
from dashboard.ui import show_code
from gpt_core.inspection import embedding_map, embedding_neighbours, position_similarity
from gpt_core.model import GPTModel
from gpt_core.vocabularies import Tokenizer

SIGNS = re.compile(rb"[!-@\[-`{-~]+")  # punctuation and digits
NUM_FREQUENT = 40  # words on the map, besides those that the user adds
MAX_CANDIDATES = 400  # frequent tokens among which words are looked for
MIN_WORDS = 12  # fewer are no vocabulary of words
MAX_ADDED = 40
NUM_NEIGHBOURS = 10
MAX_LABEL = 20  # characters of a word on the map
NUM_PATHS = 5
NUM_LINES = 3  # to the words of the map that are nearest to the selected one
MAX_CHECKPOINTS = 12  # over which paths are drawn: each is a model that is loaded
MAX_POSITIONS = 64  # on either side of the map of positions


@dataclass(frozen=True)
class Neighbours:
    """The tokens whose embeddings are nearest to a word's, the nearest first."""

    ids: list[int]  # of those that the training text has
    cosines: list[float]  # theirs
    on_map: list[int]  # the IDs of the nearest of a map


def show(reading: Reading) -> None:
    """Show a map of words, the neighbours of one, words' paths, and the positions' similarity."""
    st.text(
        "A token enters the model as a vector, its embedding. Training moves the vectors of tokens "
        "that are used alike in like directions. The map shows them from the side on which these "
        "words differ most."
    )
    counts = training_counts(reading)
    ids = _choose_words(reading, counts)
    if len(ids) < 3:
        st.text("A map needs at least three different words: add some.")
    else:
        _show_map(reading, ids, counts)
    st.subheader("Positions", anchor=False)
    _show_positions(reading)
    show_code(embedding_map, embedding_neighbours, position_similarity)


def _choose_words(reading: Reading, counts: Counts | None) -> list[int]:
    """Return the IDs of the frequent words and of those that the user adds."""
    candidates = reading.ids[0].tolist() if counts is None else counts.most_frequent(MAX_CANDIDATES)
    added = st.text_input(
        "Add words",
        placeholder="words of the vocabulary, with blanks between them",
        max_chars=1000,
        key=session_keys.INSIDE_WORDS,
        persist_state="session",
    )
    found = {
        word: find_token(word, reading.tokenizer) for word in (added or "").split()[:MAX_ADDED]
    }
    if missing := [f"“{word}”" for word, token_id in found.items() if token_id is None]:
        st.text(
            f"{', '.join(missing)}: not one token in this vocabulary, and so without an embedding "
            "of its own."
        )
    source = "the text above" if counts is None else f"the training part of {counts.name}"
    st.text(
        f"On the map are the {NUM_FREQUENT} most frequent words and signs of {source}, and yours."
    )
    frequent = frequent_words(candidates, reading.tokenizer)[:NUM_FREQUENT]
    return list(dict.fromkeys([*frequent, *(i for i in found.values() if i is not None)]))


def frequent_words(candidates: list[int], tokenizer: Tokenizer) -> list[int]:
    """Return the tokens that are words or signs, or, if there are hardly any, all but blanks.

    In a vocabulary of byte pairs a word begins with a space. In one of characters none does.
    """
    raw = {i: tokenizer.decode_single_token_bytes(i) for i in candidates}
    seen = [i for i in candidates if raw[i].strip()]
    words = [i for i in seen if raw[i].startswith(b" ") or SIGNS.fullmatch(raw[i])]
    return words if len(words) >= MIN_WORDS else seen


def find_token(word: str, tokenizer: Tokenizer) -> int | None:
    """Return the token that is a word, with a space before it if there is such a token, or None."""
    for text in (f" {word}", word):
        token_ids = tokenizer.encode_ordinary(text)
        is_one = len(token_ids) == 1
        if is_one and tokenizer.decode_single_token_bytes(token_ids[0]) == text.encode():
            return token_ids[0]
    return None


def _name(token_id: int, tokenizer: Tokenizer) -> str:
    return readable(tokenizer.decode_single_token_bytes(token_id))


def _label(token_id: int, tokenizer: Tokenizer) -> str:
    """Return a token's name on the map: a word without the space before it."""
    name = _name(token_id, tokenizer).removeprefix("·") or "·"
    return name if len(name) <= MAX_LABEL else f"{name[: MAX_LABEL - 1]}…"


def _show_map(reading: Reading, ids: list[int], counts: Counts | None) -> None:
    """Show the words at their places, one of them with its neighbours, and words' paths."""
    model, tokenizer = reading.model, reading.tokenizer
    tokens = torch.tensor(ids)  # (N,)
    places = remember(model, "map", tuple(ids), partial(embedding_map, model, tokens))  # (N, 2)
    if st.session_state.get(session_keys.INSIDE_WORD) not in ids:
        st.session_state[session_keys.INSIDE_WORD] = ids[0]
    left, right = st.columns([5, 3], gap="medium")
    with right:
        word = st.selectbox(
            "Word",
            ids,
            format_func=lambda token_id: f"{_name(token_id, tokenizer)} · ID {token_id}",
            key=session_keys.INSIDE_WORD,
            persist_state="session",
        )
        near = remember(
            model, "neighbours", (word, *ids), lambda: find_neighbours(reading, word, ids, counts)
        )
        _show_neighbours(near, counts is not None, tokenizer)
        paths, said = _choose_paths(reading, tokens, places, ids.index(word))
    with left:
        word_map(
            [_label(token_id, tokenizer) for token_id in ids],
            [(x, y) for x, y in places.tolist()],
            ids.index(word),
            [ids.index(i) for i in near.on_map],
            paths,
            label="Words on the plane of their embeddings",
            key=session_keys.INSIDE_MAP,
            on_picked=partial(_select, ids),
        )
        kept = _kept_variance(model, tokens, places)
        st.caption(
            f"The plane keeps {kept:.0%} of what tells these embeddings apart (PCA). Lines lead to "
            f"the {count(NUM_LINES, 'word')} of the map that are nearest in all "
            f"{model.config.emb_dim} dimensions. {said}"
        )


def find_neighbours(
    reading: Reading, word: int, ids: list[int], counts: Counts | None
) -> Neighbours:
    """Find the tokens that are nearest to a word, in the vocabulary and among those of a map.

    Tokens that do not occur in the training text are left out: they are as near as chance has it.
    """
    everything = reading.model.config.vocab_size
    found, cosines = embedding_neighbours(reading.model, word, everything)  # (vocab_size − 1,) each
    is_token = found < reading.tokenizer.n_vocab  # a model from elsewhere may have rows for none
    found, cosines = found[is_token], cosines[is_token]
    on_map = [i for i in found.tolist() if i in ids][:NUM_LINES]
    if counts is not None:
        occurs = counts.of[found] > 0
        found, cosines = found[occurs], cosines[occurs]
    return Neighbours(found[:NUM_NEIGHBOURS].tolist(), cosines[:NUM_NEIGHBOURS].tolist(), on_map)


def _show_neighbours(near: Neighbours, are_seen: bool, tokenizer: Tokenizer) -> None:
    """Show the nearest tokens with their cosines."""
    among = " that the training text has" if are_seen else ""
    st.caption(f"Nearest, by the cosine similarity of embeddings, among all tokens{among}:")
    token_chips(
        near.ids,
        label="The nearest neighbours",
        key=session_keys.INSIDE_NEAR,
        second_line=[f"{cosine:.2f}".replace("-", "−") for cosine in near.cosines],
        strengths=[max(0.0, cosine) for cosine in near.cosines],
        scale=Scale("cosine 0", "1"),
        tokenizer=tokenizer,
    )


def _select(ids: list[int], word: int) -> None:
    st.session_state[session_keys.INSIDE_WORD] = ids[word]


def _kept_variance(model: GPTModel, tokens: Tensor, places: Tensor) -> float:
    """Return the fraction of the embeddings' variance that a map keeps."""
    with torch.no_grad():
        points = model.tok_emb.weight[tokens].double()  # (N, emb_dim)
    points = points - points.mean(dim=0)
    return float(places.square().sum() / points.square().sum().clamp_min(1e-30))


def _choose_paths(
    reading: Reading, tokens: Tensor, places: Tensor, selected: int
) -> tuple[list[WordPath], str]:
    """Let the user see words' paths; return them, and a sentence about them for the caption."""
    run = run_of_model()
    if run is None:
        return [], ""
    saved = sorted({row.global_step for row in get_visible_runs().checkpoints(run.id)})
    shown = int(st.session_state.get(f"{session_keys.WALK_STEP}-{run.id}", NOW))
    earlier = [step for step in saved if shown == NOW or step < shown]
    if not earlier:
        st.caption("Choose a later step of the run to see by which paths words came to it.")
        return [], ""
    if not st.toggle(
        f"Paths of {NUM_PATHS} words over the run",
        key=session_keys.INSIDE_PATHS,
        persist_state="session",
    ):
        return [], ""
    spread = torch.linspace(0, len(earlier) - 1, min(len(earlier), MAX_CHECKPOINTS)).round()
    steps = [earlier[int(i)] for i in spread]
    try:
        with st.spinner("Loading the run's checkpoints…"):
            maps = remember(
                reading.model,
                "paths",
                (run.id, *steps, *tokens.tolist()),
                lambda: earlier_maps(run.id, steps, tokens, places),
            )  # (S, N, 2)
    except ValueError as error:
        show_refusal(error)
        return [], ""
    moved = (maps[0] - places).norm(dim=-1)  # (N,)
    moved[selected] = torch.inf  # always among them
    words = moved.topk(min(NUM_PATHS, len(moved))).indices.tolist()
    paths = [
        WordPath(i, [(x, y) for x, y in [*maps[:, i].tolist(), places[i].tolist()]]) for i in words
    ]
    return paths, (
        f"Circles are the places at step {steps[0]:,}, dots those at later checkpoints, of the "
        "selected word and of the four that moved farthest."
    )


def earlier_maps(run_id: str, steps: list[int], tokens: Tensor, places: Tensor) -> Tensor:
    """Return the words' places at the checkpoints of a run, (S, N, 2).

    Each map is turned to lie as near as it can to the one after it, the last to ``places``.

    Raises:
        ValueError: a checkpoint is not here any more, or damaged.
        PermissionDenied: the run is another student's, and private.
    """
    maps: list[Tensor] = []
    for step in reversed(steps):
        cache = get_model_cache()
        model = cache.checkpoint(get_store(), run_id, step, actor=current_actor())
        maps.insert(0, embedding_map(model, tokens, maps[0] if maps else places))
    return torch.stack(maps)


def _show_positions(reading: Reading) -> None:
    """Show how alike the embeddings of two positions are, or that the model has none."""
    kind = reading.model.config.positions
    if kind != "learned":
        st.text(f"With positions={kind} a model adds no vectors for positions: nothing to compare.")
        return
    cosines, positions = remember(
        reading.model, "positions", (), partial(_positions, reading.model)
    )
    left, right = st.columns([5, 3], gap="medium")
    with left:
        live_chart(
            cosine_map(cosines.numpy(), positions, "Position in the window"),
            "A map of the cosines between the embeddings of each two positions: "
            f"on average {float(cosines.diagonal(1).mean()):.2f} between neighbours.",
            key="positions",
        )
    with right:
        st.text(
            "A position has an embedding, too, which is added to the token's. The map shows how "
            "alike two of them are: green from 0 to 1, purple from 0 to −1."
        )
        st.text(
            "At first each resembles only itself, which is a line. Where a model has learnt what "
            "is near and what is far, the line has become a band."
        )


def _positions(model: GPTModel) -> tuple[Tensor, list[int]]:
    """Return the cosines of some positions, evenly spread, (P, P), and their numbers from 1."""
    similarity = position_similarity(model)  # (context_length, context_length)
    step = -(-len(similarity) // MAX_POSITIONS)
    return similarity[::step, ::step].clone(), list(range(1, len(similarity) + 1, step))
