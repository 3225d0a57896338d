"""What a tokenizer is, and GPT-2's, from the vocabulary in the repository: no download."""

import base64
import codecs
import hashlib
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import tiktoken
from tiktoken_ext.openai_public import r50k_pat_str
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from gpt_core.system import DATA_DIR

END_OF_TEXT = "<|endoftext|>"
VOCABULARY_FILE = DATA_DIR / "gpt2.tiktoken"
PIECE_CHARACTERS = 500_000  # length of the pieces of a long text, one per thread at a time
MAX_THREADS = 16  # each has a tokenizer of its own; one thread cuts the text for all
# A letter before a space and a letter, or what is no blank before a line break and no blank.
PIECE_END = re.compile(r"[^\W\d_](?= [^\W\d_])|\S(?=\n\S)")
VOCABULARY_SHA256 = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"


class Tokenizer(Protocol):
    """Text ↔ token IDs of one vocabulary: :class:`tiktoken.Encoding`, as far as it is used here.

    Its ``name`` is the kind of its vocabulary, a choice of ``TrainingConfig.vocabulary``.
    """

    name: str

    def __hash__(self) -> int:
        """Return a hash by identity: a tokenizer never changes."""

    @property
    def n_vocab(self) -> int:
        """Return the number of tokens: IDs go from 0 to ``n_vocab - 1``."""

    @property
    def eot_token(self) -> int:
        """Return the ID of ``<|endoftext|>``."""

    def encode_ordinary(self, text: str) -> list[int]:
        """Encode a text in which nothing is a special token."""

    def encode_to_numpy(
        self, text: str, *, allowed_special: Set[str], disallowed_special: Collection[str]
    ) -> npt.NDArray[np.uint32]:
        """Encode a text as an array (N,); ``<|endoftext|>`` is one token if it is allowed.

        Raises:
            UnicodeEncodeError: the text contains half of a surrogate pair.
        """

    def decode(self, tokens: Sequence[int]) -> str:
        """Decode token IDs to text."""

    def decode_single_token_bytes(self, token: int) -> bytes:
        """Return the UTF-8 bytes of one token, which may be part of a character."""


@cache  # immutable, and takes a tenth of a second to build
def get_tokenizer(path: Path = VOCABULARY_FILE) -> tiktoken.Encoding:
    """Build tiktoken's ``gpt2`` encoding: 50,256 byte pairs and ``<|endoftext|>`` = 50256.

    ``tiktoken.get_encoding("gpt2")`` returns the same, but downloads the vocabulary.

    Raises:
        ValueError: the vocabulary file is missing or damaged.
    """
    advice = "Restore it: git checkout -- data/gpt2.tiktoken, or clone the project again."
    if not path.is_file():
        raise ValueError(f"The vocabulary file {path} is missing. {advice}")
    contents = path.read_bytes()
    if hashlib.sha256(contents).hexdigest() != VOCABULARY_SHA256:
        raise ValueError(f"The vocabulary file {path} is damaged (wrong SHA-256). {advice}")
    pairs = (line.split() for line in contents.splitlines())
    return tiktoken.Encoding(
        name="gpt2",
        pat_str=r50k_pat_str,
        mergeable_ranks={base64.b64decode(token): int(rank) for token, rank in pairs},
        special_tokens={END_OF_TEXT: 50256},
        explicit_n_vocab=50257,
    )


def text_to_token_ids(text: str, tokenizer: Tokenizer, allow_special: bool = True) -> Tensor:
    """Encode a text as one row of token IDs, shape (1, T), int64.

    Arguments and errors are those of :func:`encode_corpus`.
    """
    return encode_corpus(text, tokenizer, allow_special).long().unsqueeze(0)  # (1, T)


def encode_corpus(
    text: str,
    tokenizer: Tokenizer,
    allow_special: bool = True,
    on_progress: Callable[[float], None] | None = None,
) -> Tensor:
    """Encode a whole text as one flat tensor of token IDs, shape (N,), int32.

    At four bytes per token a book fits into memory; each batch is converted to int64. A long text
    is encoded in pieces by several threads, with the same IDs.

    Args:
        text: any text.
        tokenizer: GPT-2's, from :func:`get_tokenizer`, or that of another vocabulary.
        allow_special: ``<|endoftext|>`` in the text becomes one token, GPT-2's 50256 as in the
            chapter; False encodes it like any other text.
        on_progress: called with the fraction done, from 0 to 1, after each piece of a long text.

    Raises:
        ValueError: the text contains half of a surrogate pair, which is not a character, or a
            span of blanks that is too long.
    """
    spans = text_pieces(text)
    if len(spans) == 1:
        return from_dlpack(_encode(text, 0, tokenizer, allow_special))  # the tokenizer's own buffer
    # A token has at least one byte, and a character at most four. Unused entries take no memory,
    # whereas joining the pieces at the end would need the memory of the IDs twice.
    token_ids = np.empty(len(text) * (1 if text.isascii() else 4), dtype=np.int32)
    num_tokens = 0
    pieces = (text[start:end] for start, end in spans)
    for done, part in encode_pieces(pieces, tokenizer, allow_special):
        token_ids[num_tokens : num_tokens + len(part)] = part
        num_tokens += len(part)
        if on_progress:
            on_progress(done / len(text))
    return from_dlpack(token_ids[:num_tokens])  # (N,)


def encode_pieces(
    pieces: Iterable[str], tokenizer: Tokenizer, allow_special: bool = True
) -> Iterator[tuple[int, npt.NDArray[np.int32]]]:
    """Encode the pieces of a text on all cores; yield the IDs of each, (n,), in their order.

    With the IDs comes the number of characters that are encoded so far. A few pieces for each core
    are in memory, however many there are. The errors are those of :func:`encode_corpus`.
    """
    cores = min(os.cpu_count() or 1, MAX_THREADS)
    own = threading.local()  # threads that share a tokenizer wait for its regular expression

    def encode(piece: str, start: int) -> npt.NDArray[np.int32]:
        if not hasattr(own, "tokenizer"):
            own.tokenizer = copy(tokenizer)
        return _encode(piece, start, own.tokenizer, allow_special)

    waiting: deque[tuple[int, Future[npt.NDArray[np.int32]]]] = deque()
    done = 0  # characters
    with ThreadPoolExecutor(cores) as pool:  # tiktoken lets threads run in parallel
        for piece in pieces:
            encoded = pool.submit(encode, piece, done)
            done += len(piece)
            waiting.append((done, encoded))
            if len(waiting) > 2 * cores:
                end, encoded = waiting.popleft()
                yield end, encoded.result()
        for end, encoded in waiting:
            yield end, encoded.result()


def _encode(
    piece: str, start: int, tokenizer: Tokenizer, allow_special: bool
) -> npt.NDArray[np.int32]:
    """Encode a piece that begins at a character of a text."""
    try:
        token_ids = tokenizer.encode_to_numpy(
            piece,
            allowed_special={END_OF_TEXT} if allow_special else set(),
            disallowed_special=(),
        )
    except UnicodeEncodeError as error:
        raise ValueError(
            f"The text is damaged at character {start + error.start:,}: it contains half of "
            "a surrogate pair. Remove it or save the text again as UTF-8."
        ) from error
    except ValueError as error:  # the tokenizer's regular expression gives up
        raise ValueError(
            f"The text cannot be split into words between the characters {start:,} and "
            f"{start + len(piece):,}: a span of blanks there is too long. Remove it."
        ) from error
    return token_ids.view("int32")


def text_pieces(text: str) -> list[tuple[int, int]]:
    """Return the (start, end) of each piece of a long text, such that no token crosses a cut.

    A cut is between a letter and a space with a letter after it, or before a line break between
    two characters that are no blanks: GPT-2 splits a text into words before merging, and a new
    word begins there.
    """
    spans, start = [], 0
    while len(text) - start > PIECE_CHARACTERS:
        cut = PIECE_END.search(text, start + PIECE_CHARACTERS)
        if cut is None:
            break
        spans.append((start, cut.end()))
        start = cut.end()
    return [*spans, (start, len(text))]


def token_ids_to_text(token_ids: Tensor, tokenizer: Tokenizer, final: bool = True) -> str:
    """Decode token IDs of shape (1, T) or (T,) to text.

    Bytes that do not form a complete UTF-8 character are shown as "\N{REPLACEMENT CHARACTER}".

    Args:
        token_ids: the token IDs.
        tokenizer: of their vocabulary.
        final: whether the text ends with them. False leaves out the beginning of a character at
            the end: its other bytes would come with the next token.

    Raises:
        ValueError: an ID is outside the vocabulary, or there is more than one row.
    """
    if token_ids.dim() == 2 and token_ids.shape[0] != 1:
        raise ValueError(
            f"token_ids has {token_ids.shape[0]} rows: decode one row at a time, token_ids[i]."
        )
    flat = token_ids.flatten().tolist()
    for token_id in flat:
        if not 0 <= token_id < tokenizer.n_vocab:
            raise ValueError(
                f"Token ID {token_id} does not exist: IDs go from 0 to {tokenizer.n_vocab - 1}."
            )
    return tokenizer.decode(flat) if final else decode_parts([flat], tokenizer)[0]


def decode_parts(parts: Iterable[Sequence[int]], tokenizer: Tokenizer) -> list[str]:
    """Decode a text in consecutive parts, of which more may follow; return the text of each.

    A token may be a part of a character. A character that is cut by the end of a part belongs to
    the next part, and after the last one it is left out. Other bytes that do not form a character
    are shown as "\N{REPLACEMENT CHARACTER}".
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")  # keeps the beginning of a character
    return [
        decoder.decode(b"".join(map(tokenizer.decode_single_token_bytes, ids))) for ids in parts
    ]
