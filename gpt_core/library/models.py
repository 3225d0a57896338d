"""ModelLibrary: models that no run here has made: uploaded, put in a folder, or OpenAI's."""

import hashlib
import os
import threading
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path

import psutil

from gpt_core.access import ClassRules, refuse, require_disk_quota, require_teacher
from gpt_core.library.entries import LibraryEntries, LibraryEntry, owner_of
from gpt_core.model import BYTES_PER_PARAMETER, GPTModel, count_parameters
from gpt_core.store import RunStore, ShareKind
from gpt_core.text import readable_name
from gpt_core.weights import download_gpt2, load_model, remove, save_weights, weights_sha256

UPLOADED, PUT_THERE, OPENAI = "uploaded", "from the import folder", "OpenAI's"
OPENAI_NAME = "GPT-2 {}"


@dataclass(frozen=True)
class LibraryModel(LibraryEntry):
    """What is known of a model without loading it."""

    key: str  # what pages call it: a file's name too
    name: str
    source: str  # where it came from, in words
    path: str  # a file or folder that load_model reads
    bytes: int

    def modified(self) -> float:
        """Return when its files were last changed, in seconds since 1970.

        Raises:
            ValueError: they cannot be read.
        """
        try:
            path = Path(self.path)
            files = [path, *path.iterdir()] if path.is_dir() else [path]
            return max(file.stat().st_mtime for file in files)
        except OSError as error:
            raise ValueError(f"{self.name} cannot be read: {error.strerror}.") from error


@dataclass
class Download:
    """OpenAI's weights on their way here: a thread writes, whoever asked reads and may stop it."""

    size: str
    bytes_done: int = 0
    bytes_total: int | None = None  # as long as nobody knows
    error: str = ""
    ended: threading.Event = field(default_factory=threading.Event)
    stop_asked: bool = False

    def report(self, bytes_done: int, bytes_total: int | None) -> None:
        """Write down how far it has come."""
        self.bytes_done, self.bytes_total = bytes_done, bytes_total


class ModelLibrary:
    """Models of a runs directory beside those of its runs.

    Uploaded ones are kept in ``models/`` in our own form; what lies in ``import/`` is read where
    it lies, whoever put it there; OpenAI's lie in the Hugging Face cache, which other programs
    share.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._entries = LibraryEntries(store, ShareKind.MODEL, LibraryModel, attrgetter("key"))
        self.import_folder = store.runs_dir / "import"
        self._lock = threading.Lock()  # guards _downloads: of two equal ones the first goes on
        self._downloads: dict[str, Download] = {}

    def models(self, *, actor: str) -> list[LibraryModel]:
        """Return the models that somebody may use, those with a entry by name, then the import
        folder's, which are for all, as OpenAI's are.

        Of uploaded ones a student sees their own, and those that are shared; anybody else, all.
        Each model comes once: where they have uploaded it themselves, with their entry.
        """
        entries = [c for c in self._found() if c.source != UPLOADED or c.is_seen_by(actor)]
        entries = self._entries.once_each(entries, actor)
        return [*sorted(entries, key=lambda entry: entry.name), *self._imports()]

    def find(self, key: str, *, actor: str) -> LibraryModel:
        """Return what is known of a model.

        Raises:
            PermissionDenied: it is somebody else's, who does not share it.
            ValueError: it is not here.
        """
        for entry in self.models(actor=actor):
            if entry.key == key:
                return entry
        if any(entry.key == key for entry in self._found()):
            message = "This model is somebody else's, who does not share it."
            refuse(self._store, key, actor, "look into the model", message)
        raise ValueError("This model is not here any more: choose another one.")

    def load(self, key: str, *, actor: str) -> GPTModel:
        """Load a model in eval mode.

        Raises:
            PermissionDenied: it is somebody else's, who does not share it.
            ValueError: it is not here, damaged, of another kind, or larger than the free memory.
        """
        entry = self.find(key, actor=actor)
        free = psutil.virtual_memory().available
        if entry.bytes > free:
            raise ValueError(
                f"{entry.name} takes {entry.bytes / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB "
                "are free on this machine: choose a smaller model, or end other programs."
            )
        return load_model(entry.path)

    def keep(
        self, model: GPTModel, name: str, *, actor: str, rules: ClassRules | None = None
    ) -> LibraryModel:
        """Keep a model; the same weights again only get the new name.

        Raises:
            ValueError: the disk cannot be written, or the student has used up their share of it.
        """
        key = weights_sha256(model)[:12]
        folder, owner = self._entries.folder / key, owner_of(actor)
        size = BYTES_PER_PARAMETER * count_parameters(model)
        require_disk_quota(self._store, rules or ClassRules(), owner, size)
        try:
            written = save_weights(folder, model)
            entry = LibraryModel(key, name, UPLOADED, str(folder), written, owner=owner)
            self._entries.write(entry)
        except OSError as error:
            raise ValueError(f"The model was not kept: {error.strerror or error}.") from error
        return entry

    def share(self, key: str, shared: bool, *, actor: str) -> None:
        """Show an uploaded model to the whole class; or no longer.

        Raises:
            PermissionDenied: it is somebody else's.
            ValueError: it is not one that was uploaded.
        """
        entry = self._find_own(key, actor, "share")
        self._entries.share(entry, shared)

    def delete(self, key: str, *, actor: str) -> None:
        """Delete an uploaded model for good; runs that began with it keep their copy.

        As long as others have uploaded it too, only the entry of one of them goes.

        Raises:
            PermissionDenied: it is somebody else's.
            ValueError: it is not one that was uploaded, or the disk cannot be written.
        """
        entry = self._find_own(key, actor, "delete")
        try:
            self._entries.forget(entry)
            if not any(other.key == key for other in self._found()):
                remove(self._entries.folder / key)
        except OSError as error:
            raise ValueError(f"It was not deleted: {error.strerror or error}.") from error

    def download(self, size: str, *, actor: str) -> Download:
        """Have one of OpenAI's GPT-2s downloaded in a thread; if it is on its way, return that.

        Raises:
            PermissionDenied: it is a student who asks: it takes gigabytes of the disk.
        """
        require_teacher(self._store, actor, "have OpenAI's weights downloaded")
        with self._lock:
            download = self._downloads.get(size)
            if download is None or download.ended.is_set():
                download = self._downloads[size] = Download(size)
                threading.Thread(target=self._fetch, args=(download,), daemon=True).start()
            return download

    def downloads(self) -> dict[str, Download]:
        """Return the last download of each size that was asked for since the app began."""
        with self._lock:
            return dict(self._downloads)

    def close(self) -> None:
        """End the downloads; each goes on where it ended when it is asked for again."""
        for download in self.downloads().values():
            download.stop_asked = True

    def _fetch(self, download: Download) -> None:
        try:
            folder = download_gpt2(download.size, download.report, lambda: download.stop_asked)
            self._adopt(download.size, folder)
        except ValueError as error:
            download.error = str(error)
        except OSError as error:
            download.error = f"The model was not kept: {error.strerror or error}."
        finally:
            download.ended.set()

    def _adopt(self, size: str, folder: Path) -> None:
        bytes_there = sum(path.stat().st_size for path in folder.iterdir())
        key, name = f"gpt2-{size}", OPENAI_NAME.format(size)
        self._entries.write(LibraryModel(key, name, OPENAI, str(folder), bytes_there))

    def _find_own(self, key: str, actor: str, doing: str) -> LibraryModel:
        """Return the entry of an uploaded model that somebody may change.

        Raises:
            PermissionDenied: it is somebody else's.
            ValueError: it is not one that was uploaded.
        """
        entry = self.find(key, actor=actor)
        if entry.source != UPLOADED:
            raise ValueError(f"{entry.name} was not uploaded: its files lie in {entry.path}.")
        self._entries.refuse_foreign(entry, actor, doing)
        return entry

    def _found(self) -> list[LibraryModel]:
        """Return the entries of all models that have one and are there."""
        entries = []
        for entry in self._entries.all():
            if entry.source == UPLOADED:  # wherever the runs directory lies by now
                entry = replace(entry, path=str(self._entries.folder / entry.key))
            if Path(entry.path).exists():
                entries.append(entry)
        return entries

    def _imports(self) -> list[LibraryModel]:
        """Return what lies in the import folder: each folder, and each file, is a model."""
        try:
            paths = sorted(self.import_folder.iterdir())
        except OSError:  # there is none, or it may not be read
            return []
        found = []
        for path in paths:
            try:
                files = list(path.iterdir()) if path.is_dir() else [path]
                sizes = [file.stat().st_size for file in files if file.is_file()]
            except OSError:
                continue  # it may not be read either
            if sizes and not path.name.startswith(".") and (path.is_dir() or _holds_one(path)):
                key = f"import-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}"
                name = readable_name(path.name)
                found.append(LibraryModel(key, name, PUT_THERE, str(path), sum(sizes)))
        return found


def _holds_one(file: Path) -> bool:
    """Tell by a file's name whether there may be a model in it."""
    return file.suffix in (".safetensors", ".pth", ".pt", ".zip")
