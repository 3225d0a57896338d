"""Models for inference, within a memory budget, and the worker that generates texts."""

from gpt_core.inference.generation_worker import GenerationJob, GenerationWorker
from gpt_core.inference.model_cache import ModelCache

__all__ = ["GenerationJob", "GenerationWorker", "ModelCache"]
