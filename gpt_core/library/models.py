"""ModelLibrary: models from elsewhere: uploaded, in the import folder, or OpenAI's."""

import hashlib
import os
import threading
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path

import psutil

from gpt_core.access import (
    ClassRules,
    refuse,
    require_class_member,
    require_teacher,
    within_disk_quota,
)
from gpt_core.library.entries import LibraryEntries, LibraryEntry, owner_of
from gpt_core.model import BYTES_PER_PARAMETER, GPTModel, count_parameters
from gpt_core.store import RunStore, ShareKind
from gpt_core.system import ReadingTurns
from gpt_core.text import readable_name
from gpt_core.weights import (
    WEIGHTS_SUFFIXES,
    download_gpt2,
    load_own_format,
    read_model,
    remove,
    save_weights,
    weights_sha256,
)

UPLOADED, PUT_THERE, OPENAI = "uploaded", "from the import folder", "OpenAI's"
OPENAI_NAME = "GPT-2 {}"


@dataclass(frozen=True)
class LibraryModel(LibraryEntry):
    """A model's metadata, known without loading it."""

    key: str  # identifies it on pages and in file names
    name: str
    source: str  # where it came from, as pages show it
    path: str  # a file or folder for load_model
    bytes: int
    note: str = ""  # what was assumed or left out to read it; of the import folder, once loaded

    def modified(self) -> float:
        """Return when the model's files were last changed, in seconds since 1970.

        Raises:
            ValueError: the files cannot be read.
        """
        try:
            path = Path(self.path)
            files = [path, *path.iterdir()] if path.is_dir() else [path]
            return max(file.stat().st_mtime for file in files)
        except OSError as error:
            raise ValueError(f"{self.name} cannot be read: {error.strerror}.") from error


@dataclass
class Download:
    """A download of OpenAI's weights: its thread writes it, pages read it and may stop it."""

    size: str
    bytes_done: int = 0
    bytes_total: int | None = None  # None until it is known
    error: str = ""
    ended: threading.Event = field(default_factory=threading.Event)
    stop_asked: bool = False

    def report(self, bytes_done: int, bytes_total: int | None) -> None:
        """Update the progress, in bytes."""
        self.bytes_done, self.bytes_total = bytes_done, bytes_total


class ModelLibrary:
    """The models of a runs directory that its runs have not made.

    Uploaded models are saved in ``models/`` in this app's format. Models in ``import/`` are read in
    place. OpenAI's are in the Hugging Face cache, which other programs use too.

    Args:
        store: the store of the runs directory.
        turns: in which models are read that others wrote.
    """

    def __init__(self, store: RunStore, turns: ReadingTurns | None = None) -> None:
        self._store = store
        self._turns = turns or ReadingTurns()
        self._entries = LibraryEntries(store, ShareKind.MODEL, LibraryModel, attrgetter("key"))
        self.import_folder = store.runs_dir / "import"
        self._lock = threading.Lock()  # guards _downloads: one per size at a time
        self._downloads: dict[str, Download] = {}
        self._notes: dict[str, str] = {}  # on models of the import folder that were loaded, by key

    def models(self, *, actor: str) -> list[LibraryModel]:
        """Return the models that the actor may use, each once.

        Those with an entry come first, by name, then those of the import folder. Of uploaded
        models a student sees their own and the shared ones; other actors see all. Everyone may use
        OpenAI's and the import folder's. Where the actor uploaded a model, its entry is theirs.

        Raises:
            PermissionDenied: the actor is not in the class.
        """
        entries = self._entries.once_each(self._visible(actor), actor)
        return [*sorted(entries, key=lambda entry: entry.name), *self._imports()]

    def entries(self, *, actor: str) -> list[LibraryModel]:
        """Return the models as :meth:`models` does, but one with each entry that the actor may see.

        Raises:
            PermissionDenied: the actor is not in the class.
        """
        return [*sorted(self._visible(actor), key=lambda entry: entry.name), *self._imports()]

    def _visible(self, actor: str) -> list[LibraryModel]:
        require_class_member(actor)
        return [c for c in self._found() if c.source != UPLOADED or c.is_seen_by(actor)]

    def find(self, key: str, *, actor: str, owner: str | None = None) -> LibraryModel:
        """Return the entry of a model: an owner's or, without one, as :meth:`models` chooses.

        Raises:
            PermissionDenied: the model is another student's, and is not shared.
            ValueError: there is no such model.
        """
        entries = self.models(actor=actor) if owner is None else self.entries(actor=actor)
        for entry in entries:
            if entry.key == key and owner in (None, entry.owner):
                return entry
        if any(entry.key == key and owner in (None, entry.owner) for entry in self._found()):
            message = "This model is not yours, and its owner does not share it."
            refuse(self._store, key, actor, "look into the model", message)
        raise ValueError("This model is not here any more: choose another one.")

    def load(self, key: str, *, actor: str) -> GPTModel:
        """Load a model in eval mode: one that was uploaded is in this app's own format by now.

        Raises:
            PermissionDenied: the model is another student's, and is not shared.
            ValueError: the model is missing, damaged, of another kind, or larger than the free
                memory.
        """
        entry = self.find(key, actor=actor)
        free = psutil.virtual_memory().available
        if entry.bytes > free:
            raise ValueError(
                f"{entry.name} needs {entry.bytes / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB "
                "are free on this machine: choose a smaller model, or end other programs."
            )
        if entry.source == UPLOADED:
            return load_own_format(Path(entry.path))
        with self._turns.turn(actor):
            loaded = read_model(entry.path)
        self._notes[key] = " ".join(loaded.notes)
        return loaded.model

    def keep(
        self,
        model: GPTModel,
        name: str,
        *,
        actor: str,
        rules: ClassRules | None = None,
        note: str = "",
    ) -> LibraryModel:
        """Save a model and return its entry; saving the same weights again only renames them.

        ``note`` is what the entry says of how the model was read.

        Raises:
            ValueError: the disk cannot be written, or the student's disk quota is used up.
        """
        require_class_member(actor)
        key = weights_sha256(model)[:12]
        folder, owner = self._entries.folder / key, owner_of(actor)
        size = BYTES_PER_PARAMETER * count_parameters(model)
        try:
            with within_disk_quota(self._store, rules or ClassRules(), owner, size):
                written = save_weights(folder, model)
                entry = LibraryModel(key, name, UPLOADED, str(folder), written, note, owner=owner)
                self._entries.write(entry)
        except OSError as error:
            raise ValueError(f"The model was not saved: {error.strerror or error}.") from error
        return entry

    def share(self, key: str, shared: bool, *, actor: str, owner: str | None = None) -> None:
        """Share an uploaded model with the class, or stop sharing it; :meth:`find` finds it.

        Raises:
            PermissionDenied: the model is another student's.
            ValueError: the model is missing or was not uploaded.
        """
        entry = self._find_own(key, actor, owner, "share")
        self._entries.share(entry, shared)

    def delete(self, key: str, *, actor: str, owner: str | None = None) -> None:
        """Delete an uploaded model permanently; runs that began with it keep their copy.

        If others have uploaded it too, only the entry is deleted; :meth:`find` finds which.

        Raises:
            PermissionDenied: the model is another student's.
            ValueError: the model was not uploaded, or the disk cannot be written.
        """
        entry = self._find_own(key, actor, owner, "delete")
        try:
            self._entries.forget(entry)
            if not any(other.key == key for other in self._found()):
                remove(self._entries.folder / key)
        except OSError as error:
            raise ValueError(f"The model was not deleted: {error.strerror or error}.") from error

    def download(self, size: str, *, actor: str) -> Download:
        """Start a download of an OpenAI GPT-2 in a thread, or return the one in progress.

        Raises:
            PermissionDenied: the actor is a student; a download takes gigabytes of disk.
        """
        require_teacher(self._store, actor, "download OpenAI's weights")
        with self._lock:
            download = self._downloads.get(size)
            if download is None or download.ended.is_set():
                download = self._downloads[size] = Download(size)
                threading.Thread(target=self._fetch, args=(download,), daemon=True).start()
            return download

    def downloads(self) -> dict[str, Download]:
        """Return the latest download of each size since the app started."""
        with self._lock:
            return dict(self._downloads)

    def close(self) -> None:
        """Stop the downloads; a later request resumes each where it stopped."""
        for download in self.downloads().values():
            download.stop_asked = True

    def _fetch(self, download: Download) -> None:
        try:
            folder = download_gpt2(download.size, download.report, lambda: download.stop_asked)
            self._adopt(download.size, folder)
        except ValueError as error:
            download.error = str(error)
        except OSError as error:
            download.error = f"The model was not saved: {error.strerror or error}."
        finally:
            download.ended.set()

    def _adopt(self, size: str, folder: Path) -> None:
        bytes_there = sum(path.stat().st_size for path in folder.iterdir())
        key, name = f"gpt2-{size}", OPENAI_NAME.format(size)
        self._entries.write(LibraryModel(key, name, OPENAI, str(folder), bytes_there))

    def _find_own(self, key: str, actor: str, owner: str | None, doing: str) -> LibraryModel:
        """Return the entry of an uploaded model that the actor may change.

        Raises:
            PermissionDenied: the model is another student's.
            ValueError: the model is missing or was not uploaded.
        """
        entry = self.find(key, actor=actor, owner=owner)
        if entry.source != UPLOADED:
            raise ValueError(f"{entry.name} was not uploaded: its files are in {entry.path}.")
        self._entries.refuse_foreign(entry, actor, doing)
        return entry

    def _found(self) -> list[LibraryModel]:
        """Return the entries of all models whose files exist."""
        entries = []
        for entry in self._entries.all():
            if entry.source == UPLOADED:  # the runs directory may have moved
                entry = replace(entry, path=str(self._entries.folder / entry.key))
            if Path(entry.path).exists():
                entries.append(entry)
        return entries

    def _imports(self) -> list[LibraryModel]:
        """Return the models in the import folder: each folder and each file is one."""
        try:
            paths = sorted(self.import_folder.iterdir())
        except OSError:  # missing or unreadable
            return []
        found = []
        for path in paths:
            try:
                files = list(path.iterdir()) if path.is_dir() else [path]
                sizes = [file.stat().st_size for file in files if file.is_file()]
            except OSError:
                continue  # unreadable
            if sizes and not path.name.startswith(".") and (path.is_dir() or _holds_one(path)):
                key = f"import-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}"
                name = readable_name(path.name)
                note = self._notes.get(key, "")
                found.append(LibraryModel(key, name, PUT_THERE, str(path), sum(sizes), note))
        return found


def _holds_one(file: Path) -> bool:
    """Tell by a file's suffix whether it may hold a model."""
    return file.suffix in (*WEIGHTS_SUFFIXES, ".zip")
