"""People's own texts and models, and what they do with recorded runs."""

from gpt_core.library.models import UPLOADED, Download, KeptModel, ModelLibrary
from gpt_core.library.runs import MOST_IN_NAME, MOST_IN_NOTE, delete_run, label_run, share_run
from gpt_core.library.texts import KeptText, TextLibrary

__all__ = [
    "MOST_IN_NAME",
    "MOST_IN_NOTE",
    "UPLOADED",
    "Download",
    "KeptModel",
    "KeptText",
    "ModelLibrary",
    "TextLibrary",
    "delete_run",
    "label_run",
    "share_run",
]
