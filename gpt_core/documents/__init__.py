"""Document files → plain text, one module per format."""

from gpt_core.documents.document import DEFAULTS, END_OF_TEXT, Document, ReadingOptions
from gpt_core.documents.encodings import ENCODING_NAMES
from gpt_core.documents.gutenberg import gutenberg_body
from gpt_core.documents.reading import FILE_TYPES, PLAIN_TYPES, read_document

__all__ = [
    "DEFAULTS",
    "ENCODING_NAMES",
    "END_OF_TEXT",
    "FILE_TYPES",
    "PLAIN_TYPES",
    "Document",
    "ReadingOptions",
    "gutenberg_body",
    "read_document",
]
