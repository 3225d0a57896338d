"""Files as people have them: each made here, read by the one door, or refused in words."""

import io
import os
import random
import zipfile

import pytest

from gpt_core.text import read_upload
from tests.support.documents import docx, epub, pdf


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


def test_code_is_text_also_in_an_archive() -> None:
    code = "def f(x):\n\treturn x\n"
    assert text_of("f.py", code.encode()) == code
    files = {"f_dot_py": code.encode(), "f_dot_png": b"\x89PNG\r\n\x1a\n"}
    assert text_of("all.zip", archive(**files)) == code


def test_five_million_characters_on_one_line_are_read() -> None:
    assert len(text_of("a.txt", b"x" * 5_000_000)) == 5_000_000


def archive(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as book:
        for name, data in files.items():
            book.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return target.getvalue()


@pytest.mark.parametrize("name", ["a.docx", "a.epub", "a.zip"])
@pytest.mark.parametrize(
    "data", [b"PK\x03\x04 not an archive", archive(other_dot_png=b"x"), docx("x")[:500]]
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


def test_nothing_is_written_while_files_are_read(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, data in (("../a.pdf", pdf("x")), ("../../b.docx", docx("x")), ("/c.epub", epub())):
        read_upload(name, data)
    assert os.listdir(tmp_path) == []
