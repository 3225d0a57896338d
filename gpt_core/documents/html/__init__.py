"""A web page → its visible text, or only its article."""

from gpt_core.documents.html.page import (
    count_words,
    describe_left_out,
    parse_html,
    parse_xhtml,
    parse_xml,
    visible_text,
)
from gpt_core.documents.html.reader import decode_page, read_html

__all__ = [
    "count_words",
    "decode_page",
    "describe_left_out",
    "parse_html",
    "parse_xhtml",
    "parse_xml",
    "read_html",
    "visible_text",
]
