"""The memory that a text takes which stays in its file, measured in processes of their own."""

import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpt_core.text import load_text
from tests.support.paths import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PROGRAM = """
import re, sys
from dataclasses import replace
from pathlib import Path
from gpt_core import PRESETS, get_tokenizer
from gpt_core.analysis import find_copying, measure_baselines
from gpt_core.text import TokenCache, open_text
from gpt_core.training import prepare_data, token_bytes
from gpt_core.vocabularies import tokenizer as tokenizer_module

def memory(name):  # megabytes; VmRSS is what the process holds now, VmHWM the most it ever held
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\\s+(\\d+)", status)[1]) / 1e3

tokenizer_module.MAX_THREADS = 2
tokenizer, pocket = get_tokenizer(), PRESETS["pocket"]
per_token = token_bytes(tokenizer)
path, folder = map(Path, sys.argv[1:])
config = replace(pocket.training, stride=4_000)
Path("/proc/self/clear_refs").write_text("5")  # the most it ever held is counted from here on
before = memory("VmRSS")
text = open_text(path)
data = prepare_data(text.text, tokenizer, pocket.model, config, TokenCache(folder))
print(memory("VmHWM") - before)
batches = sum(1 for _ in data.train_loader)
assert batches == data.train_tokens // 8_000
print(memory("VmHWM") - before)
measure_baselines(data.train_ids, data.val_ids, 50257, per_token, "")
find_copying(text[-4_000:], "", data.train_ids, tokenizer)
print(memory("VmHWM") - before)
"""


def write_text(path: Path, size: int) -> None:
    """Write as many megabytes of the words of a story, a line at a time."""
    words, chance = load_text("the-lamp-room").text.split(" "), random.Random(1)
    with path.open("w") as file:
        while file.tell() < size * 10**6:
            file.write(" ".join(chance.choices(words, k=20_000)) + "\n")


def peaks(text: Path) -> list[float]:
    """Return the peak of the memory in MB: encoded, and with all batches, and with all measures."""
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, text, text.with_name("tokens")],
        cwd=ROOT,
        env={**os.environ, "GPT_LAB_MAX_UPLOAD_MB": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(line) for line in result.stdout.split()]


@pytest.mark.slow
def test_a_text_of_60_mb_is_never_in_memory(tmp_path: Path) -> None:
    write_text(tmp_path / "large.txt", 60)
    encoded, batches, measured = peaks(tmp_path / "large.txt")
    tokens = sum(path.stat().st_size for path in (tmp_path / "tokens").glob("*.npy")) / 1e6
    assert encoded < 40  # two copies of the tokenizer, a few pieces of the text
    assert batches < encoded + tokens + 20  # the mapped file, which the system may drop
    assert measured < tokens + 150  # the pairs of four million tokens are counted


@pytest.mark.whole_run
def test_a_text_of_1_gb_trains_with_less_than_1_gb_of_memory(tmp_path: Path) -> None:
    """The whole command, its model of 13 million parameters and its optimizer included."""
    write_text(tmp_path / "large.txt", 1_000)
    settings = ("--preset", "pocket", "--epochs", "1", "--stride", "2000000")
    command = [sys.executable, "-m", "gpt_core", "train", "--text", str(tmp_path / "large.txt")]
    most: dict[str, int] = {}  # kilobytes
    with subprocess.Popen(
        [*command, *settings, "--runs-dir", str(tmp_path / "runs")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            for name, size in re.findall(r"(VmHWM|RssAnon):\s+(\d+)", status):
                most[name] = max(most.get(name, 0), int(size))
            time.sleep(0.05)
        assert process.stdout is not None
        assert "Finished after" in process.stdout.read()
    print(most)  # with -s
    assert most["RssAnon"] < 800_000  # what the process itself holds: 600,000, of 2 MB of text too
    assert most["VmHWM"] < 1_400_000  # and the libraries and tokens, which the system may drop
