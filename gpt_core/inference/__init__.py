"""Models for reading, within a memory budget, and the worker that generates."""

from gpt_core.inference.model_cache import GenerationJob, ModelCache

__all__ = ["GenerationJob", "ModelCache"]
