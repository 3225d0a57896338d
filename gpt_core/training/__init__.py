"""The training loop in one file, and its parts."""

from gpt_core.training.data import (
    TrainingData,
    encode_splits,
    first_batch,
    load_splits,
    prepare_data,
)
from gpt_core.training.evaluation import Measures, evaluate_model, measure_loader, token_bytes
from gpt_core.training.gradients import accumulate_gradients, choose_training_loss
from gpt_core.training.inside import InsidePlan, plan_inside
from gpt_core.training.loop import train
from gpt_core.training.lr_schedule import learning_rate_at, steps_in_run
from gpt_core.training.optimizer import count_muon_operations, create_optimizer
from gpt_core.training.probes import PROBE_TOKENS, window_beginnings, with_text_probe
from gpt_core.training.state import TrainingState
from gpt_core.training.vocabulary import FittedVocabulary, fit_vocabulary

__all__ = [
    "PROBE_TOKENS",
    "FittedVocabulary",
    "InsidePlan",
    "Measures",
    "TrainingData",
    "TrainingState",
    "accumulate_gradients",
    "choose_training_loss",
    "count_muon_operations",
    "create_optimizer",
    "encode_splits",
    "evaluate_model",
    "first_batch",
    "fit_vocabulary",
    "learning_rate_at",
    "load_splits",
    "measure_loader",
    "plan_inside",
    "prepare_data",
    "steps_in_run",
    "token_bytes",
    "train",
    "window_beginnings",
    "with_text_probe",
]
