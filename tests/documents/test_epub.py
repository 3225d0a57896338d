"""EPUBs with the flaws that books have: what can be read is read, and the rest is named."""

import pytest

from gpt_core.documents import Document, read_document
from tests.support.documents import CONTAINER, PACKAGE, epub, epub_of, xhtml, zip_of

ONE, TWO = xhtml("<h1>One</h1><p>First.</p>"), xhtml("<p>Zweites, größer.</p>")
BOTH = "One\n\nFirst.\n\nZweites, größer.\n"


def read(data: bytes) -> Document:
    return read_document("book.epub", data)


def chapter(body: str, head: str = "") -> Document:
    return read(epub_of({"1.xhtml": xhtml(body, head)}))


def test_an_epub_is_read_in_the_order_of_its_chapters() -> None:
    document = read(epub())
    assert document == Document(BOTH, "EPUB")


def test_an_epub_may_name_its_elements_with_a_prefix() -> None:
    package = PACKAGE.replace(b"<", b"<opf:").replace(b"<opf:/", b"</opf:")
    package = package.replace(b"<opf:package>", b'<opf:package xmlns:opf="http://www.idpf.org">')
    assert read(epub(**{"OPS/book.opf": package})).text == BOTH


def test_an_epub_that_lists_a_chapter_again_and_again_is_read_once() -> None:
    package = PACKAGE.replace(b"</spine>", b'<itemref idref="one"/>' * 5000 + b"</spine>")
    assert read(epub(**{"OPS/book.opf": package})).text == BOTH


@pytest.mark.parametrize(
    ("extra", "data", "said"),
    [
        ("empty.xhtml", b"", "pages without text: 1"),
        ("blank.xhtml", b"\r\n  ", "pages without text: 1"),
        ("cover.xhtml", xhtml("<img src='cover.png'/>"), "pages without text: 1"),
        ("gone.xhtml", None, "chapters whose file is not in the book: gone.xhtml"),
        ("../../../etc/passwd", None, "chapters whose file is not in the book: ../../../etc/pass"),
        (
            "c.png",
            b"\x89PNG\r\n\x1a\n\0\0",
            "pictures and other files that hold no text: OPS/c.png",
        ),
        (
            "noise.xhtml",
            bytes(range(256)) * 9,
            "pictures and other files that hold no text: OPS/no",
        ),
        (
            "deep.xhtml",
            xhtml("<div>" * 20_000 + "deep" + "</div>" * 20_000),
            "chapters that are damaged and cannot be read: OPS/deep.xhtml",
        ),
    ],
)
def test_a_chapter_that_cannot_be_read_does_not_cost_the_book(
    extra: str, data: bytes | None, said: str
) -> None:
    document = read(epub_of({"1.xhtml": ONE, extra: data, "2.xhtml": TWO}))
    assert document.text == BOTH
    assert len(document.left_out) == 1
    assert document.left_out[0].startswith(said)


def test_a_chapter_whose_bytes_are_damaged_in_the_archive_is_left_out() -> None:
    book = bytearray(epub_of({"1.xhtml": ONE, "2.xhtml": xhtml("<p>Lost.</p>" * 50)}))
    book[book.index(b"OPS/2.xhtml") + 30] ^= 0xFF
    document = read(bytes(book))
    assert document.text == "One\n\nFirst.\n"
    assert document.left_out == ("chapters that are damaged and cannot be read: OPS/2.xhtml",)


def test_a_reading_order_with_a_chapter_that_is_not_listed_is_followed() -> None:
    package = PACKAGE.replace(
        b'<itemref idref="two"/>', b"<itemref idref='x'/><itemref idref='two'/>"
    )
    document = read(epub(**{"OPS/book.opf": package}))
    assert document.text == BOTH
    assert document.left_out == ("chapters that are not in the book's list of files: x",)


def test_many_lost_chapters_are_counted_not_all_named() -> None:
    lost: dict[str, bytes | None] = {f"{i}.xhtml": None for i in range(100)}
    document = read(epub_of({**lost, "one.xhtml": ONE}))
    assert document.left_out == (
        "chapters whose file is not in the book: 0.xhtml, 1.xhtml, 2.xhtml and 97 more",
    )


@pytest.mark.parametrize(
    "href",
    [
        *("Ch%C3%A4pter.xhtml", "CHÄPTER.XHTML", "cha\u0308pter.xhtml", "chäpter.xhtml#start"),
        *("./chäpter.xhtml", "../OPS/chäpter.xhtml", "/OPS/chäpter.xhtml"),
        "..\\OPS\\chäpter.xhtml",
    ],
)
def test_a_file_that_is_spelt_differently_is_found(href: str) -> None:
    document = read(epub_of({"chäpter.xhtml": ONE}, hrefs={"chäpter.xhtml": href}))
    assert document == Document("One\n\nFirst.\n", "EPUB")


@pytest.mark.parametrize(
    "change",
    [
        (b"<package>", b"<package><metadata><title>Sea & Sand&nbsp;</title></metadata>"),
        (b"<package>", b'\n\n<?xml version="1.0"?><package>'),
        (b"</manifest>", b"<item></manifest>"),
        (b"</spine></package>", b"</spine>"),
    ],
    ids=["ampersand", "blank", "item", "end"],
)
def test_mistakes_in_the_package_file_are_overlooked(change: tuple[bytes, bytes]) -> None:
    assert read(epub(**{"OPS/book.opf": PACKAGE.replace(*change)})).text == BOTH


@pytest.mark.parametrize(
    "container",
    [
        b'\n <?xml version="1.0"?>' + CONTAINER,
        *(CONTAINER.replace(b"OPS/book", path) for path in (b"/OPS/book", b"ops/Book", b"other")),
        *(b"<container/>", b"", b"nonsense"),
    ],
)
def test_the_package_file_is_found_if_the_container_is_wrong(container: bytes) -> None:
    assert read(epub(**{"META-INF/container.xml": container})).text == BOTH


def test_a_cut_package_file_gives_the_chapters_that_it_still_orders() -> None:
    package = PACKAGE[: PACKAGE.index(b'<itemref idref="two"/>')]
    package = package.replace(b"/>", b' media-type="application/xhtml+xml"/>')
    document = read(epub(**{"OPS/book.opf": package}))
    assert document.text == "One\n\nFirst.\n"
    assert document.left_out == ("pages that are not in the reading order: 1",)
    document = read(epub(**{"OPS/book.opf": package[: package.index(b"<itemref")]}))
    assert document.text == "Zweites, größer.\n\nOne\n\nFirst.\n"  # in the order of the list
    assert "gives no reading order" in document.left_out[1]


def test_the_list_of_contents_is_left_out_and_notes_beside_the_text_are_not() -> None:
    package = PACKAGE.replace(b"<item id", b"<item properties='x nav' id", 1)
    document = read(epub(**{"OPS/book.opf": package}))
    assert document == Document("One\n\nFirst.\n", "EPUB", left_out=("the list of contents",))
    package = PACKAGE.replace(b'idref="two"', b'idref="two" linear="no"')
    assert read(epub(**{"OPS/book.opf": package})).text == BOTH


def test_only_a_book_whose_chapters_are_locked_is_copy_protected() -> None:
    locks = b'<e xmlns="u:x"><CipherReference URI="%s"/></e>'
    assert read(epub(**{"META-INF/rights.xml": b"<x/>"})).text == BOTH
    assert read(epub(**{"META-INF/encryption.xml": locks % b"OPS/font.otf"})).text == BOTH
    for place in (b"OPS/ch%202.xhtml", b"/ops/CH1.xhtml"):
        with pytest.raises(ValueError, match="copy-protected"):
            read(epub(**{"META-INF/encryption.xml": locks % place}))


def test_a_book_without_any_text_is_refused_in_words() -> None:
    for chapters in ({"a.xhtml": b"", "b.xhtml": b"\n"}, {"a.xhtml": None}, {}):
        with pytest.raises(ValueError, match=r"'book\.epub' holds no text: its chapters are empty"):
            read(epub_of(chapters))
    with pytest.raises(ValueError, match="does not say which files are its chapters"):
        read(zip_of({"META-INF/container.xml": b"<container/>", "1.xhtml": ONE}))


# What XHTML says that HTML does not


def test_chapters_are_read_as_xml() -> None:
    assert (
        chapter("<p><![CDATA[Fish & <b>chips</b>]]> twice</p>").text
        == "Fish & <b>chips</b> twice\n"
    )
    assert chapter("<p>a<i/>b</p><p>c</p>", "<title/><script/>").text == "ab\n\nc\n"
    assert chapter("<p>caf&eacute;&nbsp;&amp; &#8212; &unknown;</p>").text == "café & — &unknown;\n"
    prefixed = b"<h:html xmlns:h='http://www.w3.org/1999/xhtml'><h:head><h:style>p{}</h:style>"
    prefixed += b"</h:head><h:body><h:p>Alpha.</h:p><h:P>Beta.</h:P></h:body></h:html>"
    assert read(epub_of({"1.xhtml": prefixed})).text == "Alpha.\n\nBeta.\n"


@pytest.mark.parametrize(
    "body",
    [
        "<p>Salt & pepper<p>and the rest",
        "<p>Salt &amp; pepper</b></p><p>and the rest</p>",
        "<p id=x>Salt &amp; pepper</p><p>and the rest</p>",
    ],
)
def test_a_chapter_with_mistakes_is_read_to_its_end(body: str) -> None:
    assert chapter(body, "<title/>").text == "Salt & pepper\n\nand the rest\n"


def test_page_numbers_and_readings_do_not_run_into_the_words() -> None:
    document = chapter(
        '<p>won<span epub:type="x pagebreak" title="13">13</span>derful '
        "<ruby>漢<rt>かん</rt></ruby></p>"
        '<div role="doc-pagebreak" aria-label="14">14</div><p>on</p>'
    )
    assert document.text == "wonderful 漢\n\non\n"
    assert document.left_out == ("page numbers: 2", "readings beside characters: 1")
    whole = "A page that an old converter put into its number. " * 3
    assert chapter(f'<div epub:type="pagebreak">{whole}</div>').text.strip() == whole.strip()


def test_entities_that_multiply_are_not_expanded() -> None:
    levels = '<!ENTITY a0 "lol">' + "".join(
        f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12)
    )
    laughs = f'<!DOCTYPE x [{levels}<!ENTITY f SYSTEM "file:///etc/passwd">]><x>ha &a11; &f;</x>'
    assert read(epub_of({"1.xhtml": laughs.encode()})).text == "ha &a11; &f;\n"


# Encodings


def test_each_chapter_is_read_in_the_encoding_that_it_declares() -> None:
    chapters = {e: xhtml("<p>größer</p>", encoding=e) for e in ("latin-1", "utf-16", "utf-8")}
    assert read(epub_of(dict(chapters))).text == "größer\n\ngrößer\n\ngrößer\n"


def test_a_badly_encoded_chapter_is_read_and_said() -> None:
    one_byte = TWO.replace("größer".encode(), "größer, caf".encode() + b"\xe9")
    document = read(epub_of({"1.xhtml": ONE, "2.xhtml": one_byte}))
    assert document.text.endswith("Zweites, größer, caf\N{REPLACEMENT CHARACTER}.\n")
    assert document.left_out == (
        "OPS/2.xhtml: characters that are damaged, shown as \N{REPLACEMENT CHARACTER}: 1",
    )
    lie = xhtml("<p>L'été où j'étais à la forêt, déjà très âgé, naïf et français.</p>" * 3)
    lie = lie.decode().encode("cp1252")
    document = read(epub_of({f"{i}.xhtml": lie for i in range(5)}))
    assert document.text.count("déjà très âgé") == 15
    assert document.left_out[0].startswith("OPS/0.xhtml: the page says that it is in utf-8, but")
    assert document.left_out[-1] == "the same in 2 more chapters"
