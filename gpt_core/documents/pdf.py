"""A PDF → its text, page by page, read by pdfium.

pdfium is native code and not safe for threads: :mod:`gpt_core.system.sandbox` runs this module in a
process of its own.
"""

import re
from itertools import pairwise
from typing import Any

from gpt_core.documents.document import Document, UnreadableError, drop_controls
from gpt_core.system import count

MAX_PAGES = 20_000  # of a PDF
MAX_PDF_CHARACTERS = 100_000_000  # pages may share content, so the text can be far longer
PASSWORD_ERROR, SECURITY_ERROR = 4, 5  # FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY
BROKEN_WORD = re.compile("[\ufffe\x02]")  # pdfium's sign for a hyphen at the end of a line
HYPHENATED = re.compile(r"\b[^\W\d_]{1,40}-(?=[^\W\d_])[^\W\d_]{1,40}\b")
MAX_WORD = 40  # characters of a word that are looked at
MAX_NAMED_PAGES = 8  # whose numbers are told


def find_pdf(data: bytes) -> int | None:
    """Return where a PDF begins in a file, which may have some bytes before it; None if it is none.

    A server's header or an empty line may stand before ``%PDF-1.4``, within the first 1024 bytes.
    A text that only mentions it has no objects of a PDF.
    """
    header = re.search(rb"%PDF-\d\.\d", data[:1024])
    if header is None or (header.start() and b"endobj" not in data):
        return 0 if data.startswith(b"%PDF") else None
    return header.start()


def read_pdf(data: bytes) -> Document:
    """Return the text of a PDF: its pages, separated by empty lines.

    A page that cannot be read is left out; a word that is broken at the end of a line is joined.

    Raises:
        UnreadableError: it has a password, no text, or more text than any book.
    """
    import pypdfium2  # here: other formats do not wait for it

    try:
        pdf = pypdfium2.PdfDocument(data[find_pdf(data) or 0 :])
    except pypdfium2.PdfiumError as error:
        if error.err_code in (PASSWORD_ERROR, SECURITY_ERROR):
            raise UnreadableError(
                "is protected by a password: open it in a PDF reader, save it without one, and "
                "upload that."
            ) from error
        raise
    with pdf:
        pages, damaged = _read_pages(pdf, pypdfium2.PdfiumError)
    text, dropped = drop_controls("\n\n".join(filter(None, pages)), but="\ufffe\x02")
    text, joined, strays = join_broken_words(text)
    if not text.strip():
        if damaged:
            raise UnreadableError(
                "is damaged: none of its pages can be read. Open it in a PDF reader, save it "
                "again, and upload that."
            )
        raise UnreadableError(
            "holds no text, only pictures of pages: run text recognition (OCR) on it, or find the "
            "book as text."
        )
    blank = len(pages) - len(damaged) - sum(map(bool, pages))
    left_out = [
        _name_pages(damaged) if damaged else "",
        f"{count(blank, 'page')} without text (pictures, or blank)" if blank else "",
        f"hyphens at line ends joined: {joined:,}" if joined else "",
        f"characters that are no text: {dropped + strays:,}" if dropped + strays else "",
    ]
    return Document(text + "\n", "PDF", left_out=tuple(filter(None, left_out)))


def _read_pages(pdf: Any, page_error: type[Exception]) -> tuple[list[str], list[int]]:
    """Return the text of each page, "" where there is none, and the numbers of damaged pages."""
    if len(pdf) > MAX_PAGES:
        raise UnreadableError(
            f"has {len(pdf):,} pages, more than any book: split it, or save it as text."
        )
    pages: list[str] = []
    damaged, length = [], 0
    for number in range(len(pdf)):
        try:
            page = pdf[number]
            shown = page.get_textpage()
            text = shown.get_text_range(errors="surrogatepass")  # which are counted later
            shown.close()
            page.close()
        except page_error:
            damaged.append(number + 1)
            text = ""
        lines = text.replace("\r\n", "\n").split("\n")
        pages.append("\n".join(line.rstrip(" \t") for line in lines).strip())
        length += len(text)
        if length > MAX_PDF_CHARACTERS:
            raise UnreadableError("holds more text than any book: split it, or save it as text.")
    return pages, damaged


def join_broken_words(text: str) -> tuple[str, int, int]:
    """Join the words that pdfium marks as broken at the end of a line.

    A hyphen stays if it is meant: beside a digit (1914-1918), before a capital (half-Dutch), or
    where the same word has one elsewhere in the text (well-known).

    Returns: the text, the number of joined words, and the number of signs that stood in no word.
    """
    pieces = BROKEN_WORD.split(text)
    if len(pieces) == 1:
        return text, 0, 0
    meant = set(HYPHENATED.findall(text.lower()))
    joined, strays = 0, 0
    result = [pieces[0]]
    for before, after in pairwise(pieces):
        left = re.search(rf"[^\W_]{{1,{MAX_WORD}}}\Z", before[-MAX_WORD:])
        right = re.match(rf"[^\W_]{{1,{MAX_WORD}}}", after)
        if not left or not right:
            strays += 1
        elif (
            left[0][-1].isdigit()
            or right[0][0].isdigit()
            or (right[0][0].isupper() and not left[0].isupper())
            or f"{left[0]}-{right[0]}".lower() in meant
        ):
            result.append("-")
        else:
            joined += 1
        result.append(after)
    return "".join(result), joined, strays


def _name_pages(numbers: list[int]) -> str:
    """Return which pages are damaged, for "left out: …"."""
    if len(numbers) == 1:
        return f"page {numbers[0]:,}, which is damaged"
    named = ", ".join(f"{number:,}" for number in numbers[:MAX_NAMED_PAGES])
    return f"{len(numbers):,} damaged pages: {named}{', …' if numbers[MAX_NAMED_PAGES:] else ''}"
