"""Weights from elsewhere: GPT-2 in Hugging Face's layout, in and out; the book's files; our own."""

import json
import pickle
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from gpt_core.checkpoints import STATE_FILE
from gpt_core.config import GPTConfig
from gpt_core.hub import CONFIG_FILE, WEIGHTS_FILE, download_gpt2, repository
from gpt_core.model import GPTModel, outline

LONGEST_REASON = 200  # characters: what is longer is for those who wrote a library
HEAD_DIM = 64  # of every GPT-2: where a file does not say how many heads there are
VOCAB_SIZE = 50257  # GPT-2's tokenizer, which is ours

# Parts of a block: the chapter's names, and those of GPT-2's own code, which Hugging Face kept.
BLOCK_PARTS = {
    "att.out_proj": "attn.c_proj",
    "ff.layers.0": "mlp.c_fc",
    "ff.layers.2": "mlp.c_proj",
    "norm1": "ln_1",
    "norm2": "ln_2",
}
OUTER_PARTS = {"tok_emb": "wte", "pos_emb": "wpe", "final_norm": "ln_f", "out_head": "lm_head"}
NORM_FIELDS = {"scale": "weight", "shift": "bias"}


def load_model(path: str | Path, n_heads: int | None = None) -> GPTModel:
    """Load a model in eval mode from what holds one, whoever wrote it.

    Args:
        path: a folder of ours (``model.safetensors`` and ``state.json``), one of a Hugging Face
            GPT-2 (with ``config.json``), one with a single ``.pth`` of the book's code, or one of
            these files, or a ZIP of such a folder.
        n_heads: attention heads, where the files do not say it: those of the book's code, and a
            ``model.safetensors`` alone. None is one for each 64 dimensions, as in every GPT-2.

    Raises:
        ValueError: there is no such thing, it is damaged, or of another model.
    """
    path = Path(path)
    if path.suffix == ".zip" and not path.is_dir():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / path.name  # what goes wrong is said of the ZIP
            folder.mkdir()
            _unpack(path, folder)
            return load_model(folder, n_heads)
    is_folder = path.is_dir()
    folder, weights = (path, path / WEIGHTS_FILE) if is_folder else (path.parent, path)
    if weights.suffix == ".safetensors" and weights.is_file():
        is_ours = weights.name == WEIGHTS_FILE and (folder / STATE_FILE).is_file()
        return _load_ours(folder) if is_ours else load_gpt2(weights, n_heads)
    try:
        files = sorted(path.iterdir()) if is_folder else [path]
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    pickles = [file for file in files if _is_pickle(file.name)]
    if len(pickles) == 1:
        return load_book_checkpoint(pickles[0], n_heads)
    if any(file.name.endswith(".ckpt.index") for file in files):
        raise ValueError(
            f"{path.name} holds OpenAI's TensorFlow files, which need TensorFlow to be read: take "
            f"the same weights as {WEIGHTS_FILE} from Hugging Face, openai-community/gpt2."
        )
    raise ValueError(
        f"No model in {path.name}: it takes {WEIGHTS_FILE} with {CONFIG_FILE} (a GPT-2) or with "
        f"{STATE_FILE} (ours), or one .pth of the book's code."
    )


def load_gpt2(source: str | Path, n_heads: int | None = None) -> GPTModel:
    """Load GPT-2 weights in Hugging Face's layout, in eval mode, drawing nothing at random.

    A model without a head of its own has the token embedding for one, as a copy: the chapter's
    model does not tie them.

    Args:
        source: a folder with ``model.safetensors`` and ``config.json``, or such a file alone. What
            is no path is a name on the Hugging Face hub ("gpt2", "124M", "owner/name"), whose
            files are downloaded unless they have been.
        n_heads: attention heads, if there is no ``config.json`` to say it; None is one for each 64
            dimensions.

    Raises:
        ValueError: it is not there, not GPT-2, damaged, of another vocabulary, or cannot be
            downloaded.

    Source: the chapter, "Loading pretrained weights from OpenAI".
    """
    file = Path(source)
    if not file.exists() and isinstance(source, str) and repository(source):
        file = download_gpt2(source)
    if file.is_dir():
        file = file / WEIGHTS_FILE
    if not file.is_file():
        raise ValueError(f"{file} is not there: put {WEIGHTS_FILE} of a GPT-2 in that place.")
    try:
        with safe_open(file, "pt") as weights:
            # The whole model's file has a prefix that the bare transformer's has not.
            names = {name.removeprefix("transformer."): name for name in weights.keys()}  # noqa: SIM118 (it is no dict)

            def shape(name: str) -> tuple[int, ...]:
                return tuple(weights.get_slice(names[name]).get_shape())

            config = _read_config(file.with_name(CONFIG_FILE), names, shape, n_heads)

            def read(name: str, expected: tuple[int, ...]) -> Tensor:
                their_name, third = _their_name(name)
                if their_name == "lm_head.weight" and their_name not in names:
                    their_name = "wte.weight"  # tied
                if their_name not in names:
                    raise ValueError(f"{their_name} is missing")
                part = weights.get_slice(names[their_name])
                if third is not None:  # query, key and value stand side by side
                    begin, end = third * config.emb_dim, (third + 1) * config.emb_dim
                    tensor = part[..., begin:end]
                else:
                    tensor = part[...]
                if name.endswith(".weight") and _is_linear(name):
                    tensor = tensor.T  # GPT-2 multiplies from the other side
                if tuple(tensor.shape) != expected:
                    raise ValueError(f"{their_name} is of shape {tuple(tensor.shape)}")
                return tensor.to(torch.float32).clone(memory_format=torch.contiguous_format)

            return _fill(config, read)
    except Exception as error:  # whatever a file that nobody here wrote may bring about
        raise ValueError(f"{file.name} cannot be loaded as GPT-2: {_words(error)}.") from error


def export_gpt2(model: GPTModel, folder: Path) -> None:
    """Write a model as a Hugging Face GPT-2 folder, which ``GPT2LMHeadModel`` loads.

    What that model has and ours has not is bridged exactly: without ``qkv_bias``, biases of zero;
    an output head of its own is written as one, and ``tie_word_embeddings`` says so.

    Raises:
        OSError: the folder cannot be written to.
    """
    config, ours = model.config, model.state_dict()
    weights: dict[str, Tensor] = {}
    for name, tensor in ours.items():
        their_name, third = _their_name(name)
        if third is None:
            is_turned = name.endswith(".weight") and _is_linear(name)
            weights[f"transformer.{their_name}"] = (tensor.T if is_turned else tensor).contiguous()
    for i in range(config.n_layers):
        att = f"trf_blocks.{i}.att"
        parts = [f"{att}.W_{part}" for part in ("query", "key", "value")]
        zeros = torch.zeros(config.emb_dim)
        their_name = f"transformer.h.{i}.attn.c_attn"
        weights[f"{their_name}.weight"] = torch.cat([ours[f"{p}.weight"].T for p in parts], dim=1)
        weights[f"{their_name}.bias"] = torch.cat([ours.get(f"{p}.bias", zeros) for p in parts])
    head = weights.pop("transformer.lm_head.weight")
    is_tied = torch.equal(head, ours["tok_emb.weight"])
    if not is_tied:
        weights["lm_head.weight"] = head
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / WEIGHTS_FILE, {"format": "pt"})
    facts = {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "vocab_size": config.vocab_size,
        "n_positions": config.context_length,
        "n_ctx": config.context_length,
        "n_embd": config.emb_dim,
        "n_head": config.n_heads,
        "n_layer": config.n_layers,
        **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), config.drop_rate),
        "bos_token_id": VOCAB_SIZE - 1,
        "eos_token_id": VOCAB_SIZE - 1,
        "tie_word_embeddings": is_tied,
        "torch_dtype": "float32",
    }
    (folder / CONFIG_FILE).write_text(json.dumps(facts, indent=2), encoding="utf-8")


def load_book_checkpoint(path: Path, n_heads: int | None = None) -> GPTModel:
    """Load a ``model.pth`` or ``model_and_optimizer.pth`` that the book's own code saved.

    Nothing but tensors is read from it: a file that wants to run code is refused.

    Args:
        path: the file.
        n_heads: attention heads, which no file says; None is one for each 64 dimensions, as in
            every GPT-2, or 1 where that does not come out even.

    Raises:
        ValueError: it is not there, no such file, damaged, or wants to run code.

    Source: the chapter, "Loading and saving model weights in PyTorch".
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        state = saved.get("model_state_dict", saved) if isinstance(saved, Mapping) else {}
        # The book's causal masks are buffers; ours has none.
        tensors = {name: value for name, value in state.items() if not name.endswith(".att.mask")}
        if not tensors or not all(isinstance(value, Tensor) for value in tensors.values()):
            raise ValueError("it holds no model's weights")
        config = _book_config(tensors, n_heads)

        def read(name: str, expected: tuple[int, ...]) -> Tensor:
            if name not in tensors:
                raise ValueError(f"{name} is missing")
            tensor = tensors[name]
            if tuple(tensor.shape) != expected:
                raise ValueError(f"{name} is of shape {tuple(tensor.shape)}")
            if tensor.untyped_storage().nbytes() < tensor.nbytes:  # a few numbers, repeated
                raise ValueError(f"{name} is not in it as a whole")
            return tensor.to(torch.float32)

        return _fill(config, read)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path.name} was not opened: it holds more than weights, and could run code. Save "
            "only model.state_dict() in it."
        ) from error
    except Exception as error:  # whatever a file that nobody here wrote may bring about
        raise ValueError(f"{path.name} cannot be loaded: {_words(error)}.") from error


def _load_ours(folder: Path) -> GPTModel:
    """Load what :func:`gpt_core.checkpoints.save_weights` wrote, trusting nothing in it."""
    try:
        config = GPTConfig(**json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))["model"])
        with safe_open(folder / WEIGHTS_FILE, "pt") as weights:
            names = set(weights.keys())
            if config.vocab_size != VOCAB_SIZE:
                raise ValueError(_other_vocabulary(config.vocab_size))
            if config.n_layers != _layers(names, r"trf_blocks\.(\d+)\."):
                raise ValueError(f"n_layers={config.n_layers} is not what {WEIGHTS_FILE} holds")

            def read(name: str, expected: tuple[int, ...]) -> Tensor:
                if name not in names:
                    raise ValueError(f"{name} is missing")
                shape = tuple(weights.get_slice(name).get_shape())
                if shape != expected:
                    raise ValueError(f"{name} is of shape {shape}, and should be of {expected}")
                return weights.get_tensor(name).to(torch.float32)

            return _fill(config, read)
    except Exception as error:  # whatever a file that nobody here wrote may bring about
        raise ValueError(f"{WEIGHTS_FILE} cannot be loaded: {_words(error)}.") from error


def _unpack(file: Path, folder: Path) -> None:
    """Unpack the files of a model from a ZIP, and nothing else, by their bare names."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = {
                name: member
                for member in archive.infolist()
                if (name := Path(member.filename).name) in (WEIGHTS_FILE, CONFIG_FILE, STATE_FILE)
                or _is_pickle(name)
            }
            # Weights can hardly be compressed: what grows was made to fill the disk.
            if sum(member.file_size for member in members.values()) > 2 * file.stat().st_size:
                raise ValueError("it unpacks to far more than a model's weights do")
            for name, member in members.items():
                with archive.open(member) as packed, (folder / name).open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
    except Exception as error:  # whatever a file that nobody here wrote may bring about
        raise ValueError(f"{file.name} cannot be unpacked: {_words(error)}.") from error


def _is_pickle(name: str) -> bool:
    """Tell whether a file of this name is one that torch.save wrote; "._x.pth" is macOS's own."""
    return name.endswith((".pth", ".pt")) and not name.startswith("._")


def _layers(names: Iterable[str], block: str) -> int:
    """Return how many blocks parameters of these names have."""
    numbers = {int(found[1]) for name in names if (found := re.match(block, name))}
    if numbers != set(range(len(numbers))):  # before a model of that depth is built
        raise ValueError("its blocks are not numbered from 0 on")
    return len(numbers)


def _other_vocabulary(vocab_size: int) -> str:
    return f"its vocabulary has {vocab_size:,} tokens, GPT-2's tokenizer {VOCAB_SIZE:,}"


def _fill(config: GPTConfig, read: Callable[[str, tuple[int, ...]], Tensor]) -> GPTModel:
    """Build a model of what ``read`` returns for each parameter's name and shape."""
    model = outline(config)
    state = {}
    for name, parameter in model.named_parameters():
        state[name] = read(name, tuple(parameter.shape))
        extremes = torch.stack(state[name].aminmax())  # takes no memory; NaN goes through it
        if not extremes.isfinite().all():
            raise ValueError(f"{name} holds numbers that are none (NaN or infinite)")
    model.load_state_dict(state, assign=True)
    return model.eval()


def _their_name(name: str) -> tuple[str, int | None]:
    """Return what GPT-2's code calls a parameter; and which third of it is meant, if one is."""
    part, field = name.rsplit(".", 1)
    field = NORM_FIELDS.get(field, field)
    block = re.fullmatch(r"trf_blocks\.(\d+)\.(.+)", part)
    if block is None:
        return f"{OUTER_PARTS[part]}.{field}", None
    number, inner = block.groups()
    if inner.startswith("att.W_"):
        third = ("query", "key", "value").index(inner.removeprefix("att.W_"))
        return f"h.{number}.attn.c_attn.{field}", third
    return f"h.{number}.{BLOCK_PARTS[inner]}.{field}", None


def _is_linear(name: str) -> bool:
    """Tell whether a weight is of one of a block's linear layers."""
    return ".att." in name or ".ff." in name


def _read_config(
    file: Path,
    names: Mapping[str, str],
    shape: Callable[[str], tuple[int, ...]],
    n_heads: int | None,
) -> GPTConfig:
    """Return the configuration of a GPT-2: from its config.json, or else from its shapes."""
    if not {"wte.weight", "wpe.weight", "h.0.attn.c_attn.weight"} <= set(names):
        if any(name.startswith("trf_blocks.") for name in names):
            raise ValueError(f"it is one of ours, and its {STATE_FILE} is not beside it")
        raise ValueError("it holds no GPT-2")
    vocab_size, emb_dim = shape("wte.weight")
    facts: dict[str, Any] = {}
    if file.is_file():
        facts = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(facts, dict) or facts.get("model_type", "gpt2") != "gpt2":
            raise ValueError(f"{CONFIG_FILE} beside it is not of a GPT-2")
        if (activation := facts.get("activation_function", "gelu_new")) != "gelu_new":
            raise ValueError(f"its activation is {activation!r}, GPT-2's is 'gelu_new'")
    if vocab_size != VOCAB_SIZE:
        raise ValueError(_other_vocabulary(vocab_size))
    return GPTConfig(
        vocab_size=vocab_size,
        context_length=shape("wpe.weight")[0],
        emb_dim=emb_dim,
        n_heads=facts.get("n_head", _heads(emb_dim) if n_heads is None else n_heads),
        n_layers=_layers(names, r"h\.(\d+)\."),
        drop_rate=facts.get("resid_pdrop", 0.1),
        qkv_bias=True,
    )


def _book_config(tensors: Mapping[str, Tensor], n_heads: int | None) -> GPTConfig:
    """Return the configuration that a book's checkpoint follows from: its tensors' shapes."""
    if not {"tok_emb.weight", "pos_emb.weight", "trf_blocks.0.att.W_query.weight"} <= set(tensors):
        raise ValueError("it holds no GPTModel of the book")
    vocab_size, emb_dim = tensors["tok_emb.weight"].shape
    if vocab_size != VOCAB_SIZE:
        raise ValueError(_other_vocabulary(vocab_size))
    return GPTConfig(
        vocab_size=vocab_size,
        context_length=tensors["pos_emb.weight"].shape[0],
        emb_dim=emb_dim,
        n_heads=_heads(emb_dim) if n_heads is None else n_heads,
        n_layers=_layers(tensors, r"trf_blocks\.(\d+)\."),
        qkv_bias="trf_blocks.0.att.W_query.bias" in tensors,
    )


def _heads(emb_dim: int) -> int:
    """Return how many heads a GPT-2 of that width has; 1 where that does not come out even."""
    return emb_dim // HEAD_DIM if emb_dim % HEAD_DIM == 0 else 1


def _words(error: Exception) -> str:
    """Return what went wrong, in a line and without a full stop."""
    words = (str(error) or type(error).__name__).strip().split("\n")[0]
    return words.rstrip(".") if len(words) <= LONGEST_REASON else f"{words[:LONGEST_REASON]}…"
