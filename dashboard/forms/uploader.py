"""The uploader of files, within what a member may upload."""

from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from dashboard.app import current_actor, get_uploads, show_refusal


def choose_files(
    label: str, file_types: Sequence[str], max_megabytes: int, key: str
) -> list[UploadedFile]:
    """Let the user upload files, and say why the last was refused.

    Args:
        label: the uploader's label.
        file_types: the files' endings.
        max_megabytes: the maximum of one file in units of 2^20 bytes; a student's limit may be
            lower.
        key: the widget's key. Under another key it is empty, and the files are freed.
    """
    allowed = get_uploads().max_bytes(current_actor()) // 2**20
    files = st.file_uploader(
        label,
        type=list(file_types),
        accept_multiple_files=True,
        max_upload_size=max(1, min(max_megabytes, allowed)),
        key=key,
    )
    if refusal := get_uploads().show(files):
        show_refusal(ValueError(refusal))
    return files
