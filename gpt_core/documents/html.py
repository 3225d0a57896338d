"""A web page → its visible text."""

import re
from contextlib import suppress

from lxml import etree
from lxml import html as lxml_html

from gpt_core.documents.document import DEFAULTS, Document, ReadingOptions, UnreadableError
from gpt_core.documents.encodings import BYTE_ORDER_MARKS, decode_text, web_encoding

LEFT_OUT = {"script", "style", "head", "template", "noscript"}
BREAKS = {
    **dict.fromkeys(
        (
            *("p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "tr", "blockquote", "pre"),
            *("section", "article", "header", "footer", "table", "ul", "ol", "dl", "dt", "dd"),
            *("figure", "hr", "main", "nav", "aside", "address", "caption", "figcaption"),
        ),
        "\n\n",
    ),
    **dict.fromkeys(("td", "th"), " "),
    "br": "\n",
}


def html_to_text(html: str) -> str:
    """Return the visible text of a web page: its paragraphs, separated by empty lines.

    Raises:
        UnreadableError: the page is nested too deeply, or damaged.
    """
    html = re.sub(r"^\s*<\?xml[^>]*\?>", "", html)  # it names the encoding of bytes, not of a str
    parser = lxml_html.HTMLParser(remove_comments=True, remove_pis=True, huge_tree=True)
    page = lxml_html.document_fromstring(html, parser=parser)
    if any(entry.level_name == "FATAL" for entry in parser.error_log):  # parts are missing
        raise UnreadableError(
            "is nested too deeply, or damaged, and cannot be read completely: open it in a browser "
            "and save it as plain text."
        )
    pieces: list[str] = []
    walk = etree.iterwalk(page, events=("start", "end"))
    preformatted = 0  # number of open <pre> elements

    def add(text: str | None) -> None:
        if text:
            pieces.append(text if preformatted else re.sub(r"\s+", " ", text))

    for event, element in walk:
        if event == "start":
            preformatted += element.tag == "pre"
            pieces.append(BREAKS.get(element.tag, ""))
            if element.tag in LEFT_OUT:
                walk.skip_subtree()
            else:
                add(element.text)
        else:
            preformatted -= element.tag == "pre"
            pieces.append(BREAKS.get(element.tag, "") if element.tag != "br" else "")
            add(element.tail)
    lines = [line.strip(" \t") for line in "".join(pieces).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def read_html(data: bytes, options: ReadingOptions = DEFAULTS) -> Document:
    """Return the visible text of a web page, in its declared or else its most probable encoding.

    Raises:
        UnreadableError: the bytes are not text, or the page is nested too deeply or damaged.
    """
    named = re.search(rb"(?:charset|encoding)\s*=\s*[\"']?([\w-]+)", data[:2048])
    if named and not data.startswith(tuple(BYTE_ORDER_MARKS)):
        with suppress(UnicodeDecodeError):
            if encoding := web_encoding(named[1].decode("ascii")):
                return Document(html_to_text(data.decode(encoding)), "web page", encoding)
    text, encoding = decode_text(data, options.encoding)
    return Document(html_to_text(text), "web page", encoding)
