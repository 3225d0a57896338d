"""A model's parts and their sizes, and what an update changes."""

from gpt_core.inspection.summary import ModelSummary, Part, summarize
from gpt_core.inspection.update import UpdateInspector

__all__ = ["ModelSummary", "Part", "UpdateInspector", "summarize"]
