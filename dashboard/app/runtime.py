"""The services of this process, created on first use: store, runner, caches, library and class.

This is the only module state, and on purpose: any client can clear ``st.cache_resource``, and the
old training thread would continue beside a new one (docs/STREAMLIT.md, fact 4).

If the runs directory cannot be used, the first ``get_…`` raises ValueError.
"""

import atexit
import gc
import os
import threading
import time
from dataclasses import dataclass

import filelock
import streamlit as st
from streamlit.runtime import Runtime
from streamlit.runtime.pages_manager import PagesManager

# Until st.navigation has run once in the process, Streamlit treats a folder named pages/ as its
# older kind of app: a page opened first by its own address would be drawn without main.py
# (docs/STREAMLIT.md, fact 6). Imported by app.py or classroom.py, it comes before Streamlit has
# looked (None); imported by the first page to run (True), that page is run again.
if PagesManager.uses_pages_directory is not False:
    runs_without_frame = PagesManager.uses_pages_directory
    PagesManager.uses_pages_directory = False
    if runs_without_frame:
        gc.disable()  # until the imports below are done: collection takes a tenth of their time
        st.rerun()

# After the rerun: these imports take two seconds, in which a second visitor may arrive.
from dashboard.app.shutdown import limit_shutdown
from dashboard.app.turns import PageTurns
from dashboard.app.uploads import Uploads
from gpt_core.access import Roster, read_rules
from gpt_core.analysis import CachedStore
from gpt_core.inference import GenerationWorker, ModelCache
from gpt_core.library import ModelLibrary
from gpt_core.model import training_devices
from gpt_core.runner import TrainingRunner, count_processes
from gpt_core.store import RunStore, claim_for_class, default_runs_dir
from gpt_core.system import ReadingTurns

gc.enable()
gc.freeze()  # modules are never garbage: scanning them would halt all threads for 0.2 s


@dataclass(frozen=True)
class Services:
    """The services of this process."""

    store: RunStore
    runner: TrainingRunner
    model_cache: ModelCache
    generation_worker: GenerationWorker
    cached_store: CachedStore
    models: ModelLibrary
    reading_turns: ReadingTurns
    roster: Roster | None
    uploads: Uploads
    page_turns: PageTurns
    class_lock: filelock.BaseFileLock | None  # held while this process serves a class

    def close(self) -> None:
        """End training, then close everything else."""
        self.models.close()
        self.generation_worker.close()
        self.runner.close()
        self.store.close()
        if self.class_lock is not None:
            self.class_lock.release()


JOIN_CODE, PASSPHRASE = "GPT_LAB_JOIN_CODE", "GPT_LAB_PASSPHRASE"  # for a class; generated if unset
SIGNED_IN_HOURS = "GPT_LAB_SIGNED_IN_HOURS"  # how long a browser stays in the class
WRITING_NICENESS = 5  # in a class: 24 texts of one student leave training more than half
FRESH_SECONDS = 0.5  # cached records are at most this old, times the viewers of a second
CLASS_MODE = "GPT_LAB_CLASS"  # the environment variable that classroom.py sets

SCRIPT_THREAD = "ScriptRunner"  # the name that Streamlit gives to threads that run pages
TABS_A_SECOND = 6  # browser tabs that are redrawn each second, at most

_making = threading.Lock()  # guards _services: concurrent first visitors must get the same ones
_services: Services | None = None


def get_store() -> RunStore:
    """Return the store of the runs directory."""
    return _get_services().store


def get_runner() -> TrainingRunner:
    """Return the runner, which owns the models in training."""
    return _get_services().runner


def get_model_cache() -> ModelCache:
    """Return the model cache of the pages."""
    return _get_services().model_cache


def get_generation_worker() -> GenerationWorker:
    """Return the worker that generates texts."""
    return _get_services().generation_worker


def get_cached_store() -> CachedStore:
    """Return the cached store, which reads each record once for all viewers."""
    return _get_services().cached_store


def get_models() -> ModelLibrary:
    """Return the library of models that were not trained here."""
    return _get_services().models


def get_reading_turns() -> ReadingTurns:
    """Return the turns in which files from elsewhere are read."""
    return _get_services().reading_turns


def get_roster() -> Roster | None:
    """Return the roster of the class; None if this process serves no class."""
    return _get_services().roster


def get_page_turns() -> PageTurns:
    """Return the turns in which the pages of each member of a class are drawn."""
    return _get_services().page_turns


def get_class_roster() -> Roster:
    """Return the roster of the class, for code that runs only in a class."""
    roster = get_roster()
    assert roster is not None
    return roster


def get_uploads() -> Uploads:
    """Return the uploads that wait in memory."""
    return _get_services().uploads


def has_services() -> bool:
    """Tell whether the services were created, by a first visit."""
    return _services is not None


def is_class() -> bool:
    """Return whether this process serves a class: ``streamlit run classroom.py``."""
    return bool(os.environ.get(CLASS_MODE))


def count_viewers(roster: Roster | None) -> int:
    """Return the number of connected members of a class or, without one, of browser tabs."""
    if roster is not None:
        return roster.count_visitors()
    if not Runtime.exists():  # where a test imports main.py without a server
        return 1
    sessions = getattr(Runtime.instance(), "_session_mgr", None)  # AppTest has none
    return 1 if sessions is None else int(sessions.num_active_sessions())


def close_runtime() -> None:
    """Close the services; the next use creates new ones, as tests need."""
    global _services
    with _making:
        if _services is not None:
            atexit.unregister(end_process)
            _services.close()
            _services = None


def end_process() -> None:
    """Save what trains, wait for the pages that compute, then close the rest."""
    _save_runs()  # first: a supervisor may not wait long before it kills
    wait_for_pages()
    close_runtime()


def _save_runs() -> None:
    """Save what trains; it ends, and everything else stays open for the pages that compute."""
    if _services is not None:
        _services.runner.close()


limit_shutdown(_save_runs)


def wait_for_pages(seconds: float = 20.0) -> None:
    """Wait until no page is computing: interrupting torch crashes the process."""
    deadline = time.monotonic() + seconds
    for thread in threading.enumerate():
        if thread.name.startswith(SCRIPT_THREAD):
            thread.join(max(0.0, deadline - time.monotonic()))


def _get_services() -> Services:
    global _services
    with _making:
        if _services is None:
            class_lock = claim_for_class(default_runs_dir()) if is_class() else None
            store = RunStore(default_runs_dir())
            runner = TrainingRunner(
                store,
                active_runs=_number_from("GPT_LAB_ACTIVE_RUNS") or 1,
                threads=_number_from("GPT_LAB_THREADS"),
                rules=read_rules(store) if is_class() else None,
                devices=training_devices(),
                max_processes=1 if is_class() else count_processes(),
            )
            roster = None
            if is_class():
                code, passphrase = os.environ.get(JOIN_CODE), os.environ.get(PASSPHRASE)
                hours = _number_from(SIGNED_IN_HOURS)
                roster = Roster(store, code, passphrase, hours=hours)
            cached_store = CachedStore(
                store,
                fresh_seconds=lambda: FRESH_SECONDS * max(1, count_viewers(roster) / TABS_A_SECOND),
            )
            reading_turns = ReadingTurns()
            atexit.register(end_process)
            _services = Services(
                store=store,
                runner=runner,
                model_cache=ModelCache(),
                generation_worker=GenerationWorker(WRITING_NICENESS if is_class() else 0),
                cached_store=cached_store,
                models=ModelLibrary(store, reading_turns),
                reading_turns=reading_turns,
                roster=roster,
                uploads=Uploads(lambda: runner.rules),
                page_turns=PageTurns(),
                class_lock=class_lock,
            )
        return _services


def _number_from(variable: str) -> int | None:
    """Return the number in an environment variable, or None if it is not set."""
    text = os.environ.get(variable)
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(
            f"The environment variable {variable}={text!r} must be a whole number, at least 1."
        )
    return int(text)
