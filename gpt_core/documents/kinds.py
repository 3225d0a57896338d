"""What kind of file some bytes are, and what to do with those that cannot be read."""

import re
import zipfile
from io import BytesIO

from gpt_core.documents.document import UnreadableError

PICTURE = "is a picture: recognise its text (OCR), and upload that."
SOUND = "is a recording or a film, not a text: upload a transcript of it."
PROGRAM = "is a program, not a text: choose a file that contains text."
PACKED = "is packed: unpack it, and upload the texts in it."
KINDLE = (
    "is a Kindle book (MOBI or AZW): convert it to EPUB, for example with Calibre, and upload that."
)
# The beginnings of files that cannot be read, and what to do with them.
REFUSED = (
    (rb"\{\\rtf", "is RTF: save it as plain text or docx, and upload that."),
    (rb".{60}(BOOKMOBI|TEXtREAd)|TPZ3|\xeaDRMION\xee", KINDLE),
    (rb"AT&TFORM", "is a DjVu document: save its text as plain text, and upload that."),
    (rb"ITOLITLS|ITSF\x03", "is a Microsoft e-book or help file: convert it to EPUB or HTML."),
    (rb"%!PS", "is PostScript: convert it to PDF, and upload that."),
    (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*|BM.{4}\0{4}|RIFF.{4}WEBP", PICTURE),
    (rb".{4}ftyp(heic|mif1|avif)", PICTURE),
    (rb"ID3[\x02-\x04]|OggS|fLaC|RIFF.{4}(WAVE|AVI )|.{4}ftyp|\x1aE\xdf\xa3", SOUND),
    (rb"\xff[\xfb\xf3\xf2]", SOUND),
    (rb"\x7fELF|MZ.{58}.\0|\xca\xfe\xba\xbe|[\xce\xcf]\xfa\xed\xfe", PROGRAM),
    (rb"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive: unpack it, and upload the texts in it."),
    (rb"Rar!\x1a\x07", "is a RAR archive: unpack it, and upload the texts in it."),
    (rb"\xfd7zXZ\0|BZh[1-9]1AY&SY|\x28\xb5\x2f\xfd|MSCF\0|\x1f[\x9d\xa0]", PACKED),
    (rb".{257}ustar", "is a TAR archive: unpack it, and upload the texts in it."),
    (rb"SQLite format 3\0", "is a database: save its texts as CSV, and upload that."),
    (rb"PAR1\x15", "is a Parquet table: save its column of text as CSV or JSON lines."),
    (rb"version https://git-lfs", "is only a pointer of Git LFS: download the file itself."),
    (rb"<\?mso-application", "is an old XML file of Office: save it as docx, and upload that."),
    (rb"<\?xml.{0,200}<\?mso-application", "is XML of Office 2003: save it as docx."),
)  # fmt: skip
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # what Office wrote before 2007, and what it encrypts
OLE_STREAMS = (
    ("EncryptedPackage", "is protected by a password: open it in Word, save it without one, and "
     "upload that."),
    ("WordDocument", "is a Word file of before 2007 (doc): save it as docx, and upload that."),
    ("Workbook", "is an Excel workbook of before 2007: save its column of text as CSV."),
    ("PowerPoint Document", "is a PowerPoint presentation: save its text as plain text."),
)  # fmt: skip
SPREADSHEET = "is a spreadsheet (Excel or LibreOffice): save its column of text as CSV."
PRESENTATION = "is a presentation: save its text as plain text or PDF, and upload that."
HTML_START = re.compile(
    rb"(\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*(<\?xml[^>]*>)?"
    rb"(\s|(?><!--.*?-->))*+<(!doctype html|html[\s>])",  # atomic: in linear time
    re.IGNORECASE | re.DOTALL,
)


def require_readable_kind(data: bytes) -> None:
    """Refuse a file of a kind that is known and cannot be read.

    Raises:
        UnreadableError: what it is, and what to do.
    """
    for beginning, sentence in REFUSED:
        if re.match(beginning, data[:1024], re.DOTALL):
            raise UnreadableError(sentence)
    if data.startswith(OLE):
        for stream, sentence in OLE_STREAMS:
            if stream.encode("utf-16-le") in data:
                raise UnreadableError(sentence)
        raise UnreadableError("is an old Office file: save it as docx or plain text.")


def is_html(head: bytes) -> bool:
    """Tell whether a file begins as a web page does."""
    return bool(HTML_START.match(head.replace(b"\0", b"")))  # without the zeros of UTF-16


def zip_kind(data: bytes, promised: str) -> str:
    """Return whether a ZIP is an EPUB, a Word file, an OpenDocument text or a ZIP of texts.

    If it is damaged, what its name promises decides.

    Raises:
        UnreadableError: it is of another kind that is known.
    """
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = set(archive.namelist())
            kind = archive.read("mimetype")[:80].decode() if "mimetype" in names else ""
    except Exception:  # reading it reports that
        return promised if promised in ("EPUB", "Word file", "OpenDocument text") else "ZIP"
    folders = {name.partition("/")[0] for name in names}
    if "META-INF/container.xml" in names or "epub" in kind:
        return "EPUB"
    if "opendocument.text" in kind:
        return "OpenDocument text"
    if "opendocument.spreadsheet" in kind or ("xl" in folders and "[Content_Types].xml" in names):
        raise UnreadableError(SPREADSHEET)
    if "opendocument" in kind or ("ppt" in folders and "[Content_Types].xml" in names):
        raise UnreadableError(PRESENTATION)
    if "[Content_Types].xml" in names or "word/document.xml" in names:
        return "Word file"
    if "Index/Document.iwa" in names:
        raise UnreadableError("is a Pages document: export it as docx or EPUB, and upload that.")
    return promised if promised in ("EPUB", "Word file", "OpenDocument text") else "ZIP"
