"""A checkpoint's weights, exported as a ZIP or deleted."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from gpt_core.access import require_owner, require_read_access
from gpt_core.config import GPTConfig
from gpt_core.store import Checkpoint, RunStore, run_locks
from gpt_core.weights import (
    STATE_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    export_gpt2,
    load_weights,
    remove,
    why_not_gpt2,
)


@dataclass(frozen=True)
class WeightsForm:
    """One format of a checkpoint's weights, exported as a ZIP."""

    title: str
    opens_in: str  # what reads it, in one sentence
    write: Callable[[Path], bytes]
    why_not: Callable[[GPTConfig], str] = lambda config: ""  # why it cannot hold such a model


def weights_zip(store: RunStore, checkpoint: Checkpoint, form: str, *, actor: str) -> bytes:
    """Return a checkpoint's weights as a ZIP in a format of :data:`WEIGHT_FORMS`.

    Raises:
        PermissionDenied: the run is another student's, and private.
        ValueError: the checkpoint is damaged or no longer exists, or the format cannot hold it.
    """
    require_read_access(store, checkpoint.run_id, actor, "export the weights of")
    folder = store.runs_dir / checkpoint.folder
    try:
        return WEIGHT_FORMS[form].write(folder)
    except OSError as error:
        raise ValueError(f"The checkpoint {folder.name} no longer exists.") from error


def delete_checkpoint(store: RunStore, checkpoint: Checkpoint, *, actor: str) -> None:
    """Delete a checkpoint permanently.

    Raises:
        PermissionDenied: the run is another student's.
        ValueError: the run is live and may need it, or the disk cannot be written.
    """
    run = require_owner(store, checkpoint.run_id, actor, "delete checkpoints of")
    with run_locks.lock_ended_run(store, run.id, "changed"):
        store.remove_checkpoint(checkpoint.id)  # before its folder: no row lacks one
        remove(store.runs_dir / checkpoint.folder)


def _ours(folder: Path) -> bytes:
    names = (WEIGHTS_FILE, STATE_FILE, TOKENIZER_FILE)
    return _zip(
        folder, [name for name in names if name != TOKENIZER_FILE or (folder / name).exists()]
    )


def _gpt2(folder: Path) -> bytes:
    with tempfile.TemporaryDirectory() as place:
        export_gpt2(load_weights(folder), Path(place))
        return _zip(Path(place), sorted(path.name for path in Path(place).iterdir()))


WEIGHT_FORMS: dict[str, WeightsForm] = {
    "ours": WeightsForm(
        "safetensors and JSON",
        "The chapter's parameter names and the configuration. gpt_core.load_weights reads the "
        "folder.",
        _ours,
    ),
    "gpt2": WeightsForm(
        "Hugging Face GPT-2",
        'A folder for transformers, with the tokenizer: pipeline("text-generation", folder) '
        "writes with it. Missing biases are written as zeros, and the output head beside the "
        "embedding: nothing is lost.",
        _gpt2,
        why_not_gpt2,
    ),
}


def _zip(folder: Path, names: Iterable[str]) -> bytes:
    """Return files as a ZIP, uncompressed: weights hardly compress."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            archive.write(folder / name, name)
    return buffer.getvalue()
