"""Document files → plain text, one module per format."""

from gpt_core.documents.reading import document_text

__all__ = ["document_text"]
