"""Files as people have them: each made here, read by the one door, or refused in words."""

import io
import os
import random
import re
import zipfile
import zlib
from contextlib import suppress

import pytest
from pypdf import PdfWriter

from gpt_core.text import read_upload
from tests.support.documents import PACKAGE, docx, epub, pdf

JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。" * 3


def text_of(name: str, data: bytes) -> str:
    return read_upload(name, data).text


# Dispatch


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(3000),
        b"\x7fELF" + bytes(2000) + random.Random(2).randbytes(1000),
        b"GIF89a" + random.Random(3).randbytes(500),
        random.Random(4).randbytes(5000),
    ],
    ids=["picture", "program", "gif", "noise"],
)
def test_a_binary_file_renamed_to_text_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"'holiday\.txt' is (not a text|a p)"):
        read_upload("holiday.txt", data)


def test_an_rtf_file_renamed_to_text_is_refused() -> None:
    with pytest.raises(ValueError, match="is RTF"):
        read_upload("a.txt", rb"{\rtf1\ansi some text}")


def test_five_million_characters_on_one_line_are_read() -> None:
    assert len(text_of("a.txt", b"x" * 5_000_000)) == 5_000_000


# HTML


def test_a_web_page_is_read_as_one_sees_it() -> None:
    page = """<html><head><title>T</title><style>p {}</style></head><body>
    <h1>A   Title</h1><p>One &amp; <b>two</b><br>three.</p><!-- not this -->
    <script>alert(1)</script><ul><li>first</li><li>second</li></ul>
    <pre>kept
      as it is</pre></body></html>"""
    assert text_of("page.html", page.encode()) == (
        "A Title\n\nOne & two\nthree.\n\nfirst\n\nsecond\n\nkept\nas it is\n"
    )


def test_a_paragraph_of_15_million_characters_is_read_whole() -> None:
    page = "<p>" + "word " * 3_000_000 + "</p><p>and the end"
    assert text_of("long.html", page.encode()).endswith("word\n\nand the end\n")


def test_cells_of_a_table_stay_apart() -> None:
    assert text_of("a.html", b"<table><tr><td>one</td><td>two</td></tr></table>") == "one  two\n"


@pytest.mark.parametrize(
    "page",
    [
        "<!--" * 60_000,
        "<a " * 100_000,
        "</" * 150_000,
        "<?" * 150_000,
        "<b>" * 200 + "<i>x</i>" * 60_000,
        "<p>" * 50_000,
        "<![" * 100_000,
    ],
    ids=["comments", "attributes", "ends", "instructions", "nested", "paragraphs", "sections"],
)
@pytest.mark.timeout(20)
def test_a_web_page_made_to_take_long_does_not(page: str) -> None:
    with suppress(ValueError):
        read_upload("slow.html", page.encode())


def test_a_web_page_says_its_own_encoding() -> None:
    page = f'<html><head><meta charset="shift_jis"></head><p>{JAPANESE}</p></html>'
    assert JAPANESE in text_of("page.htm", page.encode("shift_jis"))


def test_a_web_page_nested_absurdly_deep_is_refused() -> None:
    page = b"<div>" * 20_000 + b"deep" + b"</div>" * 20_000
    with pytest.raises(ValueError, match="nested too deeply"):
        read_upload("deep.html", page)
    assert text_of("flat.html", b"<p>word</p>" * 20_000).split() == ["word"] * 20_000


def written(writer: PdfWriter) -> bytes:
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def test_a_pdf_is_read_whatever_its_name() -> None:
    assert text_of("book.pdf", pdf("Every effort moves you")) == "Every effort moves you\n"
    assert text_of("book.txt", pdf("Every effort")) == "Every effort\n"


def test_a_pdf_of_pictures_says_that_it_holds_no_text() -> None:
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    with pytest.raises(ValueError, match=r"only pictures of pages.*OCR"):
        read_upload("scan.pdf", written(writer))


def test_a_pdf_that_would_unpack_to_far_too_much_is_refused() -> None:
    bomb = pdf("", packed=zlib.compress(bytes(200_000_000), 9))
    assert len(bomb) < 300_000
    with pytest.raises(ValueError, match="is damaged, or no PDF"):
        read_upload("bomb.pdf", bomb)


def test_a_pdf_with_a_password_says_what_to_do() -> None:
    writer = PdfWriter(io.BytesIO(pdf("secret")))
    writer.encrypt("a password", algorithm="RC4-128")
    with pytest.raises(ValueError, match="protected by a password: open it in a PDF reader"):
        read_upload("secret.pdf", written(writer))


@pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"%PDF-1.4 nonsense %%EOF", pdf("x")[:150]])
def test_a_broken_pdf_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"'a\.pdf' is damaged, or no PDF|holds no text"):
        read_upload("a.pdf", data)


def test_a_word_file_is_read_with_its_tables() -> None:
    assert text_of("a.docx", docx("Première.", "第二。")) == "Première.\n第二。\nleft\nright\n"


def changed_docx(old: str, new: str) -> bytes:
    """Return a Word file in whose XML something is replaced."""
    with zipfile.ZipFile(io.BytesIO(docx("Before PLACE after."))) as book:
        files = {name: book.read(name) for name in book.namelist()}
    document = files["word/document.xml"].decode()
    assert old in document
    files["word/document.xml"] = document.replace(old, new).encode()
    return archive(**files)


def test_nothing_that_word_shows_is_lost_and_nothing_comes_twice() -> None:
    run = "<w:r><w:t>INSERTED</w:t></w:r>"
    paragraph = "<w:p><w:r><w:t>Before PLACE after.</w:t></w:r></w:p>"
    inserted = (
        f"<w:p><w:ins>{run}</w:ins><w:del><w:r><w:delText>GONE</w:delText></w:r></w:del></w:p>"
    )
    control = f"<w:sdt><w:sdtContent><w:p>{run}</w:p></w:sdtContent></w:sdt>"
    for change in (inserted, control):
        assert text_of("a.docx", changed_docx(paragraph, change)).startswith("INSERTED\n")
    stops = "<w:pPr><w:tabs><w:tab w:val='left' w:pos='720'/></w:tabs></w:pPr>"
    tabbed = f"<w:p>{stops}<w:r><w:t>left</w:t><w:tab/><w:t>right</w:t><w:br/></w:r>{run}</w:p>"
    moved = f"<w:p><w:moveFrom>{run}</w:moveFrom><w:r><w:t>x</w:t></w:r></w:p>"
    assert text_of("a.docx", changed_docx(paragraph, tabbed)).startswith("left\tright\nINSERTED\n")
    assert text_of("a.docx", changed_docx(paragraph, moved)).startswith("x\n")
    wide = changed_docx("<w:tcPr>", '<w:tcPr><w:gridSpan w:val="2000000000"/>')
    assert text_of("wide.docx", wide).count("left") == 1


def archive(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as book:
        for name, data in files.items():
            book.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return target.getvalue()


@pytest.mark.parametrize("name", ["a.docx", "a.epub", "a.zip"])
@pytest.mark.parametrize(
    "data", [b"PK\x03\x04 not an archive", archive(other_dot_css=b"x"), docx("x")[:500]]
)
def test_a_broken_archive_is_refused_in_words(name: str, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"is damaged, or no|is a ZIP without a text"):
        read_upload(name, data)


@pytest.mark.parametrize("name", ["bomb.docx", "bomb.epub"])
def test_an_archive_that_would_unpack_to_far_too_much_is_refused(name: str) -> None:
    bomb = archive(**{"word__document.xml": bytes(30_000_000), "META-INF__container.xml": b"x"})
    assert len(bomb) < 100_000
    with pytest.raises(ValueError, match="would unpack to 29 MB"):
        read_upload(name, bomb)


def test_entities_that_multiply_are_not_expanded() -> None:
    levels = '<!ENTITY a0 "lol">' + "".join(
        f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12)
    )
    laughs = f'<?xml version="1.0"?><!DOCTYPE x [{levels}]><x>&a11;</x>'.encode()
    with zipfile.ZipFile(io.BytesIO(docx("x"))) as book:
        files = {name: book.read(name) for name in book.namelist()}
    files["word/document.xml"] = laughs
    with pytest.raises(ValueError, match="damaged"):
        read_upload("laughs.docx", archive(**files))


def test_an_epub_is_read_in_the_order_of_its_chapters() -> None:
    assert text_of("book.epub", epub()) == "One\n\nFirst.\n\nZweites, größer.\n"


def test_an_epub_may_name_its_elements_with_a_prefix() -> None:
    package = PACKAGE.replace(b"<", b"<opf:").replace(b"<opf:/", b"</opf:")
    package = package.replace(b"<opf:package>", b'<opf:package xmlns:opf="http://www.idpf.org">')
    assert "First." in text_of("book.epub", epub(**{"OPS/book.opf": package}))


def test_an_epub_that_lists_a_chapter_again_and_again_is_read_once() -> None:
    package = PACKAGE.replace(b"</spine>", b'<itemref idref="one"/>' * 5000 + b"</spine>")
    assert text_of("book.epub", epub(**{"OPS/book.opf": package})).count("First.") == 1


def test_a_broken_or_protected_epub_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="copy-protected"):
        read_upload("a.epub", epub(**{"META-INF/rights.xml": b"<x/>"}))
    locks = b'<e><CipherReference URI="%s"/></e>'
    with pytest.raises(ValueError, match="copy-protected"):
        read_upload("a.epub", epub(**{"META-INF/encryption.xml": locks % b"OPS/ch1.xhtml"}))
    fonts = epub(**{"META-INF/encryption.xml": locks % b"OPS/font.otf"})
    assert "First." in text_of("a.epub", fonts)
    for changes in (
        {"META-INF/container.xml": b"<container/>"},
        {"OPS/book.opf": b"<package><spine><itemref idref='nobody'/></spine></package>"},
        {"OPS/book.opf": PACKAGE.replace(b"ch1.xhtml", b"../../etc/passwd")},
        {"OPS/book.opf": PACKAGE[:-40]},
    ):
        with pytest.raises(ValueError, match="is damaged, or no EPUB"):
            read_upload("a.epub", epub(**changes))


def test_random_changes_to_any_file_give_a_text_or_a_sentence() -> None:
    chance = random.Random(7)
    files = {"a.pdf": pdf("Every effort moves you"), "a.docx": docx("x"), "a.epub": epub()}
    messages = []
    for _ in range(60):
        for name, whole in files.items():
            data = bytearray(whole)
            for _ in range(chance.randint(1, 20)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            try:
                read_upload(name, bytes(data))
            except ValueError as error:
                messages.append(str(error))
    assert all(re.match(r"'a\.(pdf|docx|epub)' ", message) for message in messages)
    assert messages


def test_nothing_is_written_while_files_are_read(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, data in (("../a.pdf", pdf("x")), ("../../b.docx", docx("x")), ("/c.epub", epub())):
        read_upload(name, data)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["punycode", "idna", "unicode_escape", "rot13", "base64", "hex"])
def test_a_web_page_may_not_choose_a_decoder_that_is_no_encoding(name: str) -> None:
    page = f'<html><head><meta charset="{name}"></head><body><p>{"é word " * 20_000}</p></body>'
    assert read_upload("a.html", page.encode()).text.startswith("é word")  # at once, as UTF-8
