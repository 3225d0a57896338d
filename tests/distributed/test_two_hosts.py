"""One run on two hosts: network namespaces, joined by a cable (a veth pair), each with a disk."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gpt_core.store import RunState, RunStore
from tests.support.paths import ROOT
from tests.support.runs import losses, wait_for_steps

HOSTS = ("gpt-lab-a", "gpt-lab-b")
ADDRESSES = ("10.213.77.1", "10.213.77.2")
NO_PLACE = not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None
TRAIN = (
    *("train", "--preset", "pocket", "--text", "counting", "--run-id", "pair"),
    *("--emb-dim", "32", "--n-layers", "2", "--n-heads", "2", "--context-length", "32"),
    *("--drop-rate", "0", "--vocabulary", "characters", "--precision", "float32"),
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.whole_run,
    pytest.mark.skipif(NO_PLACE, reason="network namespaces need root and iproute2"),
]


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@pytest.fixture
def cable() -> Iterator[None]:
    """Two namespaces whose interfaces, both named cable, are the ends of one cable."""
    for host in HOSTS:
        subprocess.run(["ip", "netns", "delete", host], capture_output=True)  # of a killed test
    try:
        for host in HOSTS:
            ip("netns", "add", host)
        ends = [f"name cable netns {host}".split() for host in HOSTS]
        ip("link", "add", *ends[0], "type", "veth", "peer", *ends[1])
        for host, address in zip(HOSTS, ADDRESSES, strict=True):
            ip("-n", host, "address", "add", f"{address}/24", "dev", "cable")
            for interface in ("cable", "lo"):
                ip("-n", host, "link", "set", interface, "up")
        yield
    finally:
        for host in HOSTS:
            subprocess.run(["ip", "netns", "delete", host], capture_output=True)


def start(number: int, runs_dir: Path, arguments: Sequence[str]) -> "subprocess.Popen[str]":
    """Start torchrun on a host, which has its own name and its own runs directory."""
    host, address = HOSTS[number], ADDRESSES[number]
    torchrun = (
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"),
        *("--rdzv-backend=c10d", f"--rdzv-endpoint={ADDRESSES[0]}:29511"),
        # Both have the machine's host name, by which torchrun would know who is the first.
        *(f"--rdzv-conf=is_host={int(number == 0)}", f"--local-addr={address}"),
        *("-m", "gpt_core", *arguments, "--runs-dir", str(runs_dir)),
    )
    named = ("unshare", "--uts", "sh", "-c", f'hostname {host}; exec "$@"', "sh", *torchrun)
    return subprocess.Popen(
        ["ip", "netns", "exec", host, *named],
        cwd=ROOT,
        env={**os.environ, "GLOO_SOCKET_IFNAME": "cable", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def hosts(cable: None, tmp_path: Path) -> Iterator[Any]:
    """A function that starts the same command on both hosts, and ends what is left of it."""
    started: list[subprocess.Popen[str]] = []

    def start_both(*arguments: str) -> list["subprocess.Popen[str]"]:
        pair = [start(i, tmp_path / host, arguments) for i, host in enumerate(HOSTS)]
        started.extend(pair)
        return pair

    yield start_both
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_two_hosts_with_a_disk_each_give_the_losses_of_one_process(
    hosts: Any, tmp_path: Path
) -> None:
    pair = hosts(*TRAIN, "--epochs", "4")
    alone = [sys.executable, "-m", "gpt_core", *TRAIN, "--epochs", "4"]
    alone += ["--accumulation-steps", "2", "--runs-dir", str(tmp_path / "alone")]
    subprocess.run(alone, cwd=ROOT, check=True, capture_output=True, timeout=240)
    for process in pair:
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
    with closing(RunStore(tmp_path / HOSTS[0])) as store:
        run, together = store.run("pair"), losses(store, "pair")
    with closing(RunStore(tmp_path / "alone")) as store:
        expected = losses(store, "pair")
    assert run is not None
    assert run.state is RunState.FINISHED
    assert run.versions["hosts"] == ", ".join(HOSTS)
    assert len(together) >= 20
    assert together == pytest.approx(expected, abs=1e-4)
    assert together[-1] < together[0] / 2  # it has learnt


def test_a_cut_cable_ends_the_run_in_words_and_it_is_resumed_when_it_is_whole(
    hosts: Any, tmp_path: Path
) -> None:
    pair = hosts(*TRAIN, "--epochs", "100000", "--rank-timeout", "15")
    with closing(RunStore(tmp_path / HOSTS[0])) as store:
        wait_for_steps(store, "pair", 10)
        ip("-n", HOSTS[0], "link", "set", "cable", "down")
        output, _ = pair[0].communicate(timeout=240)
        assert "Another of the 2 processes of the run" in output
        assert "resume the run from its last checkpoint" in output
        before = len(losses(store, "pair"))
        ip("-n", HOSTS[0], "link", "set", "cable", "up")
        # Without it torchrun itself waits for minutes on the host where it is not the first.
        pair[1].communicate(timeout=240)
        assert all(process.returncode != 0 for process in pair)
        hosts("resume", "pair", "--rank-timeout", "60")
        wait_for_steps(store, "pair", before + 10)
        steps = [row.global_step for row in store.steps("pair")]
    assert steps == list(range(len(steps)))  # none is lost, none is there twice
