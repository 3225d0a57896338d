"""Which encoding a text is in, where no byte order mark says it and it is not UTF-8."""

import re
import unicodedata
from collections import Counter
from contextlib import suppress

import chardet

from gpt_core.documents.encodings.names import ENCODING_NAMES

# What chardet names, and which codecs to try before it: they have more characters, or those of the
# computers on which such texts were written.
BETTER = {
    "iso8859-1": ("cp1252",),
    "iso8859-8": ("cp1255",),
    "iso8859-9": ("cp1254",),
    "tis-620": ("cp874",),
    "euc_kr": ("cp949",),
    "big5hkscs": ("cp950",),
    "shift_jis_2004": ("cp932",),
    "euc_jis_2004": ("euc_jp",),
}
FOUND_BEFORE = {*(name for name in ENCODING_NAMES if name.startswith("utf")), "euc_jp", "cp950"}
SOUGHT = (set(ENCODING_NAMES) - FOUND_BEFORE) | set(BETTER)  # by chardet

SAMPLE_BYTES = 2**16
MIN_CONFIDENCE = 0.1  # of chardet: below it the bytes are like no language
MIN_SPARSE_CONFIDENCE = 0.03  # where most bytes are ASCII, as in markup
MIN_OF_BEST = 0.95  # a guess less confident than this fraction of the best is not tried

PARTS = 8  # into which a long sample is cut
CLEARLY = 1.1  # times the confidence of another encoding

HIGH = re.compile(rb"[\x80-\xff]")
SMALL_ASCII = b" abcdefghijklmnopqrstuvwxyz"
HIGH_BYTES = bytes(range(0x80, 0x100))
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # that no 8-bit text has; not escape
BETWEEN_CHARACTERS = re.compile(rb"[\x00-\x2f]")  # no part of a longer character in any encoding
OTHER_ALPHABETS = "\u0370-\u06ff\u0e00-\u0e7f"  # Greek to Arabic, and Thai
TWO_ALPHABETS = re.compile(f"[a-z][{OTHER_ALPHABETS}]|[{OTHER_ALPHABETS}][a-z]")  # in one word
# In UTF-16 of the right byte order blanks, line ends, Latin letters and East Asian punctuation.
WIDE_MARKS = re.compile("[\t\n\r\x20-\x7e\u3000-\u3002\uff01\uff0c\uff1f]")

# An English text with a few characters beyond ASCII: what shows these where they belong is right.
FEW_HIGH_BYTES = 0.005  # of all bytes
VERY_FEW = 3  # high bytes: too few to know a language by
OF_ENGLISH = ("cp1252", "mac-roman", "cp850", "cp437")  # the most probable first
SMALL, CAPITALS = "àâäáãåæçèéêëìíîïñòóôöõøùúûüßœ", "ÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖÕØÙÚÛÜŒ"
WORD = re.compile(r"[^\W\d_¹²³¼½¾]+")
ENGLISH_WORD = re.compile(
    f"[àÀ]|[a-z{SMALL}]{{2,}}|[A-Z{CAPITALS}][a-z{SMALL}]+|[A-Z{CAPITALS}]{{2,}}"
)
SYMBOL = re.compile(r"[^\x00-\x7f\w]|[¹²³¼½¾]")
ENGLISH_SYMBOL = re.compile(
    r"(?<!\w)[“‘„«¿¡](?!\s)|(?<!\s)[”»](?!\w)|[’—–\xa0\xad]|(?<![a-z])…|…(?![a-z])"
    r"|(?<=\d)[°¼½¾²³]|(?<![^\s([-])[¼½¾]|[£€¥](?=\s?\d)|(?<=\d)\s?[¢€]"
    r"|(?<!\w)[§©¶†‡•·±×](?!\w)|(?<=\w)[†‡®™](?!\w)|§(?=\d)|(?<=\w)²"
)


def sample_of(data: bytes) -> bytes:
    """Return some 64 kB of a long text that is not ASCII: lines from several places of it.

    A text may begin with pages of ASCII, and its parts may be in several languages.
    """
    if len(data) <= SAMPLE_BYTES:
        return data
    parts: list[bytes] = []
    size, end = SAMPLE_BYTES // PARTS, 0
    for start in range(0, len(data), len(data) // PARTS + 1):
        found = HIGH.search(data, max(start, end))
        if not found:
            break
        begin, place = max(found.start() - size, end), found.start()
        begin = data.rfind(b"\n", begin, place) + 1 or data.rfind(b" ", begin, place) + 1
        if parts and not begin:
            continue  # a long line without blanks: this may be the middle of a character
        begin = begin or place  # before the first high byte all is ASCII
        cut = BETWEEN_CHARACTERS.search(data, begin + size, begin + 2 * size)
        end = cut.start() if cut else begin + 2 * size
        parts.append(data[begin:end])
    return b"\n".join(parts)


def wide_encoding(data: bytes) -> str:
    """Return the UTF-32 or UTF-16 in which a text without a byte order mark is, "" for none."""
    if not CONTROLS.search(data):  # which blanks or line ends are in UTF-16, and 。 and 、
        return ""
    sample = data[:SAMPLE_BYTES]
    for encoding in ("utf-32-le", "utf-32-be"):
        with suppress(UnicodeDecodeError):
            if any(sample.decode(encoding).split("\0")):
                return encoding
    texts = {e: sample.decode(e, errors="replace") for e in ("utf-16-le", "utf-16-be")}
    marks = {encoding: len(WIDE_MARKS.findall(text)) for encoding, text in texts.items()}
    best = max(marks, key=marks.__getitem__)
    odd = sum(
        unicodedata.category(character) in ("Cc", "Cn", "Co") and not character.isspace()
        for character in texts[best]
    ) + texts[best].count("\N{REPLACEMENT CHARACTER}")
    length = len(texts[best])
    lanes = (sample[::2], sample[1::2])
    is_wide = marks[best] * 100 >= length and odd <= max(1, length // 100)
    is_ascii = all(2 * len(lane.translate(None, SMALL_ASCII)) < len(lane) for lane in lanes)
    return best if is_wide and not is_ascii else ""


def shifted_encoding(data: bytes) -> str:
    """Return the encoding of a text in which ASCII characters stand for others, "" for none."""
    shift = re.search(rb"\x1b[$(]|~\{", data)
    if not shift or not data.isascii():
        return ""
    sample = data[data.rfind(b"\n", 0, shift.start()) + 1 :][: 4 * SAMPLE_BYTES]
    guess = chardet.detect(sample, compat_names=False)["encoding"] or ""
    if guess == "hz" and 4 * sum(map(len, re.findall(rb"~\{(.*?)~\}", sample))) > len(sample):
        return guess
    return guess if guess.startswith("iso2022") else ""


def probable_encodings(data: bytes, sample: bytes) -> list[str]:
    """Return the encodings in which a text that is not Unicode may be, the most probable first.

    Args:
        data: the whole text.
        sample: what :func:`sample_of` returns for it.

    Returns: encodings in which the sample is sensible; bytes of it may mean nothing there.
    """
    high = len(data) - len(data.translate(None, HIGH_BYTES))
    if high <= max(VERY_FEW, FEW_HIGH_BYTES * len(data)):
        for encoding in OF_ENGLISH:
            with suppress(UnicodeDecodeError):
                if _is_english(sample.decode(encoding)):
                    return [encoding]
    guesses = _guesses(sample)
    least = MIN_SPARSE_CONFIDENCE if 4 * high < len(data) else MIN_CONFIDENCE
    guesses = {name: confidence for name, confidence in guesses.items() if confidence >= least}
    found, best = [], 0.0
    for name, confidence in guesses.items():
        if confidence < MIN_OF_BEST * best:
            break
        for codec in (*BETTER.get(name, ()), name):
            text = sample.decode(codec, errors="replace")
            if len(TWO_ALPHABETS.findall(text)) <= len(text) // 500:
                best = best or confidence
                found.append(codec)
    if found and found[0] == "cp1250" and _is_iso8859_2(data):
        found.insert(0, "iso8859-2")
    ruled_out = _encoding_of_most_parts(sample, set(guesses), next(iter(guesses), ""))
    return [ruled_out] if ruled_out and (not found or ruled_out not in found) else found


def _guesses(sample: bytes) -> dict[str, float]:
    """Return chardet's guesses and how confident they are, the best first."""
    if sample.isascii():
        return {}  # every encoding is right
    plain = sample.replace(b"<", b" ")  # the charset in an example of HTML is not the text's own
    guesses = chardet.detect_all(plain, True, compat_names=False, include_encodings=SOUGHT)
    return {guess["encoding"]: guess["confidence"] for guess in guesses if guess["encoding"]}


def _encoding_of_most_parts(sample: bytes, possible: set[str], best: str) -> str:
    """Return the encoding of most of a text, if single bytes rule it out for the whole; else "".

    The text is damaged there: in any other encoding all of it would be nonsense.
    """
    lines = sample.split(b"\n")
    if len(lines) < 2 * PARTS:
        return ""
    votes: Counter[str] = Counter()
    for start in range(0, len(lines), -(-len(lines) // PARTS)):
        part = b"\n".join(lines[start : start - (-len(lines) // PARTS)])
        votes.update(_guesses(part))
    [(favourite, confidence)] = votes.most_common(1)
    is_clear = favourite not in possible and confidence > CLEARLY * votes[best]
    return BETTER.get(favourite, (favourite,))[0] if is_clear else ""


def _is_iso8859_2(data: bytes) -> bool:
    """Tell a text in ISO 8859-2 from one in its twin cp1250, which has ą, ś and ž elsewhere.

    The letters are where cp1250 has marks, and there is nothing from 80 to 9F.
    """
    letters = re.search(rb"[\xa1\xa6\xa9\xac\xae\xb1\xb6\xbc\xbe]", data)
    return letters is not None and not re.search(rb"[\x80-\x9f\xb9]", data)


def _is_english(text: str) -> bool:
    """Tell whether each character beyond ASCII is where an English text has it."""
    words = (word for word in WORD.findall(text) if not word.isascii())
    symbols = SYMBOL.findall(text)
    return all(map(ENGLISH_WORD.fullmatch, words)) and len(symbols) == len(
        ENGLISH_SYMBOL.findall(text)
    )
