"""Fixed rows of text whose target probabilities are recorded at each evaluation."""

from dataclasses import replace

import tiktoken
import torch

from gpt_core.config import TrainingConfig
from gpt_core.model import GPTModel, loss_walkthrough
from gpt_core.records import ProbeRecord
from gpt_core.training.state import TrainingState
from gpt_core.vocabularies import text_to_token_ids, token_ids_to_text

PROBE_TOKENS = 8  # that a probe from the training text predicts


def probe_model(
    model: GPTModel, tokenizer: tiktoken.Encoding, config: TrainingConfig, state: TrainingState
) -> list[ProbeRecord]:
    """Return the model's predictions for each probe, dropout off: nothing random is drawn.

    They are always in float32: a few rows cost little, and bfloat16 has only two digits.
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
    """Return the configuration with one more probe: the beginning of a line early in the text.

    Beside rows that are not in the text, this probe shows what the model memorises. If the text
    is too short for a probe, the configuration is unchanged.
    """
    beginning = text[:10_000].strip()
    lines = [line.strip() for line in beginning.splitlines()]
    long_enough = (line for line in lines if len(line.split()) > PROBE_TOKENS)  # skips headings
    ids = text_to_token_ids(next(long_enough, beginning), tokenizer)  # (1, N)
    longest = min(PROBE_TOKENS + 1, context_length + 1, ids.shape[1])
    for length in range(longest, 1, -1):
        probe = token_ids_to_text(ids[:, :length], tokenizer)
        # A cut inside a character, or inside text that is a single token, gives other IDs.
        if torch.equal(text_to_token_ids(probe, tokenizer), ids[:, :length]):
            return replace(config, probes=tuple(dict.fromkeys((*config.probes, probe))))
    return config
