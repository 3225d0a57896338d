"""The services of this process, made on first use: store, runner, caches, library and class.

Module state on purpose, and the only such: ``st.cache_resource`` can be cleared by any
client, and the old thread would train on beside a new one (STREAMLIT.md, fact 4).

Where the runs directory cannot be used, the first ``get_…`` raises ValueError.
"""

import atexit
import gc
import os
import threading
import time
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime import Runtime
from streamlit.runtime.pages_manager import PagesManager

# Streamlit takes a folder named pages/ for its older kind of app until st.navigation has run
# once in the process: were a page's own address the first to be opened, it would come up
# without app.py around it. Whatever page runs first imports this, and is run again as it should.
if PagesManager.uses_pages_directory:
    PagesManager.uses_pages_directory = False
    gc.disable()  # until all is imported, below: looking for garbage takes a tenth of that time
    st.rerun()

# After that, as this takes two seconds, in which another first visitor may come.
from gpt_core.access import Roster, read_rules
from gpt_core.analysis import CachedStore
from gpt_core.inference import GenerationWorker, ModelCache
from gpt_core.library import ModelLibrary
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore, default_runs_dir

gc.enable()
gc.freeze()  # modules are no garbage: to go through theirs would halt all threads for 0.2 s


@dataclass(frozen=True)
class Services:
    """The services of this process."""

    store: RunStore
    runner: TrainingRunner
    model_cache: ModelCache
    generation_worker: GenerationWorker
    cached_store: CachedStore
    models: ModelLibrary
    roster: Roster | None

    def close(self) -> None:
        """End what trains, then everything else."""
        self.models.close()
        self.generation_worker.close()
        self.runner.close()
        self.store.close()


JOIN_CODE, PASSPHRASE = "GPT_LAB_JOIN_CODE", "GPT_LAB_PASSPHRASE"  # for a class: else made up
FRESH_SECONDS = 0.5  # of each second between two drawings: what is drawn is no older
CLASS_MODE = "GPT_LAB_CLASS"  # the environment variable by which classroom.py says that it is one

SCRIPT_THREAD = "ScriptRunner"  # what Streamlit calls the threads that run pages
TABS_A_SECOND = 6  # so many of the open ones are drawn each second

_making = threading.Lock()  # guards _services: two first visitors must get the same ones
_services: Services | None = None


def get_store() -> RunStore:
    """Return the store of the runs directory."""
    return _get_services().store


def get_runner() -> TrainingRunner:
    """Return the runner that owns the models that train."""
    return _get_services().runner


def get_model_cache() -> ModelCache:
    """Return the models that pages read."""
    return _get_services().model_cache


def get_generation_worker() -> GenerationWorker:
    """Return the worker that generates texts."""
    return _get_services().generation_worker


def get_cached_store() -> CachedStore:
    """Return what is on record, read once for all viewers."""
    return _get_services().cached_store


def get_models() -> ModelLibrary:
    """Return the models that no run here has made."""
    return _get_services().models


def get_roster() -> Roster | None:
    """Return the members of the class; None where one person has the machine to themselves."""
    return _get_services().roster


def get_class_roster() -> Roster:
    """Return the members of the class, for what is there only where there is one."""
    roster = get_roster()
    assert roster is not None
    return roster


def is_class() -> bool:
    """Tell whether this process serves a class: ``streamlit run classroom.py``."""
    return bool(os.environ.get(CLASS_MODE))


def count_viewers() -> int:
    """Return how many browser tabs look at the app now."""
    if not Runtime.exists():  # where a test imports app.py without a server
        return 1
    sessions = getattr(Runtime.instance(), "_session_mgr", None)  # AppTest has none
    return 1 if sessions is None else int(sessions.num_active_sessions())


def refresh_seconds(at_least: int = 1) -> int:
    """Return how many seconds lie between two drawings of what moves: more as tabs grow many.

    What they look at is computed on the cores that train.
    """
    return max(at_least, round(count_viewers() / TABS_A_SECOND))


def close_runtime() -> None:
    """End what trains and forget the services; the next use makes new ones (tests need it)."""
    global _services
    with _making:
        if _services is not None:
            atexit.unregister(close_runtime)
            atexit.unregister(wait_for_pages)
            _services.close()
            _services = None


def wait_for_pages(seconds: float = 20.0) -> None:
    """Wait until no page computes any more: torch, cut off in the middle, crashes the process."""
    deadline = time.monotonic() + seconds
    for thread in threading.enumerate():
        if thread.name.startswith(SCRIPT_THREAD):
            thread.join(max(0.0, deadline - time.monotonic()))


def _get_services() -> Services:
    global _services
    with _making:
        if _services is None:
            store = RunStore(default_runs_dir())
            runner = TrainingRunner(
                store,
                active_runs=_number_from("GPT_LAB_ACTIVE_RUNS") or 1,
                threads=_number_from("GPT_LAB_THREADS"),
                rules=read_rules(store) if is_class() else None,
            )
            roster = None
            if is_class():
                code, passphrase = os.environ.get(JOIN_CODE), os.environ.get(PASSPHRASE)
                roster = Roster(store, code, passphrase)
            cached_store = CachedStore(
                store, fresh_seconds=lambda: FRESH_SECONDS * refresh_seconds()
            )
            # When the process ends, in reverse order: pages that compute come to their end, what
            # trains is saved, then the store's file is made whole.
            atexit.register(close_runtime)
            atexit.register(wait_for_pages)
            _services = Services(
                store=store,
                runner=runner,
                model_cache=ModelCache(),
                generation_worker=GenerationWorker(),
                cached_store=cached_store,
                models=ModelLibrary(store),
                roster=roster,
            )
        return _services


def _number_from(variable: str) -> int | None:
    """Return the number in an environment variable, or None where it is not set."""
    text = os.environ.get(variable)
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"The environment variable {variable}={text!r} is no number from 1 on.")
    return int(text)
