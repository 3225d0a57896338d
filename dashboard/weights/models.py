"""Models from elsewhere: the list, and the three ways to bring one in."""

import os
import re
import tempfile
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from dashboard.app import (
    attempt,
    current_actor,
    fragment,
    get_models,
    get_runner,
    is_restricted,
    may_change,
    may_show,
    owner_name,
    session_keys,
    show_refusal,
)
from dashboard.charts import count, format_bytes
from dashboard.forms import LIBRARY, choose_files, reading_turn, start_from
from dashboard.ui import delete_button, share_toggle, way_button
from gpt_core.library import UPLOADED, Download, LibraryModel
from gpt_core.presets import GPT2_CONFIGS
from gpt_core.system import Watch
from gpt_core.text import MAX_TEXT_NAME, readable_name
from gpt_core.weights import CONFIG_FILE, WEIGHTS_FILE, WEIGHTS_SUFFIXES, how_to_get, read_model

MAX_MODEL_UPLOAD_MB = 1024  # an upload passes through the server's memory; a folder takes any size
FILE_TYPES = [*(suffix.removeprefix(".") for suffix in WEIGHTS_SUFFIXES), "json", "zip"]
HUB_SIZES = {
    "124M": "0.5 GB",
    "355M": "1.5 GB",
    "774M": "3.2 GB",
    "1558M": "6.4 GB",
}  # of the files
TICK_SECONDS = 1.0
MAX_HEADS = 1024


def show_models() -> None:
    """Show the models from elsewhere, with their buttons; to the teacher, each owner's entry."""
    found = get_models().models if is_restricted() else get_models().entries
    entries = [*filter(may_show, found(actor=current_actor()))]
    if not entries:
        st.text("No model from elsewhere is here yet. Bring one in:")
    for entry in entries:
        _show_model(entry)


def _show_model(entry: LibraryModel) -> None:
    with st.container(border=True):
        whose = owner_name(entry.owner)
        by = f" · {whose}" if whose else ""
        st.text(f"{entry.name} · {entry.source}, {format_bytes(entry.bytes)}{by}")
        if entry.note:
            st.caption(entry.note)
        with st.container(horizontal=True, vertical_alignment="center"):
            _show_actions(entry)


def _show_actions(entry: LibraryModel) -> None:
    key = f"{entry.key} {entry.owner}"
    if way_button("Generate text", key=f"write {key}"):
        _look_into(entry, "pages/generate.py")
    if way_button("Its loss", key=f"loss {key}", help="Of your words, and of whole texts."):
        _look_into(entry, "pages/loss.py")
    if way_button("Continue training", key=f"begin {key}"):
        start_from(LIBRARY + entry.key)
    if entry.source == UPLOADED and not may_change(entry.owner):
        return
    if entry.source == UPLOADED:
        share_toggle(
            "For the class",
            f"share {key}",
            entry.shared,
            lambda shared: get_models().share(
                entry.key, shared, actor=current_actor(), owner=entry.owner
            ),
            "Everybody may let it write, and train it further.",
        )
        with st.popover("Delete"):
            st.text("It cannot be brought back. Runs that began with it keep their copy.")
            delete_button(key, _delete, entry)
    elif not is_restricted():
        with st.popover("Show its folder"):
            st.text("Its files are not the app's own. Delete them there to remove it from here.")
            st.code(
                os.fsencode(entry.path).decode(errors="replace"), language=None, wrap_lines=True
            )


def _look_into(entry: LibraryModel, page: str) -> None:
    st.session_state[session_keys.WALK_MODEL] = LIBRARY + entry.key
    st.switch_page(page)


def _delete(entry: LibraryModel) -> None:
    attempt(get_models().delete, entry.key, actor=current_actor(), owner=entry.owner)


def bring_in() -> None:
    """Let the user bring in a model: OpenAI's, a file of their own, or a large one."""
    if is_restricted():  # gigabytes, and folders of the machine, are the teacher's
        _take_upload()
        return
    openai, file, folder = st.tabs(["OpenAI's GPT-2", "A file of yours", "Large files"])
    with openai:
        is_moving = _is_moving()
        fragment(_offer_openai, run_every=TICK_SECONDS if is_moving else None)(is_moving)
    with file:
        _take_upload()
    with folder:
        _explain_folder()


def _is_moving() -> bool:
    """Tell whether a download is under way."""
    return any(not download.ended.is_set() for download in get_models().downloads().values())


def _offer_openai(is_moving: bool) -> None:
    """Offer the four sizes; redraw the whole page when a download has begun or ended."""
    if _is_moving() != is_moving:
        st.rerun()
    st.text(
        "The weights that OpenAI trained on eight million web pages, from the Hugging Face hub: "
        "downloaded once, checked by their hash, and saved where other programs find them too."
    )
    here = {entry.key for entry in get_models().models(actor=current_actor())}
    for size, config in GPT2_CONFIGS.items():
        download = get_models().downloads().get(size)
        is_running = download is not None and not download.ended.is_set()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(
                f"{size} · {count(config.n_layers, 'layer')}, {config.emb_dim:,} dimensions, "
                f"{HUB_SIZES[size]}"
            )
            if f"gpt2-{size}" in here:
                st.badge("here", color="green")
            elif not is_running:
                label = "Continue the download" if download and download.stop_asked else "Download"
                st.button(label, key=f"get {size}", on_click=_start, args=(size,))
        if is_running or (download is not None and download.error):
            _show_download(size)


def _start(size: str) -> None:
    attempt(get_models().download, size, actor=current_actor())


def _stop(size: str) -> None:
    get_models().downloads()[size].stop_asked = True


def _show_download(size: str) -> None:
    """Show how far a download is, or why it ended."""
    download = get_models().downloads()[size]
    if download.ended.is_set():
        if download.stop_asked:
            st.text(download.error)
        else:
            show_refusal(ValueError(download.error))
        return
    st.progress(_share(download), _progress_text(download))
    st.button("Stop", key=f"stop {size}", on_click=_stop, args=(size,))


def _share(download: Download) -> float:
    return download.bytes_done / download.bytes_total if download.bytes_total else 0.0


def _progress_text(download: Download) -> str:
    if not download.bytes_total:
        return "Asking the hub…"
    done, total = format_bytes(download.bytes_done), format_bytes(download.bytes_total)
    return f"{done} of {total}" + (", checking it…" if _share(download) == 1 else "")


def _take_upload() -> None:
    """Let the user upload a model's files, and add the model to the library."""
    st.text(
        "A ZIP from this page, a model.pth or model_and_optimizer.pth of the book's code, "
        f"nanoGPT's ckpt.pt, or a Hugging Face GPT-2: its {CONFIG_FILE} together with "
        f"{WEIGHTS_FILE}, pytorch_model.bin, or the parts of either and their index."
    )
    emptied = st.session_state.get(session_keys.UPLOADS_KEPT, 0)
    files = choose_files(
        "A model's files",
        FILE_TYPES,
        MAX_MODEL_UPLOAD_MB,
        key=f"{session_keys.WEIGHTS_UPLOAD}-{emptied}",
    )
    if not files:
        return
    default = next((file.name for file in files if not file.name.endswith(".json")), files[0].name)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Its name", readable_name(default), max_chars=MAX_TEXT_NAME)
        n_heads = st.number_input(
            "Attention heads, if no file gives the number",
            1,
            MAX_HEADS,
            value=None,
            placeholder="one for each 64 dimensions",
            help="A .pth of the book's code does not, nor a model.safetensors without its config.",
        )
    if st.button("Add this model", type="primary"):
        try:
            with reading_turn("Reading the weights…") as watch:
                entry = _keep(files, readable_name(name or default), n_heads, watch)
        except ValueError as error:
            show_refusal(error)
            return
        st.session_state[session_keys.UPLOADS_KEPT] = emptied + 1
        st.toast(f"The model is here: {format_bytes(entry.bytes)}.")
        st.rerun()


def _keep(
    files: list[UploadedFile], name: str, n_heads: int | None, watch: Watch | None = None
) -> LibraryModel:
    """Read a model from uploaded files and save it in the library.

    Raises:
        ValueError: they are too large, or hold no model or a damaged one, or the disk cannot
            be written.
    """
    if sum(file.size for file in files) > MAX_MODEL_UPLOAD_MB * 2**20:
        raise ValueError(
            f"The files are larger than {MAX_MODEL_UPLOAD_MB} MB: put them in the import folder."
        )
    # A file that is still mapped cannot be deleted on Windows.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        folder = Path(place) / "the upload"
        try:
            folder.mkdir()
            for file in files:
                # A bare name stays in the folder. Browsers number repeated downloads.
                bare = re.sub(r" ?\(\d+\)(?=\.\w+$)", "", readable_name(Path(file.name).name))
                (folder / bare).write_bytes(file.getvalue())  # getbuffer() would copy them
        except OSError as error:
            raise ValueError(f"The model was not saved: {error.strerror or error}.") from error
        paths = list(folder.iterdir())
        loaded = read_model(paths[0] if len(paths) == 1 else folder, n_heads, watch=watch)
    return get_models().keep(
        loaded.model,
        name,
        actor=current_actor(),
        rules=get_runner().rules,
        note=" ".join(loaded.notes),
    )


def _explain_folder() -> None:
    st.text(
        f"A model larger than {MAX_MODEL_UPLOAD_MB / 1024:.0f} GB, or already on this machine, "
        "need not go through the browser: put its file, or a folder with its files, here. It is "
        "read in place."
    )
    st.code(str(get_models().import_folder.absolute()), language=None, wrap_lines=True)
    st.text(how_to_get("124M"))
