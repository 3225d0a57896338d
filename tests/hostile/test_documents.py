"""Small files of each format, mutated: each is a text or a refusal, and no reader is killed.

300 of them in CI, 10,000 with --whole-run, through processes that read many.
"""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_core.documents import ReadingOptions
from gpt_core.system.sandbox import Limits, Sandbox, SandboxError
from gpt_core.text import Corpus, read_upload_document, readable_name
from tests.support import pdfs
from tests.support.documents import docx, epub, pdf, zip_of
from tests.support.hostile import FILE_NAMES, many, mutated, refused_in_words

LIMITS = Limits(seconds=60, cpu_seconds=20)
WORDS = "Der größte Teil des Weges war über das Eis gegangen; naïve façade, cœur, señor. "
HTML = f"""<?xml version='1.0' encoding='utf-8'?><!DOCTYPE html><html><head>
<meta charset='utf-8'><title>A title</title><style>p {{ margin: 0 }}</style></head><body>
<nav><ul><li><a href='/'>Home</a><li>More</ul></nav><article><h1>A  Title</h1>
<p>One &amp; <b>two</b><br>three &#x1F600; &nbsp; {WORDS}</p><pre>  kept
    as it is</pre><table><tr><td>x<td>y</table><ruby>漢<rt>かん</rt></ruby><p hidden>not this
</article><footer>&copy; 2026</footer></body></html>"""
OFFICE = "urn:oasis:names:tc:opendocument:xmlns:"
ODT = (
    f'<office:document-content xmlns:office="{OFFICE}office:1.0" xmlns:text="{OFFICE}text:1.0">'
    f"<office:body><office:text><text:h>One</text:h><text:p>{WORDS}<text:tab/>two</text:p>"
    "</office:text></office:body></office:document-content>"
)
FB2 = (
    '<?xml version="1.0"?><FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0"><body>'
    f"<section><title><p>One</p></title><p>{WORDS}</p></section></body></FictionBook>"
)
GUTENBERG = (
    "Produced by hand\n*** START OF THE PROJECT GUTENBERG EBOOK T ***\nThe story, at length.\n"
    "*** END OF THE PROJECT GUTENBERG EBOOK T ***\nTerms.\n"
)
TABLE = "\n".join(f'{n},"{WORDS}",x' for n in range(5))
FILES = {
    "book.odt": zip_of(
        {"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": ODT.encode()}
    ),
    "book.fb2": FB2.encode(),
    "books.zip": zip_of({"a.txt": WORDS.encode(), "b.html": HTML.encode(), "c.gz": b"no"}),
    "book.txt.gz": gzip.compress(WORDS.encode() * 4),
    "tales.csv": f"number,tale,mark\n{TABLE}".encode(),
    "tales.jsonl": b'{"tale": "Every effort moves you", "n": 1}\n' * 9,
    "pg1.txt": GUTENBERG.encode(),
    "book.pdf": pdf("Every effort moves you"),
    "lines.pdf": pdfs.book(["The light-", "house #"], ["Third."], glyphs={"#": "𝐀"}, blanks=1),
    "locked.pdf": pdfs.unpacked(pdfs.AES_256),
    "book.docx": docx("Première.", "第二。", WORDS),
    "book.epub": epub(),
    "book.html": HTML.encode(),
    "shift.html": HTML.replace("utf-8", "shift_jis").encode("shift_jis", "ignore"),
    "latin.txt": (WORDS * 4).encode("cp1252", "ignore"),
    "wide.txt": (WORDS * 4).encode("utf-16"),
    "book.txt": (WORDS * 4).encode(),
}


@pytest.fixture(scope="module")
def readers() -> Iterator[dict[str, Sandbox]]:
    """One process for each format, which reads all of its files."""
    found = {name: Sandbox(LIMITS) for name in FILES}
    yield found
    for reader in found.values():
        reader.close()


@pytest.mark.parametrize("kind", FILES)
def test_each_file_as_it_is_can_be_read(kind: str, readers: dict[str, Sandbox]) -> None:
    document = read_upload_document(kind, FILES[kind], reader=readers[kind])
    assert len(document.text) > 15


@many(300, 10_000)
@given(data=st.data())
def test_a_mutated_document_is_a_text_or_a_refusal_within_the_limits(
    readers: dict[str, Sandbox], data: Any
) -> None:
    kind = data.draw(st.sampled_from(sorted(FILES)))
    name = data.draw(st.just(kind) | st.sampled_from(FILE_NAMES))
    content = data.draw(mutated(FILES[kind], list(FILES.values())))
    options = data.draw(st.sampled_from((ReadingOptions(), ReadingOptions(keep_licence=True))))
    if kind.endswith("html"):
        options = replace(options, article_only=data.draw(st.sampled_from((None, True, False))))
    with refused_in_words(repr(readable_name(name))):
        try:
            document = read_upload_document(name, content, options, reader=readers[kind])
        except ValueError as error:
            if isinstance(error.__cause__, SandboxError):
                pytest.fail(f"the reader was killed, or crashed: {error}")
            raise
        Corpus(readable_name(name), document.text)
        assert all(isinstance(what, str) and what for what in document.left_out)
