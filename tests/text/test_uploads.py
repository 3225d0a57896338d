"""Uploads are read in a process of their own; what it says reaches the page, or a sentence does."""

import io
import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt_core.documents import Document, ReadingOptions
from gpt_core.system.sandbox import Limits, Sandbox
from gpt_core.text import read_text_file, read_upload, read_upload_document, upload_reader
from tests.support.documents import docx, pdf
from tests.support.pdfs import assembled, book, stream


def long_pdf(pages: int = 3000) -> bytes:
    """Return a small PDF whose pages all show one stream of many words."""
    content = zlib.compress(b"BT /F1 12 Tf " + b"(a) Tj " * 30_000 + b" ET", 9)
    packed = stream(content).replace(b"<< ", b"<< /Filter /FlateDecode ", 1)
    kids = b" ".join(b"%d 0 R" % (5 + page) for page in range(pages))
    page = b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
    return assembled(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Count %d /Kids [%s] >>" % (pages, kids),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            packed,
            *[page] * pages,
        ]
    )


def wide_page(elements: int = 1_500_000) -> bytes:
    """Return a web page of very many elements, each of which takes memory in a tree."""
    return b"<p>Words.</p>" + b"<i>x</i>" * elements


def wide_docx(paragraphs: int = 600_000) -> bytes:
    """Return a Word file of very many empty paragraphs, which does not look like a ZIP bomb."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(docx("Words."))) as whole,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as wide,
    ):
        for name in whole.namelist():
            content = whole.read(name)
            if name == "word/document.xml":
                content = content.replace(b"<w:body>", b"<w:body>" + b"<w:p/>" * paragraphs)
            wide.writestr(name, content)
    return target.getvalue()


def test_a_document_comes_with_what_was_left_out() -> None:
    read = read_upload_document("book.pdf", book(["A light-", "house."], blanks=2))
    assert read == Document(
        "A lighthouse.\n",
        "PDF",
        left_out=(
            "2 pages without text (pictures, or blank)",
            "hyphens at line ends joined: 1",
        ),
    )


def test_a_person_may_choose_how_a_file_is_read() -> None:
    data = "Straße nach Süden".encode("cp1252")
    chosen = read_upload_document("a.txt", data, ReadingOptions(encoding="cp1250"))
    assert chosen == Document("Straße nach Süden", "plain text", "cp1250")


def test_a_text_keeps_its_name_and_has_plain_line_ends() -> None:
    read = read_upload("folder/größe.txt", b"one\r\ntwo\rthree\n")
    assert (read.name, read.text) == ("folder/größe.txt", "one\ntwo\nthree\n")


def test_a_file_from_the_disk_is_read_as_an_upload_is(tmp_path: Path) -> None:
    path = tmp_path / "book.pdf"
    path.write_bytes(pdf("Every effort moves you"))
    assert read_text_file(path) == read_upload("book.pdf", path.read_bytes())


def test_control_characters_of_a_web_page_do_not_refuse_it() -> None:
    read = read_upload_document("a.html", b"<p>The tide\x02 is low\x07 at noon.</p>")
    assert read.text == "The tide is low at noon.\n"
    assert read.left_out == ("characters that are no text: 2",)


def test_control_characters_of_a_plain_text_stay_for_the_page_to_show() -> None:
    assert read_upload_document("a.txt", b"The tide\x1b is low.").text == "The tide\x1b is low."


def test_one_process_reads_many_files_and_refuses_some_between() -> None:
    with upload_reader(1000) as reader:
        for _ in range(3):
            assert read_upload_document("a.pdf", pdf("words"), reader=reader).text == "words\n"
            with pytest.raises(ValueError, match="holds no text"):
                read_upload_document("a.pdf", book(blanks=1), reader=reader)


@pytest.mark.parametrize(
    ("name", "data", "limits", "sentence"),
    [
        ("long.pdf", long_pdf, Limits(cpu_seconds=1), "took more than 1 second of computing"),
        ("long.pdf", long_pdf, Limits(seconds=2), "took more than 2 seconds to read"),
        ("wide.html", wide_page, Limits(memory_bytes=2**28), "memory|damaged"),
    ],
    ids=["computing", "time", "memory"],
)
def test_a_file_that_costs_too_much_is_a_sentence_and_other_threads_go_on(
    name: str, data: Callable[[], bytes], limits: Limits, sentence: str
) -> None:
    messages: list[str] = []
    content = data()

    def read() -> None:
        try:
            with Sandbox(limits) as reader:
                read_upload_document(name, content, reader=reader)
        except ValueError as error:
            messages.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    ticks = 0
    while thread.is_alive():
        ticks += 1
        time.sleep(0.005)
    assert ticks > 5
    [message] = messages
    assert message.startswith(f"{name!r} ")
    assert any(words in message for words in sentence.split("|"))
    assert message.endswith("upload that.")


def test_a_word_file_of_very_many_paragraphs_is_read_within_little_memory() -> None:
    with Sandbox(Limits(memory_bytes=2**27)) as reader:
        document = read_upload_document("wide.docx", wide_docx(), reader=reader)
    assert document.text.startswith("Words.\n")
