"""A web page → its visible text, or only its article."""

from gpt_core.documents.html.page import PageText, parse_html, parse_xhtml, visible_text
from gpt_core.documents.html.reader import decode_page, read_html

__all__ = [
    "PageText",
    "decode_page",
    "parse_html",
    "parse_xhtml",
    "read_html",
    "visible_text",
]
