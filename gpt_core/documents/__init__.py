"""Document files → plain text, one module per format."""

from gpt_core.documents.document import DEFAULTS, Document, ReadingOptions
from gpt_core.documents.reading import read_document

__all__ = ["DEFAULTS", "Document", "ReadingOptions", "read_document"]
