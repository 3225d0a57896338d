"""What is said of the processes that train a run, and what a single one leaves as it is."""

from pathlib import Path

import pytest
import torch
from torch.optim import AdamW

from gpt_core.cli import main
from gpt_core.config import TrainingConfig
from gpt_core.distributed import (
    SINGLE,
    Group,
    begin_turn,
    describe_resumption,
    describe_shares,
    end_turn,
    join_group,
    sum_over_ranks,
)
from gpt_core.model import build_model
from gpt_core.training import create_optimizer
from tests.conftest import TINY

THREE = Group(rank=1, world_size=3, hosts=("a", "a", "b"))


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert join_group() is SINGLE
    assert not torch.distributed.is_initialized()


def test_a_single_process_exchanges_nothing() -> None:
    begin_turn(SINGLE)
    end_turn(SINGLE)
    assert not SINGLE.in_turn.is_set()
    assert sum_over_ranks((1.5, 2), SINGLE) == [1.5, 2]
    assert SINGLE.facts("cpu") == {}


def test_a_runs_record_names_processes_devices_and_hosts() -> None:
    facts = {"processes": "3", "devices": "3 × cuda", "hosts": "a, b"}
    assert THREE.facts("cuda") == facts


def test_a_run_resumed_by_other_processes_says_what_is_not_exact() -> None:
    assert describe_resumption({"processes": "3"}, THREE, 6, has_dropout=True) == ""
    assert describe_resumption({}, SINGLE, 1, has_dropout=True) == ""
    said = describe_resumption({}, THREE, 6, has_dropout=True)
    assert "Resumed with 3 processes instead of 1: an update averages the same 6 batches" in said
    assert said.endswith("Dropout draws other numbers.")
    said = describe_resumption({"processes": "2"}, THREE, 4, has_dropout=False)
    assert "Dropout" not in said
    assert said.endswith(describe_shares(THREE, 4))


def test_batches_that_cannot_be_shared_evenly_are_said() -> None:
    assert describe_shares(THREE, 6) == ""
    assert "Choose accumulation_steps divisible by 3" in describe_shares(THREE, 4)


def test_moments_of_muon_are_not_shared() -> None:
    with pytest.raises(ValueError, match=r"shard_optimizer divides AdamW's moments, not Muon's"):
        TrainingConfig(shard_optimizer=True, optimizer="muon")


def test_one_process_has_no_use_for_shards_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    optimizer = create_optimizer(build_model(TINY, 1), TrainingConfig(shard_optimizer=True))
    assert isinstance(optimizer, AdamW)
    small = ("--vocabulary", "characters", "--emb-dim", "16", "--n-heads", "2", "--n-layers", "1")
    command = ["train", "--text", "counting", "--epochs", "1", "--runs-dir", str(tmp_path), *small]
    assert main([*command, "--shard-optimizer"]) == 0
    assert "shard_optimizer has no effect: there is one process" in capsys.readouterr().out


def test_a_timeout_of_nothing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["resume", "mine", "--runs-dir", str(tmp_path), "--rank-timeout", "0"]) == 2
    assert "rank_timeout=0" in capsys.readouterr().err
