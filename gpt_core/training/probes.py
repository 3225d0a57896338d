"""Fixed rows of text whose target probabilities are recorded at each evaluation."""

from dataclasses import replace

import torch

from gpt_core.config import TrainingConfig
from gpt_core.model import GPTModel, loss_walkthrough
from gpt_core.records import ProbeRecord
from gpt_core.text import Text, split_index
from gpt_core.training.state import TrainingState
from gpt_core.vocabularies import Tokenizer, encode_corpus, text_to_token_ids, token_ids_to_text

PROBE_TOKENS = 8  # that a probe from the training text predicts
SEARCHED = 20_000  # characters of the training text in which a window is chosen


def probe_model(
    model: GPTModel, tokenizer: Tokenizer, config: TrainingConfig, state: TrainingState
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
    config: TrainingConfig, text: Text, tokenizer: Tokenizer, context_length: int
) -> TrainingConfig:
    """Return the configuration with one more probe: the beginning of a training window.

    A window's first tokens stand at the same positions in the probe as in training. The same words
    from elsewhere in the text would stand at positions at which the model has never seen them,
    and be predicted far worse. Beside rows that are not in the text, this probe shows what the
    model learns from it. If the text has no window, the configuration is unchanged.
    """
    beginnings = window_beginnings(config, text, tokenizer, context_length)
    if not beginnings:
        return config
    # A window may begin inside a word or a line: the first that does not reads best.
    readable = (row for row in beginnings if row.startswith(" ") and "\n" not in row)
    row = next(readable, beginnings[0])
    return replace(config, probes=tuple(dict.fromkeys((*config.probes, row))))


def window_beginnings(
    config: TrainingConfig, text: Text, tokenizer: Tokenizer, context_length: int
) -> list[str]:
    """Return how the first training windows begin: up to ``PROBE_TOKENS + 1`` tokens of each."""
    end = min(SEARCHED, split_index(text, config.train_ratio))
    ids = encode_corpus(text[:end], tokenizer, config.end_of_text)  # (N,)
    rows = []
    for start in range(0, len(ids) - context_length, config.stride or context_length):
        for length in range(min(PROBE_TOKENS, context_length) + 1, 1, -1):
            row_ids = ids[start : start + length].long().unsqueeze(0)  # (1, length)
            row = token_ids_to_text(row_ids, tokenizer)
            # A cut inside a character, or inside text that is a single token, gives other IDs.
            if torch.equal(text_to_token_ids(row, tokenizer), row_ids):
                rows.append(row)
                break
    return rows
