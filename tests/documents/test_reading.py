"""Files as people have them: each made here, read by the one door, or refused in words."""

import io
import os
import random
import re
import zipfile
import zlib

import pytest
from pypdf import PdfWriter

from gpt_core.text import read_upload
from tests.support.documents import docx, epub, pdf

FRENCH = "L'été où j'étais à la forêt, déjà très âgé, naïf et français : « garçon, le cœur ! » " * 3
GERMAN = "Über den Wolken muß die Freiheit wohl grenzenlos sein, größer als Bäume und Häuser. " * 3
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。" * 3
POLISH = (
    "Litwo! Ojczyzno moja! ty jesteś jak zdrowie; ile cię trzeba cenić, ten tylko się dowie, kto "
    "cię stracił. Dziś piękność twą w całej ozdobie widzę i opisuję, bo tęsknię po tobie. "
)
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая по-своему. " * 3


def text_of(name: str, data: bytes) -> str:
    return read_upload(name, data).text


# Encodings


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FRENCH, "utf-8"),
        (FRENCH, "utf-8-sig"),
        (FRENCH, "utf-16"),
        (FRENCH, "utf-16-le"),
        (FRENCH, "utf-16-be"),
        (FRENCH, "utf-32"),
        (FRENCH, "cp1252"),
        (FRENCH.replace("œ", "oe"), "latin-1"),
        (GERMAN, "latin-1"),
        (GERMAN, "cp1252"),
        ("Café au lait, s'il vous plaît.", "latin-1"),
        ("Åsa och Örjan åt räkor på ön", "latin-1"),
        ("“Quotes” — and an ellipsis…", "cp1252"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "utf-16"),
        (POLISH, "cp1250"),
        (POLISH, "iso8859-2"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
    ],
)
def test_a_text_comes_out_right_from_its_encoding(text: str, encoding: str) -> None:
    assert text_of("book.txt", text.encode(encoding)) == text


def test_line_ends_become_plain_ones_in_every_encoding() -> None:
    for encoding in ("utf-8", "utf-16", "cp1252"):
        text = f"{FRENCH}\r\n{FRENCH}\r{FRENCH}".encode(encoding)
        assert text_of("a.txt", text) == f"{FRENCH}\n{FRENCH}\n{FRENCH}"


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
    with pytest.raises(ValueError, match=r"'holiday\.txt' is (not a text|damaged)"):
        read_upload("holiday.txt", data)


def test_a_utf_8_text_with_a_wrong_byte_is_refused_with_its_place() -> None:
    with pytest.raises(ValueError, match="damaged at byte 9"):
        read_upload("a.txt", b"damaged: \xff" + FRENCH.encode())
    with pytest.raises(ValueError, match="damaged at byte 4"):
        read_upload("a.txt", b"half\xed\xa0\x80of a pair")
    with pytest.raises(ValueError, match="is damaged, or no text"):
        read_upload("a.txt", b"\xff\xfe\x00")  # says UTF-16, and ends in the middle


def test_an_rtf_file_renamed_to_text_is_refused() -> None:
    with pytest.raises(ValueError, match="is RTF"):
        read_upload("a.txt", rb"{\rtf1\ansi some text}")


def test_five_million_characters_on_one_line_are_read() -> None:
    assert len(text_of("a.txt", b"x" * 5_000_000)) == 5_000_000


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


def archive(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as book:
        for name, data in files.items():
            book.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return target.getvalue()


@pytest.mark.parametrize("name", ["a.docx", "a.epub", "a.zip"])
@pytest.mark.parametrize(
    "data", [b"PK\x03\x04 not an archive", archive(other_dot_txt=b"x"), docx("x")[:500]]
)
def test_a_broken_archive_is_refused_in_words(name: str, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"is damaged, or no|is not a text|holds no text"):
        read_upload(name, data)


@pytest.mark.parametrize("name", ["bomb.docx", "bomb.epub"])
def test_an_archive_that_would_unpack_to_far_too_much_is_refused(name: str) -> None:
    bomb = archive(**{"word__document.xml": bytes(30_000_000), "META-INF__container.xml": b"x"})
    assert len(bomb) < 100_000
    with pytest.raises(ValueError, match="would unpack to 29 MB"):
        read_upload(name, bomb)


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
