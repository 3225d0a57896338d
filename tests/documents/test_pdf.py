import zlib

import pytest

from gpt_core.documents import Document, read_document
from gpt_core.documents.pdf import find_pdf, join_broken_words, read_pdf
from gpt_core.text import read_upload
from tests.support import pdfs
from tests.support.documents import pdf
from tests.support.pdfs import book, unpacked

THREE_PAGES = book(["First."], ["Second."], ["Third."])
PAGE_2 = b"7 0 obj\n<< /Type /Page /Parent"


def changed(old: bytes, new: bytes) -> bytes:
    """Return the three pages with something replaced."""
    assert old in THREE_PAGES
    return THREE_PAGES.replace(old, new)


def test_a_pdf_is_read_whatever_its_name() -> None:
    assert read_upload("book.pdf", pdf("Every effort moves you")).text == "Every effort moves you\n"
    assert read_upload("book.txt", pdf("Every effort")).text == "Every effort\n"


def test_pages_and_lines_are_kept_and_nothing_is_left_out() -> None:
    whole = book(["It was dark.  ", "It was late. (So what?)"], ["Größe - nie."])
    text = "It was dark.\nIt was late. (So what?)\n\nGröße - nie.\n"
    assert read_pdf(whole) == Document(text, "PDF")


@pytest.mark.parametrize(
    "before", [b"\n", b"\xef\xbb\xbf", b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", b"x" * 1000]
)
def test_a_pdf_may_begin_after_some_other_bytes(before: bytes) -> None:
    data = before + pdf("Every effort moves you")
    assert find_pdf(data) == len(before)
    assert read_pdf(data).text == "Every effort moves you\n"
    assert read_document("book.pdf", data).text == "Every effort moves you\n"


def test_a_text_about_pdfs_is_no_pdf() -> None:
    text = b"A PDF begins with %PDF-1.4, and then come its objects."
    assert find_pdf(text) is None
    assert read_document("a.txt", text).text == text.decode()


# Damage


@pytest.mark.parametrize(
    "glyph",
    ["\0", chr(0xD835), chr(0xDC00), "\x07"],
    ids=["NUL", "first half", "second half", "bell"],
)
def test_a_glyph_that_stands_for_no_character_is_left_out_and_counted(glyph: str) -> None:
    whole = book(["A # mark."], ["And # # more."], glyphs={"#": glyph})
    read = read_pdf(whole)
    assert read.text == "A  mark.\n\nAnd   more.\n"
    assert read.left_out == ("characters that are no text: 3",)
    assert read_upload("a.pdf", whole).text == read.text  # NUL and halves would be refused


def test_a_character_beyond_the_first_65536_is_whole() -> None:
    read = read_pdf(book(["x # y"], glyphs={"#": "𝐀"}))
    assert read == Document("x 𝐀 y\n", "PDF")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (PAGE_2, PAGE_2.replace(b"/Page ", b"/Pxge ")),
        (PAGE_2, PAGE_2.replace(b"<<", b"(<")),
        (b"5 0 R 7 0 R", b"5 0 R 77 0 R"),
    ],
    ids=["of another type", "no dictionary", "not there"],
)
def test_a_page_that_cannot_be_read_is_left_out_by_its_number(old: bytes, new: bytes) -> None:
    read = read_pdf(changed(old, new))
    assert read.text == "First.\n\nThird.\n"
    assert read.left_out == ("page 2, which is damaged",)


@pytest.mark.parametrize(
    "content", [b"BT /F1 12 Tf 50 700 Td <zz> Tj ET", b"q [ (a) Q ) BT ]] << /x", b"\xff" * 99]
)
def test_the_pages_around_one_with_broken_content_are_read(content: bytes) -> None:
    text = read_pdf(book(["First."], content, ["Third."])).text
    assert text.startswith("First.\n\n")
    assert text.endswith("\n\nThird.\n")


def test_many_damaged_pages_are_counted_and_some_are_named() -> None:
    whole = book(*[["Line."]] * 12)
    read = read_pdf(whole.replace(b"/Type /Page ", b"/Type /Pxge ", 10))
    assert read.text == "Line.\n\nLine.\n"
    assert read.left_out == ("10 damaged pages: 1, 2, 3, 4, 5, 6, 7, 8, …",)


def test_pages_without_text_among_others_are_counted() -> None:
    read = read_pdf(book(["Words."], blanks=3))
    assert read.text == "Words.\n"
    assert read.left_out == ("3 pages without text (pictures, or blank)",)


def test_a_pdf_of_pictures_says_that_it_holds_no_text() -> None:
    with pytest.raises(ValueError, match=r"only pictures of pages.*OCR"):
        read_document("scan.pdf", book(blanks=2))


def test_a_pdf_of_damaged_pages_says_so() -> None:
    whole = book(["First."]).replace(b"/Type /Page ", b"/Type /Pxge ")
    with pytest.raises(ValueError, match="damaged: none of its pages can be read"):
        read_document("a.pdf", whole)


@pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"%PDF-1.4 nonsense %%EOF", pdf("x")[:150]])
def test_a_broken_pdf_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"'a\.pdf' is damaged, or no PDF|holds no text"):
        read_document("a.pdf", data)


def test_a_pdf_that_unpacks_to_far_too_much_is_refused_or_over_the_limit() -> None:
    bomb = pdf("", packed=zlib.compress(bytes(200_000_000), 9))
    assert len(bomb) < 300_000
    with pytest.raises(ValueError, match=r"'bomb\.pdf' "):
        read_upload("bomb.pdf", bomb)


# Locks


@pytest.mark.parametrize("packed", [pdfs.AES_128, pdfs.AES_256], ids=["AES-128", "AES-256"])
def test_a_pdf_that_any_reader_opens_without_a_password_is_read(packed: str) -> None:
    assert read_pdf(unpacked(packed)) == Document(f"{pdfs.LOCKED_TEXT}\n", "PDF")


@pytest.mark.parametrize(
    "packed", [pdfs.RC4_WITH_PASSWORD, pdfs.AES_256_WITH_PASSWORD], ids=["RC4", "AES-256"]
)
def test_a_pdf_with_a_password_says_what_to_do(packed: str) -> None:
    with pytest.raises(ValueError, match="protected by a password: open it in a PDF reader"):
        read_document("secret.pdf", unpacked(packed))


# Lines


def test_words_broken_at_the_ends_of_lines_are_joined_and_counted() -> None:
    read = read_pdf(book(["The light-", "house was empty in the morn-", "ing.", "So it stayed."]))
    assert read.text == "The lighthouse was empty in the morning.\nSo it stayed.\n"
    assert read.left_out == ("hyphens at line ends joined: 2",)


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (["The years 1939-", "1945 were long."], "1939-"),
        (["A half-", "Dutch sailor."], "half-Dutch"),
        (["The type B-", "52 flew."], "B-"),
        (["A well-known ship, a well-", "known crew."], "a well-known crew"),
    ],
)
def test_a_hyphen_that_is_meant_stays(lines: list[str], kept: str) -> None:
    read = read_pdf(book(lines))
    assert kept in read.text
    assert read.left_out == ()


@pytest.mark.parametrize(
    ("marked", "joined"),
    [
        ("har\ufffebour", ("harbour", 1, 0)),
        ("har\x02bour", ("harbour", 1, 0)),
        ("NEW-\nHAR\ufffeBOUR", ("NEW-\nHARBOUR", 1, 0)),
        ("Größ\ufffeße und Ä\x02rger", ("Größße und Ärger", 2, 0)),
        ("by a \ufffe sign \x02", ("by a  sign ", 0, 2)),
        ("nothing", ("nothing", 0, 0)),
        ("x" * 200 + "\ufffey", ("x" * 200 + "y", 1, 0)),
    ],
)
def test_the_signs_of_pdfium_for_broken_words_never_stay(
    marked: str, joined: tuple[str, int, int]
) -> None:
    assert join_broken_words(marked) == joined


def test_ligatures_are_spelt_out() -> None:
    assert read_pdf(book(["The o#ce."], glyphs={"#": "\ufb03"})).text == "The office.\n"
    assert read_pdf(book(["The o#ce."], glyphs={"#": "ffi"})).text == "The office.\n"
