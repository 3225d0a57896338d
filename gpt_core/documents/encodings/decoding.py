"""The bytes of a plain-text file → text, whatever encoding it was saved in."""

import re
import unicodedata

from gpt_core.documents.document import UnreadableError
from gpt_core.documents.encodings.detection import (
    probable_encodings,
    sample_of,
    shifted_encoding,
    wide_encoding,
)
from gpt_core.documents.encodings.names import ENCODING_NAMES, web_encoding

BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
C1_CONTROLS = re.compile("[\x80-\x84\x86-\x9f]")  # that no text has; the ISO encodings have them
NO_TEXT = "is not a text (a picture, a program, an archive?): choose a file that contains text."


def decode_text(data: bytes, encoding: str = "") -> tuple[str, str]:
    """Decode the bytes of a plain text as Unicode or, failing that, in the most probable encoding.

    Args:
        data: the bytes.
        encoding: the encoding in which to read them, one of ENCODING_NAMES or a label of the web;
            "" finds it.

    Returns: the text, and the encoding in which it was read.

    Raises:
        UnreadableError: the bytes are not text, are damaged, or are not in the chosen encoding.
    """
    if encoding:
        return _decode_as_chosen(data, encoding)
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return _decode_or_refuse(data, encoding), encoding.removesuffix("-sig")
    if wide := wide_encoding(data):
        return _decode_or_refuse(data, wide), wide
    if (place := data.find(b"\0")) >= 0:
        raise UnreadableError(
            f"is not a text: it holds NUL characters, the first at byte {place:,}. Choose a file "
            "that contains text."
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        sample = sample_of(data)
        if _is_damaged_utf_8(data[error.start : error.start + 3], sample):
            raise _damaged("utf-8", error.start) from error
    else:
        shifted = shifted_encoding(data)
        return (_decode_or_refuse(data, shifted), shifted) if shifted else (text, "utf-8")
    declared = re.match(rb"\s*<\?xml[^>]{1,200}encoding=[\"']([\w.:-]+)", data)
    probable = [web_encoding(declared[1].decode("ascii", "replace"))] if declared else []
    return _decode_in_first([*filter(None, probable), *probable_encodings(data, sample)], data)


def _decode_in_first(encodings: list[str], data: bytes) -> tuple[str, str]:
    """Decode in the first of some encodings in which all bytes are characters."""
    failure: UnreadableError | None = None
    for encoding in encodings:
        try:
            text = _decode(data, encoding)
        except UnicodeDecodeError as error:
            failure = failure or _damaged(encoding, error.start)
            continue
        if not (control := C1_CONTROLS.search(text)):
            return text, encoding
        failure = failure or _damaged(encoding, control.start())  # these encodings have bytes only
    raise failure or UnreadableError(NO_TEXT)


def _decode_as_chosen(data: bytes, encoding: str) -> tuple[str, str]:
    """Decode in the encoding that a person chose."""
    name = encoding if encoding in ENCODING_NAMES else web_encoding(encoding)
    if name is None:
        raise UnreadableError(
            f"cannot be read as {encoding!r}, which is no known encoding: choose another, or let "
            "it be found."
        )
    codec = "utf-8-sig" if name == "utf-8" else name
    text = _decode_or_refuse(data, codec, f"cannot be read as {ENCODING_NAMES[name]}")
    if "\0" in text:
        raise UnreadableError(
            f"holds NUL characters when it is read as {ENCODING_NAMES[name]}: choose another."
        )
    return text.removeprefix("\ufeff"), name


def _decode_or_refuse(data: bytes, encoding: str, wrong: str = "") -> str:
    try:
        return _decode(data, encoding)
    except UnicodeDecodeError as error:
        if wrong:
            raise UnreadableError(
                f"{wrong}: byte {error.start:,} is no character there. Choose another encoding."
            ) from error
        raise _damaged(encoding, error.start) from error


def _decode(data: bytes, encoding: str) -> str:
    text = data.decode(encoding)
    # In windows-1258 the marks of tone are characters of their own.
    return unicodedata.normalize("NFC", text) if encoding == "cp1258" else text


def _damaged(encoding: str, place: int) -> UnreadableError:
    name = "UTF-8" if encoding.startswith("utf-8") else ENCODING_NAMES[encoding]
    return UnreadableError(
        f"is {name} text, but damaged at byte {place:,}: open it in an editor, repair that place, "
        "and save it again as UTF-8."
    )


def _is_damaged_utf_8(place: bytes, sample: bytes) -> bool:
    """Tell a UTF-8 text with a few wrong bytes from a text in another encoding."""
    if re.match(rb"\xed[\xa0-\xbf][\x80-\xbf]", place):  # half a surrogate pair, as if a character
        return True
    text = sample.decode("utf-8", errors="replace")
    wrong = text.count("\N{REPLACEMENT CHARACTER}")
    right = sum(not character.isascii() for character in text) - wrong
    return right > wrong
