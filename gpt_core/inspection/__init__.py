"""Looking into a model: its parts and their sizes, and what an update did."""

from gpt_core.inspection.summary import Anatomy, Part, dissect
from gpt_core.inspection.update import Closeup

__all__ = ["Anatomy", "Closeup", "Part", "dissect"]
