"""Uploaded files that wait in memory: whose they are, how many there may be, when they are freed.

Streamlit takes a file for every open page, under any name, and keeps it until the page's session
ends; it drops ended sessions only when another one does. The limits are here. The middleware that
asks for them is in ``server.py``.
"""

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
import streamlit as st
from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import ScriptRunContext, get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileManager

from dashboard.app import session_keys
from gpt_core.access import MEGABYTE, ClassRules, is_student
from gpt_core.system import return_freed_memory

UPLOAD_PATH = "/_stcore/upload_file/"  # then a session's ID, "/", and a file's
MAX_BYTES = 4 * 2**30  # of the local user, the teacher, and students without a limit
MAX_PARALLEL = 8  # uploads of a member; browsers have at most six connections to a server
MAX_ASKED = 1000  # files that a page may have asked to upload


class UploadRefused(ValueError):
    """An upload is not taken; ``status`` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class PageUploads:
    """The uploads of one page, that is, of one session of Streamlit."""

    actor: str  # whose page it is
    asked: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_ASKED))  # IDs of files
    refusal: str = ""  # why the last upload was refused, for the page to show


class Uploads:
    """The uploads of all open pages.

    The server's event loop changes them; pages read and reset their own refusals.

    Args:
        rules: returns the class's rules, which limit what students upload.
    """

    def __init__(self, rules: Callable[[], ClassRules]) -> None:
        self._rules = rules
        self._pages: dict[str, PageUploads] = {}  # by session ID
        self._arriving: list[tuple[str, int]] = []  # of each upload under way: actor, bytes

    def max_bytes(self, actor: str) -> int:
        """Return how many bytes of a member may wait in memory."""
        limit = self._rules().most_upload_megabytes if is_student(actor) else None
        return MAX_BYTES if limit is None else min(MAX_BYTES, limit * MEGABYTE)

    def note_asked(self, actor: str, urls: Iterable[str]) -> None:
        """Record the addresses that Streamlit gave to a page for the files chosen there."""
        for url in urls:
            session_id, file_id = split_address(url)
            page = self._pages.setdefault(session_id, PageUploads(actor))
            page.asked.append(file_id)
            page.refusal = ""  # it was about an earlier choice

    def require_asked(self, actor: str, session_id: str, file_id: str) -> None:
        """Refuse an upload that no open page of the actor has asked for.

        Raises:
            UploadRefused: so.
        """
        page = self._pages.get(session_id)
        if (
            page is None
            or page.actor != actor
            or file_id not in page.asked
            or not Runtime.instance().is_active_session(session_id)
        ):
            raise UploadRefused(403, "No open page of yours asked for this upload.")

    @contextmanager
    def arriving(self, actor: str, session_id: str, size: int) -> Iterator[None]:
        """Count an upload of so many bytes as long as it is under way.

        Its page may be closed meanwhile: then its file goes, too.

        Raises:
            UploadRefused: it would exceed a limit.
        """
        arriving = [entry_bytes for whose, entry_bytes in self._arriving if whose == actor]
        if len(arriving) >= MAX_PARALLEL:
            raise UploadRefused(
                429, f"You upload {MAX_PARALLEL} files at this moment: wait until one is here."
            )
        limit, waiting = self.max_bytes(actor), self.waiting_bytes(actor) + sum(arriving)
        if waiting + size > limit:
            raise UploadRefused(
                413,
                f"Files that are not saved yet may have {limit / MEGABYTE:,.0f} MB together. Yours "
                f"have {waiting / MEGABYTE:,.1f} MB, and this one has {size / MEGABYTE:,.1f} MB: "
                "save or remove some first, on your other pages too.",
            )
        free = psutil.virtual_memory().available - sum(under_way for _, under_way in self._arriving)
        if size > free / 2:  # what is done with it needs memory, too
            raise UploadRefused(
                503,
                f"The file has {size / MEGABYTE:,.1f} MB, and the app's machine has too little "
                "free memory for it: try it later, or choose a smaller one.",
            )
        entry = (actor, size)
        self._arriving.append(entry)
        try:
            yield
        finally:
            self._arriving.remove(entry)
            if session_id not in self._pages:
                Runtime.instance().uploaded_file_mgr.remove_session_files(session_id)

    def waiting_bytes(self, actor: str) -> int:
        """Return how many bytes of a member's uploads are in memory."""
        kept = _in_memory(Runtime.instance().uploaded_file_mgr).file_storage
        pages = [key for key, page in self._pages.items() if page.actor == actor and key in kept]
        return sum(len(file.data) for key in pages for file in list(kept[key].values()))

    def note_refusal(self, session_id: str, sentence: str) -> None:
        """Let a page show why its upload was refused; it redraws."""
        self._pages[session_id].refusal = sentence
        if (session := Runtime.instance().get_app_session(session_id)) is not None:
            session.request_rerun(session._client_state)  # as Streamlit does when a file changes

    def show(self, files: Iterable[UploadedFile]) -> str:
        """Note which files the uploader of this page shows; return why the last was refused."""
        shown = st.session_state.get(session_keys.UPLOADS_SHOWN) or set()
        st.session_state[session_keys.UPLOADS_SHOWN] = shown | {file.file_id for file in files}
        page = self._pages.get(_script().session_id)
        return "" if page is None else page.refusal

    @contextmanager
    def freeing_unshown(self) -> Iterator[None]:
        """Run a page in this block, then free the files that it showed before and shows no more.

        They were saved, or the visitor has gone to another page. A file that has just arrived was
        not shown yet, and stays.
        """
        before = st.session_state.get(session_keys.UPLOADS_SHOWN) or set()
        st.session_state[session_keys.UPLOADS_SHOWN] = None  # no uploader
        try:
            yield
        except BaseException:  # the page did not come to its end: Streamlit stops and reruns it
            shown = st.session_state[session_keys.UPLOADS_SHOWN] or set()
            st.session_state[session_keys.UPLOADS_SHOWN] = shown | before
            raise
        shown, script = st.session_state[session_keys.UPLOADS_SHOWN], _script()
        for file_id in before - (shown or set()):
            _in_memory(script.uploaded_file_mgr).remove_file(script.session_id, file_id)
        if shown is None:
            st.session_state.pop(session_keys.UPLOADED, None)  # the texts that were read of them
            if (page := self._pages.get(script.session_id)) is not None:
                page.refusal = ""

    def end_sessions(self) -> bool:
        """End the sessions to which no browser has returned; tell whether they had uploads.

        Streamlit itself would wait until another page is closed. To be called on the event loop.
        """
        sessions = Runtime.instance()._session_mgr
        for _, info in sessions._session_storage._cache.expire():  # type: ignore[attr-defined]
            info.session.shutdown()
            info.session.session_state.clear()  # Streamlit's loop may hold the last active session
        remaining = {info.session.id for info in sessions.list_sessions()}
        ended = [session_id for session_id in self._pages if session_id not in remaining]
        for session_id in ended:
            del self._pages[session_id]
            Runtime.instance().uploaded_file_mgr.remove_session_files(session_id)
        return bool(ended)


def split_address(path: str) -> tuple[str, str]:
    """Return the session's and the file's ID in the address of an upload."""
    session_id, _, file_id = path.partition(UPLOAD_PATH)[2].partition("/")
    return session_id, file_id


def give_back_memory() -> None:
    """Return the memory of ended sessions to the system."""
    gc.collect()
    return_freed_memory()


def _in_memory(files: UploadedFileManager) -> MemoryUploadedFileManager:
    """Return where Streamlit keeps uploaded files as what it is."""
    assert isinstance(files, MemoryUploadedFileManager)
    return files


def _script() -> ScriptRunContext:
    """Return the context of the script that runs in this thread."""
    context = get_script_run_ctx()
    assert context is not None
    return context
