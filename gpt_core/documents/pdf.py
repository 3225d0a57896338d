"""A PDF → its text, page by page."""

from io import BytesIO

from pypdf import PdfReader

from gpt_core.documents.errors import UnreadableError

MAX_PAGES = 20_000  # of a PDF
MAX_PDF_CHARACTERS = 100_000_000  # characters: its pages may share what they show, and say it again


def read_pdf(data: bytes) -> str:
    """Return the text of a PDF: its pages, set apart by empty lines.

    Raises:
        UnreadableError: it has a password, no text, or more of it than any book.
    """
    reader = PdfReader(BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableError(
            "is protected by a password: open it in a PDF reader, save it without one, and upload "
            "that."
        )
    if len(reader.pages) > MAX_PAGES:
        raise UnreadableError(
            f"has {len(reader.pages):,} pages: no book does. Split it, or save it as text."
        )
    pages, length = [], 0
    for page in reader.pages:
        pages.append(page.extract_text().strip())
        length += len(pages[-1])
        if length > MAX_PDF_CHARACTERS:
            raise UnreadableError("holds more text than any book: split it, or save it as text.")
    text = "\n\n".join(pages)
    if not text.strip():
        raise UnreadableError(
            "holds no text, only pictures of pages: let a program recognise their letters (OCR), "
            "or look for the book as text."
        )
    return text + "\n"
