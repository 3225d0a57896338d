"""The process that reads weights from elsewhere: its limits, and what it does."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from gpt_core.model import BYTES_PER_PARAMETER, count_parameters
from gpt_core.system import sandbox
from gpt_core.vocabularies import MAX_VOCABULARY_BYTES
from gpt_core.weights.file_names import SHARD, STATE_FILE, TOKENIZER_FILE, WEIGHTS_FILE
from gpt_core.weights.reading.formats import read_files

CONVERT = f"{__name__}:convert_for_sandbox"
MB = 2**20
# The slowest of honest readings, on a slow disk and a busy machine.
BYTES_PER_SECOND, BYTES_PER_CPU_SECOND = 4 * MB, 16 * MB


def weights_reader(path: Path, folder: Path) -> sandbox.Sandbox:
    """Return a process that reads the weights at a path and writes them into a folder."""
    size = _bytes_at(path)
    unpacked = 2 * size if path.suffix == ".zip" else size  # at most: ZIPs that grow more are bombs
    limits = sandbox.Limits(
        seconds=120 + unpacked / BYTES_PER_SECOND,
        cpu_seconds=60 + unpacked // BYTES_PER_CPU_SECOND,
        # The file is mapped, or read if PyTorch is older than 1.6. Of float16 it becomes twice as
        # large, and a head that is tied to the embedding doubles that at most.
        memory_bytes=1024 * MB + 6 * unpacked,
        file_bytes=4 * unpacked + MAX_VOCABULARY_BYTES,
    )
    return sandbox.Sandbox(limits, folder, imports=__name__)


def convert_for_sandbox(data: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Read a model, and write it into a folder as :func:`~gpt_core.weights.save_weights` does.

    Args:
        data: nothing; the files are read where they lie.
        options: the ``path`` of the weights, ``n_heads`` if the user states them, and the
            ``folder``.

    Returns: the ``notes`` on how it was read, and nothing.

    Raises:
        ValueError: as of :func:`gpt_core.weights.read_model`, or the disk lacks the space.
    """
    path, folder = Path(options["path"]), Path(options["folder"])
    loaded = read_files(path, options["n_heads"])
    needed = BYTES_PER_PARAMETER * count_parameters(loaded.model)
    if (free := shutil.disk_usage(folder).free) < needed:
        raise ValueError(
            f"{path.name} needs {needed / 1e6:,.0f} MB of disk while it is read, and "
            f"{free / 1e6:,.0f} MB are free where temporary files go: free some space, or start "
            "the app with TMPDIR set to a folder on another disk."
        )
    save_file(loaded.model.state_dict(), folder / WEIGHTS_FILE)
    state = json.dumps({"model": asdict(loaded.model.config)})
    (folder / STATE_FILE).write_text(state, encoding="utf-8")
    if loaded.model.vocabulary:
        (folder / TOKENIZER_FILE).write_bytes(loaded.model.vocabulary.encode())
    return {"notes": loaded.notes}, b""


def _bytes_at(path: Path) -> int:
    """Return the size of a file, or of all files in a folder; 0 if they cannot be read."""
    folder = path.parent if SHARD.fullmatch(path.name) else path
    try:
        files = folder.iterdir() if folder.is_dir() else [folder]
        return sum(file.stat().st_size for file in files if file.is_file())
    except OSError:
        return 0  # the reader says why
