"""The tree of a web page → the text that its reader sees."""

import re
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from html.entities import html5
from itertools import islice
from typing import Any

from lxml import etree
from lxml import html as lxml_html

from gpt_core.documents.document import UnreadableError

# Kinds of what is left out of a page.
HIDDEN_KIND, READINGS_KIND = "hidden text", "readings beside characters"
PAGE_NUMBER_KIND, INVISIBLE_KIND = "page numbers", "soft hyphens and other invisible characters"
MIN_HIDDEN = 10  # words of hidden text that are worth mentioning
COUNTED_ONCE = (READINGS_KIND, PAGE_NUMBER_KIND)  # however many words they have
# What stands between two pieces of text; the later in this list wins.
SEPARATORS = ("", " ", "\t", "\n", "\n\n")
NOTHING, BLANK, TAB, LINE, PARAGRAPH = range(5)
# The elements that break a line (HTML Standard, section 15.3), and the ends of table cells.
BREAKS = {
    **dict.fromkeys(
        (
            *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd"),
            *("details", "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure"),
            *("footer", "form", "frameset", "h1", "h2", "h3", "h4", "h5", "h6", "header"),
            *("hgroup", "hr", "html", "li", "listing", "main", "marquee", "menu", "nav", "ol"),
            *("p", "plaintext", "pre", "search", "section", "summary", "table", "tbody", "tfoot"),
            *("thead", "ul", "xmp"),
        ),
        PARAGRAPH,
    ),
    **dict.fromkeys(
        ("button", "label", "legend", "optgroup", "option", "select", "textarea", "tr"), LINE
    ),
    **dict.fromkeys(("td", "th"), TAB),
    **dict.fromkeys(("input", "meter", "progress"), BLANK),
}
PREFORMATTED = {"listing", "plaintext", "pre", "textarea", "xmp"}
LEFT_OUT = {
    *("script", "style", "head", "template", "title", "noscript", "noframes", "noembed"),
    *("datalist", "desc", "metadata", "annotation", "annotation-xml"),  # of SVG and MathML
    *("audio", "canvas", "iframe", "object", "video"),  # words for browsers that cannot show them
}
READINGS = {"rp", "rt", "rtc"}  # beside the characters of a ruby
HIDDEN_STYLE = re.compile(r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))")
PAGE_NUMBER_CLASSES = {
    *("pagenum", "pageno", "page-number", "pagenumber", "pagebreak", "x-ebookmaker-pageno"),
}
PAGE_NUMBER = re.compile(r"\W*(?:p(?:g|p|age)?\b\.?)?\W*(?:\d+|[ivxlc]+)?\W*", re.IGNORECASE)
MAX_PAGE_NUMBER = 40  # characters: a whole page must not count as one
EPUB_TYPES = ("{http://www.idpf.org/2007/ops}type", "epub:type")
INVISIBLE = re.compile("[\N{SOFT HYPHEN}\N{WORD JOINER}\N{ZERO WIDTH NO-BREAK SPACE}]")
WHITE_SPACE = re.compile("[ \t\n\r\f\N{NO-BREAK SPACE}]+")
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+")  # a Chinese character is a word


@dataclass(frozen=True)
class PageText:
    """The text of a page, and how much of the page is not in it, by kind."""

    text: str
    left_out: Counter[str] = field(default_factory=Counter)


def count_words(text: str) -> int:
    """Return the number of words of a text."""
    return sum(1 for _ in WORD.finditer(text))


def parse_html(html: str) -> Any:
    """Return the tree of a web page, whatever its mistakes.

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
    return page


def parse_xhtml(xhtml: str) -> Any:
    """Return the tree of an XHTML page, with HTML's names; a page with mistakes as HTML, too.

    Raises:
        UnreadableError: the page is nested too deeply, or damaged.
    """
    try:
        return parse_xml(xhtml)
    except etree.XMLSyntaxError:
        page = parse_html(xhtml)
    with suppress(etree.XMLSyntaxError):  # either parser may lose what follows a mistake
        as_xml = parse_xml(xhtml, recover=True)
        if len(visible_text(as_xml).text) > len(visible_text(page).text):
            return as_xml
    return page


def parse_xml(xml: str, recover: bool = False) -> Any:
    """Return the tree of an XML file; the elements have small letters and no namespaces.

    Named references are HTML's. Entities that the file defines are not expanded.

    Args:
        xml: the file's text.
        recover: whether mistakes in it are overlooked.

    Raises:
        lxml.etree.XMLSyntaxError: there are mistakes in it, or nothing else.
    """

    def character(reference: re.Match[str]) -> str:
        """Return what HTML's named reference means; an entity of the page's own is not expanded."""
        name = reference[1]
        if name in ("amp", "lt", "gt", "quot", "apos"):
            return reference[0]
        return html5.get(f"{name};", f"&amp;{name};")

    xml = re.sub(r"^\s*(?:<\?xml[^>]*\?>)?", "", xml)
    xml = re.sub(r"&(\w+);", character, xml)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, recover=recover,
        remove_comments=True, remove_pis=True, encoding="utf-8",
    )  # fmt: skip
    root = etree.fromstring(xml.encode(), parser)
    if root is None:
        raise etree.XMLSyntaxError("holds no element", 0, 0, 0)
    for element in root.iter(etree.Element):
        element.tag = etree.QName(element).localname.lower()
    return root


def visible_text(page: Any, skip: Collection[Any] = ()) -> PageText:
    """Return the text that a reader of the page sees: its paragraphs, separated by empty lines.

    Args:
        page: the tree, or a part of it; elements have HTML's names.
        skip: elements that are left out, with what is in them.
    """
    writer, left_out = _Writer(), Counter[str]()
    skipped = None
    walk = etree.iterwalk(page, events=("start", "end"))
    for event, element in walk:
        tag = element.tag
        if event == "start" and (kind := left_out_as(element, skip)) is not None:
            skipped = element
            if kind:
                left_out[kind] += 1 if kind in COUNTED_ONCE else count_words(_all_text(element))
            walk.skip_subtree()  # its "end" follows nevertheless
            writer.separate(BREAKS.get(tag, NOTHING))
        elif event == "start":
            writer.separate(BREAKS.get(tag, NOTHING))
            writer.preformatted += tag in PREFORMATTED
            if tag == "br":
                writer.end_line()
            writer.add(("“" if tag == "q" else "") + (element.text or ""))
        else:
            if element is not skipped:
                writer.add("”" if tag == "q" else "")
                if tag in PREFORMATTED:
                    writer.end_preformatted()
            writer.separate(BREAKS.get(tag, NOTHING))
            if element is not page:
                writer.add(element.tail)
    return PageText(writer.text(left_out), left_out)


def left_out_as(element: Any, skip: Collection[Any] = ()) -> str | None:
    """Return as what an element is left out, "" if it does not count, None if it is kept."""
    tag, attributes = element.tag, element.attrib
    if tag in LEFT_OUT or element in skip:
        return ""
    if tag in READINGS:
        return READINGS_KIND
    if not attributes and tag != "dialog":
        return None
    style = attributes.get("style", "").lower()
    if (
        attributes.get("hidden", "until-found").lower() != "until-found"
        or (style and HIDDEN_STYLE.search(style))
        or (tag == "dialog" and "open" not in attributes)
    ):
        return HIDDEN_KIND
    return PAGE_NUMBER_KIND if _is_page_number(element) else None


def describe_left_out(left_out: Counter[str]) -> list[str]:
    """Return phrases that say how much was left out of a page, or of a book's pages."""
    return [
        f"{kind}: {count:,}" + (" words" if kind == HIDDEN_KIND else "")
        for kind, count in left_out.items()
        if count >= (MIN_HIDDEN if kind == HIDDEN_KIND else 1)
    ]


def _is_page_number(element: Any) -> bool:
    """Tell whether an element is the number of a page of the printed book."""
    attributes = element.attrib
    types = " ".join(attributes.get(name, "") for name in EPUB_TYPES).split()
    is_break = "pagebreak" in types or attributes.get("role") == "doc-pagebreak"
    classes = attributes.get("class", "").lower().split()
    if not is_break and PAGE_NUMBER_CLASSES.isdisjoint(classes):
        return False
    # Only so many pieces of text: a page may nest thousands of elements in each other.
    pieces = list(islice(element.itertext(etree.Element), MAX_PAGE_NUMBER))
    text = " ".join("".join(pieces).split())
    is_short = len(pieces) < MAX_PAGE_NUMBER and len(text) <= MAX_PAGE_NUMBER
    return is_short and (is_break or PAGE_NUMBER.fullmatch(text) is not None)


def _all_text(element: Any) -> str:
    return " ".join("".join(element.itertext(etree.Element)).split())


class _Writer:
    """Joins pieces of text; white space collapses across the borders of elements."""

    def __init__(self) -> None:
        self.preformatted = 0  # number of open elements whose white space is kept
        self._pieces: list[str] = []
        self._separator = NOTHING  # what comes before the next piece

    def separate(self, separator: int) -> None:
        if self.preformatted:
            separator = min(separator, LINE)
        self._separator = max(self._separator, separator)

    def end_line(self) -> None:
        """Break the line; a second break makes an empty line."""
        if self.preformatted:
            self._write("\n")
        else:
            self._separator = LINE if self._separator < LINE else PARAGRAPH

    def add(self, text: str | None) -> None:
        if not text:
            return
        if self.preformatted:
            if self._separator == PARAGRAPH or not self._pieces:  # at its beginning
                text = text.lstrip("\n")
            if text:
                self._write(text)
            return
        text = WHITE_SPACE.sub(" ", text)
        if text.startswith(" "):
            self.separate(BLANK)
        if words := text.strip(" "):
            self._write(words)
            if text.endswith(" "):
                self.separate(BLANK)

    def end_preformatted(self) -> None:
        self.preformatted -= 1
        while self._pieces and not self._pieces[-1].strip():
            self._pieces.pop()
        if self._pieces:
            self._pieces[-1] = self._pieces[-1].rstrip()

    def text(self, left_out: Counter[str]) -> str:
        """Return the whole text without invisible characters, which are counted."""
        text, invisible = INVISIBLE.subn("", "".join(self._pieces))
        left_out[INVISIBLE_KIND] += invisible
        return text.strip("\n") + "\n"

    def _write(self, text: str) -> None:
        if self._pieces and self._separator:
            self._pieces.append(SEPARATORS[self._separator])
        self._pieces.append(text)
        self._separator = NOTHING
