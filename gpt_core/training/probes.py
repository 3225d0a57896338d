"""Fixed rows of text whose target probabilities are recorded at each evaluation."""

from dataclasses import replace

import tiktoken
import torch

from gpt_core.config import TrainingConfig
from gpt_core.model import GPTModel, loss_walkthrough
from gpt_core.records import ProbeRecord
from gpt_core.training.state import TrainingState
from gpt_core.vocabularies import text_to_token_ids, token_ids_to_text

PROBE_TOKENS = 8  # of the training text that one probe asks for


def probe_model(
    model: GPTModel, tokenizer: tiktoken.Encoding, config: TrainingConfig, state: TrainingState
) -> list[ProbeRecord]:
    """Return what the model makes of each probe, dropout off: nothing random is drawn.

    Always in float32: a few rows cost little, and bfloat16 has two digits for a probability.
    """
    model.eval()
    records = []
    for i, text in enumerate(config.probes):
        ids = text_to_token_ids(text, tokenizer).to(config.device)  # (1, T + 1)
        walk = loss_walkthrough(model, ids[:, :-1], ids[:, 1:])
        record = ProbeRecord(
            state.global_step,
            state.epoch,
            state.tokens_seen,
            probe=i,
            loss=walk.loss.item(),
            target_probas=tuple(walk.target_probas[0].tolist()),  # T of them
            predicted_ids=tuple(walk.predicted_ids[0].tolist()),
        )
        records.append(record)
    model.train()
    return records


def with_text_probe(
    config: TrainingConfig, text: str, tokenizer: tiktoken.Encoding, context_length: int
) -> TrainingConfig:
    """Return the configuration with one probe more: how a line early in the text begins.

    Beside rows that the text does not hold, it shows what is being learnt by heart. A text that
    is too short for it leaves the configuration as it is.
    """
    beginning = text[:10_000].strip()
    lines = [line.strip() for line in beginning.splitlines()]
    long_enough = (line for line in lines if len(line.split()) > PROBE_TOKENS)  # no heading
    ids = text_to_token_ids(next(long_enough, beginning), tokenizer)  # (1, N)
    longest = min(PROBE_TOKENS + 1, context_length + 1, ids.shape[1])
    for length in range(longest, 1, -1):
        probe = token_ids_to_text(ids[:, :length], tokenizer)
        # Cut in the middle of a character, or of what is a single token, it would read otherwise.
        if torch.equal(text_to_token_ids(probe, tokenizer), ids[:, :length]):
            return replace(config, probes=tuple(dict.fromkeys((*config.probes, probe))))
    return config
