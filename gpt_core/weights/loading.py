"""Loading a model of any known format from a folder, a file, a ZIP or the hub."""

import tempfile
from pathlib import Path

from gpt_core.model import GPTModel
from gpt_core.system import Watch, describe_error, sandbox
from gpt_core.weights.assembly import LoadedModel
from gpt_core.weights.file_names import STATE_FILE, TOKENIZER_FILE, WEIGHTS_FILE
from gpt_core.weights.hub import download_gpt2, repository
from gpt_core.weights.own_format import load_own_format
from gpt_core.weights.reading import CONVERT, weights_reader


def load_model(path: str | Path, n_heads: int | None = None) -> GPTModel:
    """Load a model of any known format in eval mode: :func:`read_model` without its notes."""
    return read_model(path, n_heads).model


def load_gpt2(source: str | Path, n_heads: int | None = None) -> GPTModel:
    """Load GPT-2 weights from a path, or from the Hugging Face hub, in eval mode.

    Args:
        source: as of :func:`read_model`. If there is no such path, it is a name on the hub
            ("gpt2", "124M", "owner/name"), whose files are downloaded unless they are cached.
        n_heads: attention heads, if no file states them.

    Raises:
        ValueError: as :func:`read_model`, or it cannot be downloaded.
    """
    if isinstance(source, str) and not Path(source).exists() and repository(source):
        source = download_gpt2(source)
    return load_model(source, n_heads)


def load_book_checkpoint(path: str | Path, n_heads: int | None = None) -> GPTModel:
    """Load a ``model.pth`` or ``model_and_optimizer.pth`` of the book's code, in eval mode.

    Arguments and errors are those of :func:`read_model`.
    """
    return load_model(path, n_heads)


def read_model(
    path: str | Path, n_heads: int | None = None, *, watch: Watch | None = None
) -> LoadedModel:
    """Load a model of any known format in eval mode, and say what was assumed or left out.

    The files are read by a process of its own with limits, which writes the model into a private
    folder in this app's format. Only that is read here.

    Args:
        path: a file of weights, or the folder or the ZIP with it: this app's
            (``model.safetensors`` and ``state.json``), a Hugging Face GPT-2's
            (``model.safetensors`` or ``pytorch_model.bin``, or several and their index, with
            ``config.json``), nanoGPT's ``ckpt.pt``, or a ``.pth`` of the book's code.
        n_heads: attention heads, if no file states them. None is what a file beside the weights
            states, else one per 64 dimensions, as in every GPT-2.
        watch: is told how long it takes; what it raises ends the reading.

    Raises:
        ValueError: there is no model, it is damaged, of another kind, or would run code, or its
            number of heads must be given; or it made its reader fail.
    """
    path = Path(path)
    try:
        return _read_in_sandbox(path, n_heads, watch)
    except sandbox.SandboxError as error:
        raise ValueError(f"{path.name} {error}.") from error
    except OSError as error:  # no place for temporary files
        raise ValueError(f"{path.name} was not read. {describe_error(error)}") from error


def _read_in_sandbox(path: Path, n_heads: int | None, watch: Watch | None) -> LoadedModel:
    """Let a process write the model into a private folder, and read that.

    Raises:
        SandboxError: the process failed.
        ValueError: raised by the process, of what is wrong with the files.
        OSError: there is no place for temporary files.
    """
    # Of this user alone (0700). A file that is still mapped cannot be deleted on Windows.
    with tempfile.TemporaryDirectory(prefix="gpt-lab-", ignore_cleanup_errors=True) as private:
        folder = Path(private)
        options = {"path": str(path.absolute()), "n_heads": n_heads, "folder": private}
        with weights_reader(path, folder) as reader:
            answer, _ = reader.call(CONVERT, b"", options, watch)
        written = {name: folder / name for name in (WEIGHTS_FILE, STATE_FILE, TOKENIZER_FILE)}
        for name, file in written.items():
            if file.is_symlink() or not (file.is_file() or name == TOKENIZER_FILE):
                raise sandbox.SandboxError("could not be read: its reader wrote no model")
        return LoadedModel(load_own_format(folder), tuple(map(str, answer["notes"])))
