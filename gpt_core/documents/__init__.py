"""A file as people have it → plain text, one file per format."""

from gpt_core.documents.reading import document_text

__all__ = ["document_text"]
