"""The choice of a training text: the app's, The Verdict, or the user's own."""

from contextlib import suppress
from functools import partial

import streamlit as st

from dashboard.app import (
    attempt,
    current_actor,
    get_roster,
    get_runner,
    get_store,
    is_restricted,
    may_show,
    owner_name,
    session_keys,
    show_refusal,
)
from dashboard.charts import count, format_bytes
from dashboard.forms.uploads import upload_files
from dashboard.ui import delete_button, share_toggle
from gpt_core.library import LibraryText, TextLibrary
from gpt_core.text import (
    BUNDLED_TEXTS,
    DESCRIPTIONS,
    GENERATED_TEXTS,
    VERDICT,
    VERDICT_TITLE,
    Corpus,
    download_the_verdict,
    has_the_verdict,
    load_text,
    passages,
    readable_name,
    save_the_verdict,
)

MIN_CHARACTERS = 2000


def get_library() -> TextLibrary:
    """Return the library of uploaded and pasted texts."""
    return TextLibrary(get_store(), actor=current_actor(), rules=get_runner().rules)


def choose_corpus() -> Corpus | None:
    """Let the user choose a text; None after saying how to get it or why it is refused."""
    kept = {entry.sha256: entry for entry in get_library().texts() if may_show(entry)}
    titles = {**BUNDLED_TEXTS, VERDICT: VERDICT_TITLE}
    for sha256, entry in kept.items():
        title = f"{entry.name} · {format_bytes(entry.bytes)}{_whose(entry)}"
        # Streamlit identifies an option by its text, so no two may be equal.
        titles[sha256] = f"{title} · {sha256[:6]}" if title in titles.values() else title
    if (new := st.session_state.pop(session_keys.NEW_TEXT, None)) in titles:
        st.session_state[session_keys.TEXT] = new
    name = st.selectbox(
        "Text",
        list(titles),
        format_func=lambda name: titles[name],
        key=session_keys.TEXT,
        persist_state="session",
    )
    if name in DESCRIPTIONS:
        st.caption(DESCRIPTIONS[name])
    try:
        if name in kept:
            return get_library().load(name)
        if name == VERDICT and not has_the_verdict():
            st.text(
                "The book's text is not in this repository. Download it with one click or, without "
                "a network, upload it as a file of your own."
            )
            if not st.button("Download The Verdict (20 kB)"):
                return None
            with st.spinner("Downloading…"):
                return download_the_verdict()
        return load_text(name)
    except ValueError as error:
        show_refusal(error)
        return None


def add_texts() -> None:
    """Let the user add texts of their own, as files or pasted."""
    if is_restricted():
        st.caption(
            "What you save is stored on the class's computer until you delete it. Your teacher can "
            "read it; the class only if you share it."
        )
    files, pasted, generated = st.tabs(["Files", "Pasted text", "Generated"])
    with files:
        corpus = upload_files()
        if corpus is not None:
            _offer(corpus, "uploaded")
    with pasted:
        _add_pasted()
    with generated:
        _add_generated()


def manage_library() -> None:
    """Let the user share and delete texts of their own; a text that a run needs stays."""
    entries = [entry for entry in get_library().entries() if may_show(entry)]
    if is_restricted():
        entries = [entry for entry in entries if entry.owner == current_actor()]
    if not entries:
        return
    with st.expander(f"{'Saved texts' if get_roster() else 'Your texts'} ({len(entries)})"):
        for entry in entries:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.text(describe(entry) + _whose(entry))
                share_toggle(
                    "For the class",
                    f"share {entry.sha256} {entry.owner}",
                    entry.shared,
                    partial(get_library().share, entry),
                    "Everyone may read it and train on it, and sees the samples and weights of "
                    "runs on it.",
                )
                with st.popover("Delete"):
                    st.text(
                        "It cannot be brought back. While a run needs it, it stays: delete the "
                        "run first."
                    )
                    delete_button(f"{entry.sha256} {entry.owner}", _delete, entry)


def _whose(entry: LibraryText) -> str:
    whose = owner_name(entry.owner)
    return f" · {whose}" if whose else ""


def describe(entry: LibraryText) -> str:
    """Return a saved text's name, size and source on one line."""
    size = f"{entry.characters:,} characters, {format_bytes(entry.bytes)}"
    return f"{entry.name} · {size} · {entry.source}"


def _add_pasted() -> None:
    name = st.text_input("Its name", "A pasted text", max_chars=80)
    text = st.text_area("Its text", height=160, key=session_keys.PASTED)
    if not text:
        return
    try:
        corpus = Corpus(readable_name(name or ""), text)
    except ValueError as error:
        show_refusal(error)
    else:
        st.text(f"{count(len(text), 'character')}. It begins: “{passages(text)[0]}”")
        _offer(corpus, "pasted")


def _add_generated() -> None:
    """Let the user have stories or problems written, from a seed and of any length."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.selectbox(
            "Kind",
            list(GENERATED_TEXTS),
            format_func=lambda name: GENERATED_TEXTS[name].title,
            key=session_keys.GENERATED,
        )
        seed = st.number_input("Seed of its random draws", 0, 1_000_000, 1)
        size = st.number_input("Size in kB", 10, 5_000, 1_000)
    st.caption("Equal seeds give equal texts; the one that comes with the app has seed 0.")
    if st.button("Write and save it"):
        with st.spinner("Writing…"):
            text = GENERATED_TEXTS[kind].write(seed=seed, size=1_000 * size)
        name = f"{GENERATED_TEXTS[kind].title}, seed {seed}"
        _keep(Corpus(name, text), "generated")
        st.rerun()


def _offer(corpus: Corpus, source: str) -> None:
    """Offer to save a text."""
    st.caption("Not saved yet: below, the page still shows the text that is chosen above.")
    if len(corpus.text) < MIN_CHARACTERS:
        st.caption("This is short: a model needs at least a few pages to learn from.")
    st.button(
        "Save this text",
        type="primary",
        key=f"keep {source}",
        on_click=_keep,
        args=(corpus, source),
    )


def _delete(entry: LibraryText) -> None:
    """Delete a text, or say why it cannot be deleted."""
    attempt(get_library().delete, entry.sha256, entry.owner)


def _keep(corpus: Corpus, source: str) -> None:
    """Save a text, choose it, and empty the form it came from."""
    if not attempt(get_library().keep, corpus, source):
        return
    with suppress(ValueError):  # if data/ cannot be written to, it stays a text of the library
        save_the_verdict(corpus.text.encode())  # does nothing for other texts
    st.session_state[session_keys.NEW_TEXT] = corpus.sha256
    st.session_state[session_keys.UPLOADS_KEPT] = (
        st.session_state.get(session_keys.UPLOADS_KEPT, 0) + 1
    )
    st.session_state.pop(session_keys.PASTED, None)
    st.toast("Saved, and chosen above and on the Train page.")
