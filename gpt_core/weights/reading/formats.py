"""Reading weights of any known format, in the process that calls."""

import pickle
import shutil
import tempfile
import zipfile
from pathlib import Path

from gpt_core.weights import book_format, gpt2_format
from gpt_core.weights.assembly import LoadedModel, short_reason
from gpt_core.weights.file_names import (
    BIN_FILE,
    CONFIG_FILE,
    INDEX_SUFFIX,
    SHARD,
    STATE_FILE,
    WEIGHTS_FILE,
    WEIGHTS_SUFFIXES,
)
from gpt_core.weights.own_format import load_own_format
from gpt_core.weights.tensor_files import open_tensors, refuse_placeholder

MAX_MEMBERS = 1000  # files of a model in a ZIP
# A folder's weights: the first that is there, else its only file of weights.
FOLDER_FILES = (WEIGHTS_FILE, WEIGHTS_FILE + INDEX_SUFFIX, BIN_FILE, BIN_FILE + INDEX_SUFFIX)


def read_files(path: Path, n_heads: int | None) -> LoadedModel:
    """Load a model of any known format in eval mode, and say what was assumed or left out.

    Arguments and errors are those of :func:`gpt_core.weights.read_model`, which calls it in a
    process of its own.
    """
    if path.suffix == ".zip" and not path.is_dir():
        # A file that is still mapped cannot be deleted on Windows.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
            folder = Path(place) / path.name  # error messages name the ZIP
            folder.mkdir()
            _unpack(path, folder)
            return read_files(folder, n_heads)
    file = _find_weights(path)
    if file.name == WEIGHTS_FILE and file.with_name(STATE_FILE).is_file():
        return LoadedModel(load_own_format(file.parent))
    try:
        with open_tensors(file) as tensors:
            if tensors.parts.keys() >= book_format.NEEDED:
                return book_format.read_book(tensors, n_heads)
            if tensors.parts.keys() >= gpt2_format.NEEDED:
                return gpt2_format.read_gpt2(tensors, n_heads)
            raise ValueError("it holds neither a GPT-2 nor a GPTModel of the book")
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{file.name} was not opened: it holds more than weights, and could run code. Save "
            "only model.state_dict() in it."
        ) from error
    except Exception as error:  # a foreign file can raise anything
        raise ValueError(f"{file.name} cannot be loaded: {short_reason(error)}.") from error


def _find_weights(path: Path) -> Path:
    """Return the file of weights at a path, or the index of several.

    Raises:
        ValueError: there is none, or more than one.
    """
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        files = [file for file in files if file.is_file()]
        if not files and not path.exists():
            path.stat()
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    by_name = {file.name: file for file in files if _is_of_a_model(file.name)}
    for name in FOLDER_FILES:
        if name in by_name:
            return by_name[name]
    weights = [file for name, file in by_name.items() if not name.endswith(".json")]
    if len(weights) == 1:
        return weights[0]
    if indexes := [file for name, file in by_name.items() if name.endswith(INDEX_SUFFIX)]:
        return indexes[0]
    if any(file.name.endswith(".ckpt.index") for file in files):
        raise ValueError(
            f"{path.name} holds OpenAI's TensorFlow files, which need TensorFlow to be read: use "
            f"the same weights as {WEIGHTS_FILE} from Hugging Face, openai-community/gpt2."
        )
    if weights and not all(SHARD.fullmatch(file.name) for file in weights):
        names = ", ".join(file.name for file in weights[:3])
        raise ValueError(f"{path.name} holds several files of weights, {names}: choose one.")
    if weights:
        return weights[0]
    raise ValueError(
        f"No model in {path.name}: it takes {WEIGHTS_FILE} or {BIN_FILE} with {CONFIG_FILE} (a "
        f"GPT-2), {WEIGHTS_FILE} with {STATE_FILE} (from this app), a .pth of the book's code, or "
        "nanoGPT's ckpt.pt."
    )


def _unpack(file: Path, folder: Path) -> None:
    """Unpack only the files of a model from a ZIP, by their bare names.

    Raises:
        ValueError: it is damaged, unpacks to far too much, or holds two files of one name.
    """
    try:
        refuse_placeholder(file)
        with zipfile.ZipFile(file) as archive:
            members = [m for m in archive.infolist() if _is_of_a_model(Path(m.filename).name)]
            names = [Path(member.filename).name for member in members]
            if len(members) > MAX_MEMBERS or len(set(names)) < len(names):
                raise ValueError("it holds the files of more than one model")
            # Weights hardly compress: a file that grows this much is a ZIP bomb.
            if sum(member.file_size for member in members) > 2 * file.stat().st_size:
                raise ValueError("it unpacks to far more than a model's weights do")
            for name, member in zip(names, members, strict=True):
                with archive.open(member) as packed, (folder / name).open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
    except Exception as error:  # a foreign file can raise anything
        raise ValueError(f"{file.name} cannot be unpacked: {short_reason(error)}.") from error


def _is_of_a_model(name: str) -> bool:
    """Tell whether a model may have a file of this name; "._x.pth" is macOS metadata."""
    return not name.startswith(".") and name.endswith((*WEIGHTS_SUFFIXES, ".json"))
