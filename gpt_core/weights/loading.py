"""Loading a model of any known format from a folder, a file or a ZIP."""

import shutil
import tempfile
import zipfile
from pathlib import Path

from gpt_core.model import GPTModel
from gpt_core.weights.assembly import short_reason
from gpt_core.weights.book_format import load_book_checkpoint
from gpt_core.weights.file_names import CONFIG_FILE, STATE_FILE, WEIGHTS_FILE
from gpt_core.weights.gpt2_format import load_gpt2
from gpt_core.weights.own_format import load_own_format


def load_model(path: str | Path, n_heads: int | None = None) -> GPTModel:
    """Load a model of any known format in eval mode.

    Args:
        path: a folder of this app (``model.safetensors`` and ``state.json``), of a Hugging Face
            GPT-2 (with ``config.json``), or with a single ``.pth`` of the book's code; a file of
            such a folder; or its ZIP.
        n_heads: attention heads, if the files do not state them: those of the book's code, and a
            ``model.safetensors`` alone. None is one per 64 dimensions, as in every GPT-2.

    Raises:
        ValueError: there is no model, it is damaged, or of another kind.
    """
    path = Path(path)
    if path.suffix == ".zip" and not path.is_dir():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / path.name  # error messages name the ZIP
            folder.mkdir()
            _unpack(path, folder)
            return load_model(folder, n_heads)
    is_folder = path.is_dir()
    folder, weights = (path, path / WEIGHTS_FILE) if is_folder else (path.parent, path)
    if weights.suffix == ".safetensors" and weights.is_file():
        is_ours = weights.name == WEIGHTS_FILE and (folder / STATE_FILE).is_file()
        return load_own_format(folder) if is_ours else load_gpt2(weights, n_heads)
    try:
        files = sorted(path.iterdir()) if is_folder else [path]
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    pickles = [file for file in files if _is_pickle(file.name)]
    if len(pickles) == 1:
        return load_book_checkpoint(pickles[0], n_heads)
    if any(file.name.endswith(".ckpt.index") for file in files):
        raise ValueError(
            f"{path.name} holds OpenAI's TensorFlow files, which need TensorFlow to be read: use "
            f"the same weights as {WEIGHTS_FILE} from Hugging Face, openai-community/gpt2."
        )
    raise ValueError(
        f"No model in {path.name}: it takes {WEIGHTS_FILE} with {CONFIG_FILE} (a GPT-2) or with "
        f"{STATE_FILE} (from this app), or one .pth of the book's code."
    )


def _unpack(file: Path, folder: Path) -> None:
    """Unpack only the files of a model from a ZIP, by their bare names."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = {
                name: member
                for member in archive.infolist()
                if (name := Path(member.filename).name) in (WEIGHTS_FILE, CONFIG_FILE, STATE_FILE)
                or _is_pickle(name)
            }
            # Weights hardly compress: a file that grows this much is a ZIP bomb.
            if sum(member.file_size for member in members.values()) > 2 * file.stat().st_size:
                raise ValueError("it unpacks to far more than a model's weights do")
            for name, member in members.items():
                with archive.open(member) as packed, (folder / name).open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
    except Exception as error:  # a foreign file can raise anything
        raise ValueError(f"{file.name} cannot be unpacked: {short_reason(error)}.") from error


def _is_pickle(name: str) -> bool:
    """Tell whether torch.save writes files of this name; "._x.pth" is macOS metadata."""
    return name.endswith((".pth", ".pt")) and not name.startswith("._")
