"""A Word file → its text."""

from gpt_core.documents.docx.reader import read_docx

__all__ = ["read_docx"]
