"""Uploaded files: what was read of each, how it was read, and what can be chosen about that."""

from dataclasses import dataclass, replace

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from dashboard.app import session_keys, show_refusal
from dashboard.charts import count, format_bytes
from dashboard.forms.reading import reading_turn
from dashboard.forms.uploader import choose_files
from gpt_core.documents import DEFAULTS, ENCODING_NAMES, FILE_TYPES, Document, ReadingOptions
from gpt_core.text import (
    Corpus,
    count_odd_characters,
    join_texts,
    max_upload_bytes,
    passages,
    read_upload_document,
    upload_corpus,
    words_beyond_ascii,
)

MANY_ODD = 0.001  # of all characters: beyond what a scan or a font leaves behind
GUTENBERG = "Project Gutenberg"


@dataclass(frozen=True)
class ReadFile:
    """What was read of a file, found out once and not at each redraw."""

    corpus: Corpus
    document: Document
    odd: dict[str, int]  # odd characters by kind
    words: list[str]  # with letters beyond ASCII

    @classmethod
    def of(cls, name: str, document: Document) -> "ReadFile":
        """Return what the page shows of a document.

        Raises:
            ValueError: it holds no text.
        """
        text = document.text
        odd, words = count_odd_characters(text), words_beyond_ascii(text)
        return cls(upload_corpus(name, document), document, odd, words)


def upload_files() -> Corpus | None:
    """Let the user upload files and see what was read; return their text when all are read."""
    try:
        largest = max_upload_bytes() // 2**20  # MB
    except ValueError as error:
        show_refusal(error)
        return None
    uploads = choose_files(
        "Text, HTML, PDF, Word, EPUB and others; several become one text",
        [f".{ending}" for ending in FILE_TYPES],  # "text" would mean any text/*
        largest,
        key=f"{session_keys.UPLOAD}-{st.session_state.get(session_keys.UPLOADS_KEPT, 0)}",
    )
    if not uploads:
        st.session_state.pop(session_keys.UPLOADED, None)
        return None
    if sum(upload.size for upload in uploads) > max_upload_bytes():
        show_refusal(ValueError(f"The files are larger than {largest} MB together: remove some."))
        return None
    st.session_state.setdefault(session_keys.UPLOADED, {})
    read = [_read_and_show(upload, alone=len(uploads) == 1) for upload in uploads]
    texts = [text for text in read if text is not None]
    if len(texts) < len(read):
        st.text("Remove what cannot be read, with the × beside its name.")
        return None
    by_content = {text.sha256: text for text in texts}  # the same file twice is one text
    if len(by_content) > 1:
        st.text("They are separated by <|endoftext|>, the token for the end of a document.")
    return join_texts(list(by_content.values()))


def _read_and_show(upload: UploadedFile, alone: bool) -> Corpus | None:
    """Show what was read of a file; return its text, or None after saying why there is none."""
    options = _chosen_options(upload)
    read = _read(upload, options)
    if isinstance(read, ValueError):
        show_refusal(read)
        if options.encoding:  # another one can be chosen
            _choose_encoding(upload)
        return None
    st.text(f"{upload.name} · {_summary(upload, read.document)}")
    with st.container(border=True) if alone else st.expander("What was read of it"):
        _show_impression(read)
        _offer_options(upload, read)
    return read.corpus


def _read(upload: UploadedFile, options: ReadingOptions) -> ReadFile | ValueError:
    """Read a file, once for each choice of options, or return why it cannot be read."""
    known = st.session_state[session_keys.UPLOADED]
    key = (upload.file_id, options)
    if key not in known:
        for other in [other for other in known if other[0] == upload.file_id]:
            del known[other]
        try:
            with reading_turn(f"Reading {format_bytes(upload.size)}…") as watch:
                document = read_upload_document(
                    upload.name, upload.getvalue(), options, watch=watch
                )
                known[key] = ReadFile.of(upload.name, document)
        except ValueError as error:
            known[key] = error
    read: ReadFile | ValueError = known[key]
    return read


def _summary(upload: UploadedFile, document: Document) -> str:
    """Return a file's format, encoding and sizes on one line."""
    parts = [
        document.format,
        ENCODING_NAMES.get(document.encoding, document.encoding),
        f"{count(len(document.text), 'character')} from {format_bytes(upload.size)}",
    ]
    return " · ".join(filter(None, parts))


def _show_impression(read: ReadFile) -> None:
    """Show what lets one see whether a file was read right."""
    document, odd = read.document, read.odd
    if document.left_out:
        st.text(f"Left out or changed: {'; '.join(document.left_out)}.")
    if odd:
        found = " and ".join(count(number, kind) for kind, number in odd.items())
        if sum(odd.values()) > MANY_ODD * len(document.text):
            st.warning(
                f"The text has {found}: it was read in the wrong encoding, or its fonts do not say "
                "which letters they draw. Do the passages below read well?"
            )
        else:
            st.caption(f"The text has {found}.")
    names = ("It begins", "A third of the way", "Two thirds of the way")
    for name, passage in zip(names, passages(document.text), strict=False):
        st.text(f"{name}: “{passage}”")


def _chosen_options(upload: UploadedFile) -> ReadingOptions:
    """Return what was chosen about how a file is read, in the last redraw's widgets."""
    chosen = {
        name: st.session_state[key]
        for name in vars(DEFAULTS)
        if (key := _option_key(upload, name)) in st.session_state
    }
    return replace(DEFAULTS, **chosen)


def _option_key(upload: UploadedFile, name: str) -> str:
    return f"{session_keys.UPLOAD}-{upload.file_id}-{name}"


def _offer_options(upload: UploadedFile, read: ReadFile) -> None:
    """Offer what can be chosen about how a file is read: only what changes something in it."""
    chosen, document = _chosen_options(upload), read.document
    words = read.words if document.encoding else []
    if words:
        st.text(f"Words with letters beyond A to Z: {', '.join(words)}.")
    if words or chosen.encoding:
        _choose_encoding(upload)
    if document.is_article is not None:
        st.toggle(
            "Only the article, without menus and footers",
            document.is_article,
            key=_option_key(upload, "article_only"),
        )
    if len(document.columns) > 1:
        columns = sorted(document.columns)
        st.selectbox(
            "The column with the text",
            columns,
            index=columns.index(document.columns[0]),
            key=_option_key(upload, "column"),
        )
    if chosen.keep_licence or any(GUTENBERG in phrase for phrase in document.left_out):
        st.checkbox(
            "Keep Project Gutenberg's header and licence", key=_option_key(upload, "keep_licence")
        )


def _choose_encoding(upload: UploadedFile) -> None:
    """Let the user choose another encoding than the one that was found."""
    st.selectbox(
        "Encoding",
        ["", *ENCODING_NAMES],
        format_func=lambda name: ENCODING_NAMES.get(name, "As found"),
        key=_option_key(upload, "encoding"),
        help="If those words read wrong, choose another one.",
        width=360,
    )
