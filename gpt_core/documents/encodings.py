"""The bytes of a plain-text file → text, whatever encoding it was saved in."""

import re
from contextlib import suppress

from charset_normalizer import from_bytes

from gpt_core.documents.document import UnreadableError

BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# Encodings other than Unicode; those that fit almost any bytes come last.
ENCODINGS = [
    *("utf_16_le", "utf_16_be", "shift_jis", "cp932", "euc_jp", "gb18030", "big5", "euc_kr"),
    *("koi8_r", "cp1251", "cp1253", "cp1255", "cp1256", "cp1250", "cp1252"),
]


def decode_text(data: bytes, encoding: str = "") -> tuple[str, str]:
    """Decode the bytes of a plain text as UTF-8 or, failing that, in the most probable encoding.

    Args:
        data: the bytes.
        encoding: the encoding in which to read them; "" finds it.

    Returns: the text, and the encoding in which it was read.

    Raises:
        UnreadableError: the UTF-8 is damaged, or the bytes are not text.
    """
    if encoding:
        return data.decode(encoding), encoding
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding), encoding
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        if _is_damaged_utf_8(data):
            raise UnreadableError(
                f"is UTF-8 text, but damaged at byte {error.start:,}: open it in an editor, "
                "repair that place, and save it again as UTF-8."
            ) from error
    guesses = from_bytes(data, cp_isolation=ENCODINGS)
    guess = guesses.best()
    encoding = guess.encoding if guess else ""
    if guess and encoding == "cp1250":  # Central European, which reads å as ĺ
        western = data.decode("cp1252", errors="replace")
        if not re.search(r"[^\W\d_][³¹¿]", western) and any(  # which would read ł, ą, ż as these
            g.encoding == "cp1252" and g.coherence >= guess.coherence for g in guesses
        ):
            encoding = "cp1252"
        # Its twin ISO 8859-2 has ą and ś elsewhere, and no letters from 80 to 9F.
        elif not re.search(rb"[\x80-\x9f\xb9]", data):
            encoding = "iso8859_2"
    if not encoding or (b"\0" in data and not encoding.startswith("utf_16")):
        raise UnreadableError(
            "is not a text (a picture, a program, an archive?): choose a file that contains text."
        )
    return data.decode(encoding), encoding


def _is_damaged_utf_8(data: bytes) -> bool:
    """Tell a UTF-8 text with a few wrong bytes from a text in another encoding."""
    with suppress(UnicodeDecodeError):
        data.decode("utf-8", errors="surrogatepass")  # only half surrogate pairs are wrong
        return True
    text = data.decode("utf-8", errors="replace")
    wrong = text.count("\N{REPLACEMENT CHARACTER}")
    right = sum(not character.isascii() for character in text) - wrong
    return right > wrong
