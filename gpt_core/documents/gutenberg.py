"""Project Gutenberg's words around a text: its header, its licence and its small print."""

import re
from bisect import bisect
from collections.abc import Iterator

from gpt_core.documents.document import END_OF_TEXT

# Each is on lines of its own; a title may wrap. A sentence that quotes one is none.
_FLAGS = re.IGNORECASE | re.MULTILINE
_TITLE = r" PROJECT GUTENBERG(?:(?:[^\n]+\n){0,3}?[^\n]*?\*{3}[ \t]*$|[^*\n]*$)"
START = re.compile(rf"^[ \t]*\*{{3}}[ \t]*START OF TH(?:E|IS){_TITLE}", _FLAGS)
END = re.compile(rf"^[ \t]*\*{{3}}[ \t]*END OF TH(?:E|IS){_TITLE}", _FLAGS)
SMALL_PRINT = re.compile(  # before 2004; it ends the header
    r"^[ \t]*\*+[ \t]*END[ \t]*\*?[ \t]*THE SMALL PRINT!(?:[^\n]*\n)?[^\n]*?END[ \t]*\*+[ \t]*$",
    _FLAGS,
)
LAST_LINE = re.compile(
    r"^[ \t]*+(?:\*+[ \t]*+)?(?:This is the )?End of (?:the |this )?Project Gutenberg(?:['’]s)?\b",
    _FLAGS,
)
CREDITS = re.compile(
    r"\s*(?:(?:Produced|Transcribed|Scanned|Prepared) by|E-?text prepared by|"
    r"This e-?(?:text|book) was (?:produced|prepared|scanned|created) by|Credits?:)[^\n]+"
    r"(?:\n[^\n]+){0,8}(?:\n|$)",
    re.IGNORECASE,
)
MENTIONS = ("Project Gutenberg", "PROJECT GUTENBERG", "SMALL PRINT!")
MAX_BEFORE = 100  # characters before a mention in a line of theirs
MAX_ADDED = 20_000  # characters of a header or a licence; the longest known have 19,000
MAX_REST = 1000  # characters after a last line that no END follows


def gutenberg_body(text: str) -> str | None:
    """Return a text without what Project Gutenberg added to it, or None if it added nothing.

    A file may hold several books: all of them are kept, separated by the end-of-text token.
    """
    marks = _marks(text)
    pieces: list[str] = []
    place, after_end = 0, False
    for is_start, first, last in (*marks, (False, len(text), len(text))):
        added = 2 * MAX_ADDED if after_end else MAX_ADDED if is_start else 0
        if first - place > added:  # more is a text of its own
            pieces.append(text[place:first])
        place, after_end = last, not is_start
    books = [f"{book}\n" for book in map(_without_credits, pieces) if book]
    return END_OF_TEXT.join(books) if marks and books else None


def _marks(text: str) -> list[tuple[bool, int, int]]:
    """Return where books start and end: whether it is a start, its first and its last place."""
    sure: dict[int, tuple[bool, int, int]] = {}
    last_lines: dict[int, tuple[bool, int, int]] = {}
    for place in _mentions(text):
        line = text.rfind("\n", max(0, place - MAX_BEFORE), place) + 1
        if not line and place > MAX_BEFORE:
            continue  # in the middle of a paragraph
        if found := START.match(text, line) or SMALL_PRINT.match(text, line):
            sure[line] = (True, *found.span())
        elif found := END.match(text, line):
            sure[line] = (False, *found.span())
        elif found := LAST_LINE.match(text, line):
            last_lines[line] = (False, *found.span())
    ordered = [*sorted(sure.values(), key=_place), (False, len(text), len(text))]
    for place in list(last_lines):
        following = bisect(ordered, place, key=_place)
        is_start, next_place, _ = ordered[following]
        is_last = following == len(sure)
        length = next_place - place
        is_licence = is_last and length <= 2 * MAX_ADDED and text.count("Gutenberg", place) >= 5
        if not is_licence and length > (MAX_ADDED if is_start else MAX_REST):
            del last_lines[place]  # more of the book follows it
    return sorted([*sure.values(), *last_lines.values()], key=_place)


def _mentions(text: str) -> Iterator[int]:
    for words in MENTIONS:  # one by one, and case by case: a hundred times as fast as a pattern
        place = text.find(words)
        while place >= 0:
            yield place
            place = text.find(words, place + 1)


def _place(mark: tuple[bool, int, int]) -> int:
    return mark[1]


def _without_credits(body: str) -> str:
    """Return a book without the blank lines and the names of its volunteers at its beginning."""
    for _ in range(2):
        if found := CREDITS.match(body):
            body = body[found.end() :]
    return body.strip()
