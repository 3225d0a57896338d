"""Small documents of each format, made for the tests."""

import io
import zipfile

from docx import Document

# PDF


def pdf(text: str, packed: bytes = b"") -> bytes:
    """Return a PDF of one page, written by hand: a content stream that shows a text."""
    stream = packed or f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode("latin-1")
    how = b" /Filter /FlateDecode" if packed else b""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d%s >>\nstream\n%s\nendstream" % (len(stream), how, stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        len(body),
    )
    return body + table + end


# Word


def docx(*paragraphs: str) -> bytes:
    document = Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "left", "right"
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


OPEN_XML = "http://schemas.openxmlformats.org"
STRICT_XML = "http://purl.oclc.org/ooxml"


def docx_of(
    *body: str,
    parts: dict[str, str] | None = None,
    relationships: str = "",
    strict: bool = False,
    kind: str = "document.main",
) -> bytes:
    """Return a Word file written by hand.

    Args:
        body: what is in its body, as XML with the prefixes w, m, mc, v and wps.
        parts: what is in its other parts, "footnotes", "styles" …, as XML.
        relationships: more of the document's relationships, as XML.
        strict: whether it is Strict Open XML, whose namespaces are others.
        kind: of document, in its content type.
    """
    start, year = (STRICT_XML, "") if strict else (OPEN_XML, "/2006")
    word, math = f"{start}/wordprocessingml{year}/main", f"{start}/officeDocument{year}/math"
    types = f"{start}/officeDocument{year}/relationships"
    spaces = (
        f'xmlns:w="{word}" xmlns:m="{math}" xmlns:mc="{OPEN_XML}/markup-compatibility/2006" '
        'xmlns:v="urn:schemas-microsoft-com:vml" '
        'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
    )
    for name in parts or {}:
        relationships += f'<Relationship Id="{name}" Type="{types}/{name}" Target="{name}.xml"/>'
    files = {
        "[Content_Types].xml": '<Types><Override PartName="/word/document.xml" ContentType="'
        f'application/vnd.openxmlformats-officedocument.wordprocessingml.{kind}+xml"/></Types>',
        "_rels/.rels": _relationships(
            f'<Relationship Id="r1" Type="{types}/officeDocument" Target="word/document.xml"/>'
        ),
        "word/_rels/document.xml.rels": _relationships(relationships),
        "word/document.xml": f"<w:document {spaces}><w:body>{''.join(body)}</w:body></w:document>",
    }
    for name, content in (parts or {}).items():
        files[f"word/{name}.xml"] = f"<w:{name} {spaces}>{content}</w:{name}>"
    return zip_of({name: content.encode() for name, content in files.items()})


def _relationships(content: str) -> str:
    space = f"{OPEN_XML}/package/2006/relationships"
    return f'<Relationships xmlns="{space}">{content}</Relationships>'


# EPUB

CONTAINER = b"""<container><rootfiles>
<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/>
</rootfiles></container>"""
PACKAGE = b"""<package><manifest>
<item id="two" href="ch%202.xhtml"/><item id="one" href="ch1.xhtml"/><item id="css" href="a.css"/>
</manifest><spine><itemref idref="one"/><itemref idref="two"/></spine></package>"""


def epub(**changes: bytes) -> bytes:
    files = {
        "META-INF/container.xml": CONTAINER,
        "OPS/book.opf": PACKAGE,
        "OPS/ch1.xhtml": b"<html><body><h1>One</h1><p>First.</p></body></html>",
        "OPS/ch 2.xhtml": "<html><body><p>Zweites, größer.</p></body></html>".encode(),
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        for name, data in (files | changes).items():
            book.writestr(name, data)
    return target.getvalue()


def xhtml(body: str, head: str = "<title>not this</title>", encoding: str = "utf-8") -> bytes:
    """Return a chapter of an EPUB."""
    return (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<!DOCTYPE html>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">'
        f"<head>{head}</head><body>{body}</body></html>"
    ).encode(encoding)


def epub_of(
    chapters: dict[str, bytes | None],
    *,
    hrefs: dict[str, str] | None = None,
    properties: dict[str, str] | None = None,
    more: dict[str, bytes] | None = None,
) -> bytes:
    """Return an EPUB of these chapters.

    Args:
        chapters: the files below OPS/ in reading order; None is one that is not there.
        hrefs: what the list of files calls a chapter, where that is not its name.
        properties: other attributes of a chapter in the list of files.
        more: other files by their whole names, instead of those that an EPUB has.
    """
    items, spine = "", ""
    for i, name in enumerate(chapters):
        href = (hrefs or {}).get(name, name)
        kind = "image/png" if name.endswith(".png") else "application/xhtml+xml"
        other = (properties or {}).get(name, "")
        items += f'<item id="i{i}" href="{href}" media-type="{kind}" {other}/>'
        spine += f'<itemref idref="i{i}"/>'
    package = f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>"
    files = {"META-INF/container.xml": CONTAINER, "OPS/book.opf": package.encode()}
    files |= {f"OPS/{name}": data for name, data in chapters.items() if data is not None}
    return zip_of(files | (more or {}))


def zip_of(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as book:
        for name, data in files.items():
            book.writestr(name, data)
    return target.getvalue()
