"""Which format a file is in, and those that are archives, tables or XML of their own."""

import gzip
import io
import json
import random
import re
import tarfile
import zipfile
from contextlib import suppress

import pytest
from streamlit.elements.lib.file_uploader_utils import (
    enforce_filename_restriction,
    normalize_upload_file_type,
)

from gpt_core.documents import FILE_TYPES, Document, ReadingOptions, read_document
from gpt_core.documents.reading import CODE_TYPES
from tests.support.documents import docx, epub, pdf

FERRY = "The ferry leaves at seven."
BRIDGE = "The bridge is closed."
PAGE = f"<!DOCTYPE html><html><body><p>{FERRY}</p></body></html>".encode()


def packed(files: dict[str, str | bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def open_document(body: str, manifest: str = "<manifest/>") -> bytes:
    return packed(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": content(body),
            "META-INF/manifest.xml": manifest,
        }
    )


def content(body: str, root: str = "document-content") -> str:
    names = "".join(
        f' xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{prefix}:1.0"'
        for prefix in ("office", "text", "table")
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:{root}{names}><office:body><office:text>'
        f"{body}</office:text></office:body></office:{root}>"
    )


def fiction_book(body: str, encoding: str = "utf-8") -> bytes:
    return (
        f'<?xml version="1.0" encoding="{encoding}"?>\n'
        '<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0"><description><title-info>'
        f"<book-title>A title</book-title></title-info></description>{body}"
        '<binary id="c.jpg" content-type="image/jpeg">iVBORw0KGgo</binary></FictionBook>'
    ).encode(encoding)


BODY = f"<body><section><p>{FERRY}</p></section></body>"
TABLE = f"id,text\n1,{FERRY}\n2,{BRIDGE}\n"
SAMPLES: dict[str, bytes] = {
    **dict.fromkeys(("txt", "text", "utf8", "log"), FERRY.encode()),
    **dict.fromkeys(("md", "markdown", "rst", "org", "tex"), FERRY.encode()),
    **dict.fromkeys(CODE_TYPES, FERRY.encode()),
    **dict.fromkeys(("html", "htm", "xhtml", "xht"), PAGE),
    **dict.fromkeys(("docx", "docm", "dotx", "dotm"), docx(FERRY)),
    **dict.fromkeys(("odt", "ott"), open_document(f"<text:p>{FERRY}</text:p>")),
    **dict.fromkeys(("json",), json.dumps([FERRY]).encode()),
    **dict.fromkeys(("jsonl", "ndjson"), json.dumps({"text": FERRY}).encode()),
    "pdf": pdf(FERRY),
    "epub": epub(**{"OPS/ch1.xhtml": PAGE}),
    "zip": packed({"one.txt": FERRY}),
    "gz": gzip.compress(FERRY.encode()),
    "fodt": content(f"<text:p>{FERRY}</text:p>", "document").encode(),
    "fb2": fiction_book(BODY),
    "csv": TABLE.encode(),
    "tsv": TABLE.replace(",", "\t").encode(),
}


def read(name: str, data: bytes, **options: str) -> Document:
    return read_document(name, data, ReadingOptions(**options))


def refusal(name: str, data: bytes, **options: str) -> str:
    with pytest.raises(ValueError, match=rf"^'{name}' [^\n]{{10,390}}$") as error:
        read(name, data, **options)
    return str(error.value)


# Which format


@pytest.mark.parametrize("suffix", FILE_TYPES)
def test_each_type_that_is_accepted_is_read(suffix: str) -> None:
    assert FERRY in read(f"book.{suffix}", SAMPLES[suffix]).text
    assert FERRY in read(f"BOOK.{suffix.upper()}", SAMPLES[suffix]).text


def test_the_uploader_takes_each_type_by_its_ending() -> None:
    types = normalize_upload_file_type([f".{suffix}" for suffix in FILE_TYPES])
    # "text" alone would be a kind of content, and the browser drops an ending with a hyphen.
    assert all(re.fullmatch(r"\.[a-z0-9]+", ending) for ending in types)
    for name in ("notes.markdown", "a.text", "A.XHTML", "pg1342.txt.utf8", "B.FB2", "a.fb2.zip"):
        enforce_filename_restriction(name, types)


def test_the_content_tells_the_format_whatever_the_name_says() -> None:
    for data in (SAMPLES["pdf"], SAMPLES["docx"], SAMPLES["epub"], SAMPLES["odt"], PAGE):
        for name in ("book", "book.txt", "book.php", "book.md"):
            text = read(name, data).text
            assert FERRY in text
            assert not any(mark in text for mark in ("endobj", "<", "PK"))


@pytest.mark.parametrize(
    "before",
    [
        b"\n",
        b"\r\n \n",
        b"\xef\xbb\xbf",
        bytes(5),
        b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n",
        b"junk ",
    ],
)
def test_a_pdf_may_begin_late(before: bytes) -> None:
    document = read("book.pdf", before + pdf(FERRY))
    assert (document.format, document.text) == ("PDF", f"{FERRY}\n")


def test_a_text_that_speaks_of_pdf_is_a_text() -> None:
    text = "A PDF begins with %PDF-1.4 and a line of comments."
    assert read("notes.txt", text.encode()).text == text


@pytest.mark.parametrize("suffix", ["pdf", "epub", "docx", "odt", "zip", "gz", "mobi", "djvu"])
def test_what_came_instead_of_a_book_is_not_trained_on(suffix: str) -> None:
    for page in (PAGE, b"\n<!-- x -->\n<HTML lang='en'><body>404", b"\xef\xbb\xbf" + PAGE):
        assert "is a web page (HTML), not the" in refusal(f"book.{suffix}", page)
    assert "rename it to .txt" in refusal(f"book.{suffix}", b"404: there is no such file.")


REFUSED = {
    "letter.rtf": (rb"{\rtf1\ansi Hello.}", "is RTF"),
    "letter.docx": (rb"{\rtf1\ansi Hello.}", "is RTF"),
    "book.mobi": (b"A_Book".ljust(60, b"\0") + b"BOOKMOBI" + bytes(80), "Kindle book"),
    "book.azw3": (b"A_Book".ljust(60, b"\0") + b"BOOKMOBI" + bytes(80), "Kindle book"),
    "book.djvu": (b"AT&TFORM\0\0\x10\0DJVM", "DjVu"),
    "book.lit": (b"ITOLITLS\1\0\0\0", "Microsoft e-book"),
    "book.ps": (b"%!PS-Adobe-3.0\n", "PostScript"),
    "a.png": (b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(99), "a picture"),
    "a.txt": (b"\xff\xd8\xff\xe0" + random.Random(2).randbytes(99), "a picture"),
    "a.mp3": (b"ID3\x03\0" + bytes(99), "a recording"),
    "a.mp4": (b"\0\0\0\x20ftypisom" + bytes(99), "a recording"),
    "a.exe": (b"MZ" + bytes(99), "a program"),
    "a.7z": (b"7z\xbc\xaf\x27\x1c\0\4", "7-Zip"),
    "a.rar": (b"Rar!\x1a\x07\1\0", "RAR"),
    "a.xz": (b"\xfd7zXZ\0\0\4", "is packed: unpack it"),
    "a.db": (b"SQLite format 3\0" + bytes(99), "a database"),
    "a.parquet": (b"PAR1\x15\4" + bytes(99), "a Parquet table"),
    "book.txt": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
    "old.xml": (b'<?xml version="1.0"?><?mso-application progid="Word"?><x/>', "Office 2003"),
    "table.xlsx": (packed({"[Content_Types].xml": "<T/>", "xl/workbook.xml": ""}), "spreadsheet"),
    "talk.pptx": (packed({"[Content_Types].xml": "<T/>", "ppt/x.xml": ""}), "presentation"),
    "table.ods": (packed({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), "sheet"),
    "a.pages": (packed({"Index/Document.iwa": ""}), "Pages"),
    "locked.odt": (open_document("", "<m><encryption-data/></m>"), "by a password"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_says_what_it_is_and_what_to_do(name: str) -> None:
    data, words = REFUSED[name]
    assert words in refusal(name, data)


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        ("WordDocument", "before 2007.*docx"),
        ("EncryptedPackage", "password"),
        ("Workbook", "Excel"),
        ("PowerPoint Document", "PowerPoint"),
        ("Other", "old Office file"),
    ],
)
def test_an_old_or_locked_office_file_says_which(stream: str, words: str) -> None:
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + stream.encode("utf-16-le")
    with pytest.raises(ValueError, match=words):
        read("a.docx", data)


# OpenDocument


def test_an_open_document_is_read_as_one_sees_it() -> None:
    body = """<text:sequence-decls><text:sequence-decl text:name="T"/></text:sequence-decls>
    <text:tracked-changes><text:p>DELETED</text:p></text:tracked-changes><text:h>One</text:h>
    <text:p>two<text:s text:c="2"/>blanks, a <text:span>span</text:span><text:tab/>tab<text:note>
    <text:note-citation>1</text:note-citation><text:note-body><text:p>A note.</text:p>
    </text:note-body></text:note>, the end<text:line-break/>of it.</text:p>
    <table:table><table:table-row><table:table-cell><text:p>a cell</text:p></table:table-cell>
    </table:table-row></table:table>"""
    text = read("a.odt", open_document(body.replace("\n    ", ""))).text
    assert text == "One\ntwo  blanks, a span\ttab, the end\nof it.\na cell\n\nA note.\n"


def test_a_damaged_open_document_is_refused() -> None:
    whole = open_document(f"<text:p>{FERRY}</text:p>")
    assert "is damaged, or no OpenDocument text" in refusal("a.odt", whole[:-30])
    broken = packed({"mimetype": "application/vnd.oasis.opendocument.text"})
    assert "is damaged, or no OpenDocument text" in refusal("a.odt", broken)


# FictionBook


def test_a_fiction_book_is_read_with_its_notes_last_and_without_its_pictures() -> None:
    book = fiction_book(
        "<body><title><p>Лодка</p></title><section><p>Она <emphasis>ушла</emphasis>"
        '<a type="note" href="#n1">[1]</a> утром.</p><empty-line/><poem><stanza><v>раз</v>'
        '<v>два</v></stanza></poem></section></body><body name="notes"><section id="n1">'
        "<p>Примечание.</p></section></body>",
        "windows-1251",
    )
    document = read("book.fb2", book)
    assert document.text == "Лодка\n\nОна ушла утром.\n\nраз\nдва\n\nПримечание.\n"
    assert document.encoding == "cp1251"
    assert read("book.fb2.zip", packed({"book.fb2": book})).text == document.text
    assert read("book", book).format == "FictionBook"


def test_a_fiction_book_without_a_book_is_refused_and_a_damaged_one_says_what_is_missing() -> None:
    for body in ("", "<body><section><p> </p></section></body>"):
        assert "holds no text" in refusal("a.fb2", fiction_book(body))
    damaged = read("a.fb2", fiction_book(f"<body>\n<p>{FERRY}</p>\n<p>x</q>\n<p>y</body>"))
    assert damaged.text.startswith(FERRY)
    assert damaged.left_out == ("what is damaged, from line 4 of the file on",)


def test_entities_are_not_expanded() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "boom"><!ENTITY b SYSTEM "file:///etc/passwd">]>'
    for name, data in (
        ("a.fb2", fiction_book("<body><p>One &a;&b; two.</p></body>")),
        ("a.fodt", content("<text:p>One &a;&b; two.</text:p>", "document").encode()),
    ):
        text = read(name, data.replace(b"?>", b"?>" + bomb.encode(), 1)).text
        assert "boom" not in text
        assert "root:" not in text


# Archives


def test_the_texts_in_a_zip_become_one_and_what_is_left_out_is_said() -> None:
    files: dict[str, str | bytes] = {
        "books/one.txt": FERRY,
        "books/two.html": PAGE.replace(FERRY.encode(), BRIDGE.encode()),
        "books/three.docx": docx("Third."),
        "books/cover.jpg": b"\xff\xd8\xff",
        "books/broken.pdf": b"%PDF-1.4 no",
        "books/.hidden.txt": "HIDDEN",
        "__MACOSX/books/._one.txt": "HIDDEN",
        "books/README": "Fourth.",
    }
    document = read("books.zip", packed(files))
    parts = document.text.split("<|endoftext|>")
    assert [part.split("\n")[0] for part in parts] == [FERRY, BRIDGE, "Third.", "Fourth."]
    assert document.format == "ZIP of 4 texts"
    assert document.left_out == (
        "1 file: broken.pdf, that cannot be read",
        "1 file: cover.jpg, that is no text",
    )


def test_a_text_keeps_its_encoding_in_an_archive() -> None:
    text = "Über den Wäldern."
    for name, data in (
        ("a.zip", packed({"a.txt": text.encode("cp1252")})),
        ("a.txt.gz", gzip.compress(text.encode("cp1252"))),
        (
            "a.zip",
            packed({"inner.zip": packed({"a.txt.gz": gzip.compress(text.encode("cp1252"))})}),
        ),
    ):
        document = read(name, data)
        assert (document.text.strip(), document.encoding) == (text, "cp1252")


def test_gzip_in_parts_is_read_whole_and_a_cut_one_is_refused() -> None:
    whole = gzip.compress(FERRY.encode()) + gzip.compress(BRIDGE.encode())
    assert read("a.txt.gz", whole).text == FERRY + BRIDGE
    assert "is cut off" in refusal("a.txt.gz", whole[:-9])
    assert "damaged, or no gzip file" in refusal("a.txt.gz", whole[:12] + b"xxxx" + whole[16:])
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    assert "TAR archive" in refusal("a.tar.gz", tar.getvalue())


def test_a_zip_without_texts_or_with_a_password_is_refused() -> None:
    assert "without a text" in refusal("a.zip", packed({}))
    assert "1 file: a.jpg" in refusal("a.zip", packed({"a.jpg": b"x"}))
    locked = bytearray(packed({"a.txt": FERRY}))
    for header, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        locked[locked.index(header) + flags] |= 1
    assert "protected by a password" in refusal("a.zip", bytes(locked))


def test_archives_that_unpack_to_far_too_much_are_refused() -> None:
    bomb = bytes(30_000_000)
    assert "far more than a book" in refusal("a.txt.gz", gzip.compress(bomb))
    assert "far more than a book" in refusal("a.zip", packed({"a.txt": bomb}))
    assert "2,500 files" in refusal("a.zip", packed({f"{n}.txt": "x" for n in range(2500)}))
    nested = packed({"a.txt": FERRY})
    for _ in range(6):
        nested = packed({"a.zip": nested})
    assert "without a text" in refusal("a.zip", nested)


# Tables


def test_the_column_with_the_most_text_is_read_unless_another_is_chosen() -> None:
    table = f"id,title,text\n1,One,{FERRY}\n2,Two,\n3,Three,{BRIDGE}\n".encode()
    document = read("a.csv", table)
    assert document.text == f"{FERRY}\n{BRIDGE}\n"
    assert document.columns == ("text", "title")
    assert document.left_out == ("2 other columns: id, title", "1 row without text")
    chosen = read("a.csv", table, column="title")
    assert (chosen.text, chosen.columns) == ("One\nTwo\nThree\n", ("title", "text"))
    assert "choose one of 'text', 'title'" in refusal("a.csv", table, column="nothing")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_read_whatever_separates_its_cells(mark: str, encoding: str) -> None:
    table = f'n{mark}says\n1{mark}"One, two; ""three"" | four"\n2{mark}{FERRY}\n'
    assert read("a.csv", table.encode(encoding)).text == f'One, two; "three" | four\n{FERRY}\n'


def test_long_cells_are_documents_of_their_own() -> None:
    long = FERRY * 20
    for cells in ((long, long), (f"{FERRY}\n{BRIDGE}", BRIDGE)):
        rows = "".join(json.dumps({"text": cell}) + "\n" for cell in cells)
        assert read("a.jsonl", rows.encode()).text == "\n<|endoftext|>".join(cells) + "\n"


def test_a_table_without_names_or_of_one_column_is_read() -> None:
    assert read("a.csv", f"1,{FERRY}\n2,{BRIDGE}\n".encode()).columns == ("column 2",)
    assert read("a.csv", f"text\n{FERRY}\n{BRIDGE}\n".encode()).text == f"{FERRY}\n{BRIDGE}\n"
    assert "no column of text" in refusal("a.csv", b"1,2\n3,4\n")
    cell = "word " * 100_000  # more than the csv module allows by itself
    assert read("a.csv", f"id,text\n1,{cell}\n".encode()).text == cell.strip() + "\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([FERRY, BRIDGE], f"{FERRY}\n{BRIDGE}\n"),
        ([{"id": 1, "body": FERRY}, {"body": BRIDGE}], f"{FERRY}\n{BRIDGE}\n"),
        ({"version": "1", "data": [{"text": FERRY}, {"text": None}]}, f"{FERRY}\n"),
        ({"title": "A", "text": FERRY}, f"{FERRY}\n"),
        (FERRY, f"{FERRY}\n"),
    ],
)
def test_json_of_each_shape_is_read(value: object, text: str) -> None:
    assert read("a.json", json.dumps(value).encode()).text == text


def test_a_wrong_line_of_json_lines_is_left_out_and_many_are_refused() -> None:
    line = json.dumps({"text": FERRY})
    document = read("a.jsonl", f"{line}\n{{broken\n\n{line}\n".encode())
    assert document.text == f"{FERRY}\n{FERRY}\n"
    assert "1 line that cannot be read" in document.left_out
    assert "is no JSON in its line" in refusal("a.jsonl", b"It rained.\n" * 30)
    assert "is damaged, or no JSON" in refusal("a.json", b"{broken")
    few = b"{broken\n" * 3
    assert "holds no column of text" in refusal("a.jsonl", few)
    deep = b"[" * 200_000
    assert "is damaged, or no JSON" in refusal("a.json", deep)


def test_a_table_with_too_many_rows_or_columns_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpt_core.documents.tables.MAX_ROWS", 100)
    for name, data in (
        ("a.csv", b"a," * 3000 + b"\n"),
        ("a.csv", b"a,b\n" * 101),
        ("a.jsonl", b'"a"\n' * 101),
    ):
        assert "has more than 100 rows or 1,000 columns" in refusal(name, data)


@pytest.mark.timeout(30)
def test_xml_nested_absurdly_deep_is_read_or_refused_at_once() -> None:
    deep = "<section>" * 50_000 + f"<p>{FERRY}</p>" + "</section>" * 50_000
    spans = "<text:span>" * 50_000 + FERRY + "</text:span>" * 50_000
    for name, data in (
        ("a.fb2", fiction_book(f"<body>{deep}</body>")),
        ("a.fodt", content(f"<text:p>{spans}</text:p>", "document").encode()),
    ):
        with suppress(ValueError):
            assert FERRY in read(name, data).text
