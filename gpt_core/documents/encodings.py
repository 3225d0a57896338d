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

# Python's codec for each encoding of the web, and the labels that mean it beside the codec's own
# names. Source: the WHATWG Encoding Standard, section 4.2. Two are read that it forbids for
# security in browsers: hz and iso2022_kr.
WEB_LABELS = {
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8 utf8 "
    "utf-16 utf-16le utf-16be csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff unicodefffe",
    "cp866": "866 csibm866 ibm866",
    "iso8859-2": "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 "
    "iso_8859-2:1987 l2 latin2",
    "iso8859-3": "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 "
    "iso_8859-3:1988 l3 latin3",
    "iso8859-4": "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 "
    "iso_8859-4:1988 l4 latin4",
    "iso8859-5": "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 "
    "iso_8859-5 iso_8859-5:1988",
    "iso8859-6": "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 "
    "iso-8859-6-e iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987",
    "iso8859-7": "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 "
    "iso88597 iso_8859-7 iso_8859-7:1987 sun_eu_greek",
    "iso8859-8": "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 "
    "iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 visual csiso88598i iso-8859-8-i logical",
    "iso8859-10": "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6",
    "iso8859-13": "iso-8859-13 iso8859-13 iso885913",
    "iso8859-14": "iso-8859-14 iso8859-14 iso885914",
    "iso8859-15": "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9",
    "iso8859-16": "iso-8859-16",
    "koi8-r": "cskoi8r koi koi8 koi8_r",
    "koi8-u": "koi8-ru",
    "mac-roman": "csmacintosh mac macintosh x-mac-roman",
    "cp874": "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
    "cp1250": "windows-1250 x-cp1250",
    "cp1251": "windows-1251 x-cp1251",
    "cp1252": "ansi_x3.4-1968 ascii cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 "
    "iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252",
    "cp1253": "windows-1253 x-cp1253",
    "cp1254": "csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 "
    "l5 latin5 windows-1254 x-cp1254",
    "cp1255": "windows-1255 x-cp1255",
    "cp1256": "windows-1256 x-cp1256",
    "cp1257": "windows-1257 x-cp1257",
    "cp1258": "windows-1258 x-cp1258",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "gb18030": "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk",
    "hz": "hz-gb-2312",
    "big5hkscs": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "euc_jp": "cseucpkdfmtjapanese euc-jp x-euc-jp",
    "iso2022_jp_ext": "csiso2022jp iso-2022-jp",
    "cp932": "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
    "cp949": "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 "
    "ksc5601 ksc_5601 windows-949",
    "iso2022_kr": "csiso2022kr iso-2022-kr",
}
_WEB_CODECS = {
    label: codec for codec, labels in WEB_LABELS.items() for label in (codec, *labels.split())
}


def web_encoding(label: str) -> str | None:
    """Return Python's codec for the encoding that a web page or an XML file declares.

    A label has the meaning that browsers give it: iso-8859-1 and us-ascii are windows-1252. A label
    that could be read before the encoding was known is not written in UTF-16: such a page is UTF-8.

    Returns: the codec's name, None if the label means no encoding.

    Source: the WHATWG Encoding Standard; for UTF-16 the HTML Standard, section 13.2.3.
    """
    label = label.strip("\t\n\f\r ").lower()
    return _WEB_CODECS.get(label)


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
