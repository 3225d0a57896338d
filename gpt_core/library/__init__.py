"""The library of texts and models, and operations on recorded runs."""

from gpt_core.library.models import UPLOADED, Download, LibraryModel, ModelLibrary
from gpt_core.library.runs import (
    MAX_NAME_LENGTH,
    MAX_NOTE_LENGTH,
    clean_up,
    delete_run,
    label_run,
    share_run,
)
from gpt_core.library.texts import LibraryText, TextLibrary

__all__ = [
    "MAX_NAME_LENGTH",
    "MAX_NOTE_LENGTH",
    "UPLOADED",
    "Download",
    "LibraryModel",
    "LibraryText",
    "ModelLibrary",
    "TextLibrary",
    "clean_up",
    "delete_run",
    "label_run",
    "share_run",
]
