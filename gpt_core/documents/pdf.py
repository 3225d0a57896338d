"""A PDF → its text, page by page."""

from io import BytesIO

from pypdf import PdfReader

from gpt_core.documents.document import Document, UnreadableError

MAX_PAGES = 20_000  # of a PDF
MAX_PDF_CHARACTERS = 100_000_000  # pages may share content, so the text can be far longer


def read_pdf(data: bytes) -> Document:
    """Return the text of a PDF: its pages, separated by empty lines.

    Raises:
        UnreadableError: it has a password, no text, or more text than any book.
    """
    reader = PdfReader(BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableError(
            "is protected by a password: open it in a PDF reader, save it without one, and upload "
            "that."
        )
    if len(reader.pages) > MAX_PAGES:
        raise UnreadableError(
            f"has {len(reader.pages):,} pages, more than any book: split it, or save it as text."
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
            "holds no text, only pictures of pages: run text recognition (OCR) on it, or find the "
            "book as text."
        )
    return Document(text + "\n", "PDF")
