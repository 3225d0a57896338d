"""Protection against ZIP archives that unpack to far more than a book."""

import zipfile
from io import BytesIO

from gpt_core.documents.document import UnreadableError

MAX_UNPACKED_BYTES = 400 * 2**20  # of a docx or epub: more than any book
MAX_UNPACKED_RATIO = 200  # text compresses to a third or a tenth, not to a thousandth


def require_plausible_size(data: bytes) -> None:
    """Refuse an archive that declares too large a size; zipfile never reads beyond that size.

    Raises:
        UnreadableError: the declared size is more than any book's.
    """
    with zipfile.ZipFile(BytesIO(data)) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > min(MAX_UNPACKED_BYTES, max(2**22, MAX_UNPACKED_RATIO * len(data))):
        raise UnreadableError(
            f"would unpack to {unpacked / 2**20:,.0f} MB, from {len(data) / 2**20:.1f} MB: that "
            "is far more than a book. Save the text as plain text, and upload that."
        )
