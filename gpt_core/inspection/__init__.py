"""Looking into a model: its parts and their sizes, and what an update did."""

from gpt_core.inspection.summary import ModelSummary, Part, summarize
from gpt_core.inspection.update import UpdateInspector

__all__ = ["ModelSummary", "Part", "UpdateInspector", "summarize"]
