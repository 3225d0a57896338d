"""The encodings of texts: found, declared or chosen, and refused in words."""

import codecs
import unicodedata

import pytest

from gpt_core.documents import ReadingOptions, read_document
from gpt_core.documents.document import UnreadableError
from gpt_core.documents.encodings import (
    BYTE_ORDER_MARKS,
    ENCODING_NAMES,
    WEB_LABELS,
    decode_text,
    web_encoding,
)
from gpt_core.text import read_upload
from tests.support.languages import (
    ENGLISH_WITH,
    LANGUAGES,
    LETTER,
    VIETNAMESE,
    in_windows_1258,
)

UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")
FRENCH = LANGUAGES["French"][1]

# Found


def wrongly_read(text: str, encodings: tuple[str, ...]) -> list[str]:
    """Return in which encodings a text is not read as it is."""
    found = []
    for encoding in encodings:
        try:
            read, name = decode_text(text.encode(encoding))
        except Exception as error:
            read, name = "", str(error)
        if read != text or name not in ENCODING_NAMES:
            found.append(f"{encoding}: {read[:20]!r} in {name}")
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_comes_out_right_from_each_encoding_of_its_language(language: str) -> None:
    encodings, text = LANGUAGES[language]
    first_sentence = text.replace("。", ". ").split(". ")[0]
    long = f"{text}\n" * (40_000 // len(text.encode()) + 1)  # 40 kB
    longer = f"{text}\r\n" * (200_000 // len(text.encode()) + 1)  # of which samples are taken
    assert wrongly_read(first_sentence, tuple(encodings.split())) == []
    for whole in (text, long, longer, long.replace("\n", "")):
        assert wrongly_read(whole, (*encodings.split(), *UNICODE)) == []


@pytest.mark.parametrize("sentence", ENGLISH_WITH)
def test_one_sentence_with_an_accent_or_a_symbol_does_not_make_a_book_chinese(
    sentence: str,
) -> None:
    for length in (2, 300, 3000):
        book = LETTER * length + sentence + "\n" + LETTER * length
        assert decode_text(book.encode("cp1252")) == (book, "cp1252")


@pytest.mark.parametrize("sentence", ["They don’t know.", "“Go on,” he said.", "A café—new."])
def test_quotation_marks_of_a_macintosh_are_known_by_their_places(sentence: str) -> None:
    book = LETTER * 300 + sentence + LETTER * 300
    assert decode_text(book.encode("mac_roman")) == (book, "mac-roman")


def test_a_few_words_are_enough() -> None:
    for text in ("Café au lait, s'il vous plaît.", "Åsa och Örjan åt räkor på ön", "naïve"):
        assert decode_text(text.encode("cp1252"))[0] == text
    for text in ("“Quotes” — and an ellipsis…", "Hello", "Привет, друг."):
        assert decode_text(text.encode("utf-16-le")) == (text, "utf-16-le")


def test_vietnamese_in_windows_1258_comes_out_composed() -> None:
    for text in (VIETNAMESE, f"{VIETNAMESE}\n" * 100):
        assert decode_text(in_windows_1258(text)) == (unicodedata.normalize("NFC", text), "cp1258")


def test_what_comes_after_many_pages_of_ascii_decides() -> None:
    for language, encoding in (("Russian", "koi8_r"), ("Polish", "iso8859-2")):
        book = LETTER * 1000 + "\n" + f"{LANGUAGES[language][1]}\n" * 40
        assert wrongly_read(book, (encoding,)) == []


def test_the_charset_in_an_example_of_a_text_is_not_its_own() -> None:
    book = f'{FRENCH} Write <meta charset="koi8-r"> at the top. {FRENCH}'
    assert wrongly_read(book, ("cp1252", "mac_roman")) == []


def test_an_xml_file_says_its_encoding_at_its_very_beginning() -> None:
    page = '<?xml version="1.0" encoding="koi8-u"?><line>Її</line>'
    assert decode_text(page.encode("koi8-u")) == (page, "koi8-u")


def test_what_looks_like_another_set_of_characters_stays_ascii() -> None:
    for text in ("\x1b[31mred\x1b(B\x1b[m, then ok\n" * 50, "if ~{a~} and foo~{bar} x\n" * 9):
        assert decode_text(text.encode()) == (text, "utf-8")


def test_line_ends_become_plain_ones_in_every_encoding() -> None:
    for encoding in ("utf-8", "utf-16", "cp1252"):
        text = f"{FRENCH}\r\n{FRENCH}\r{FRENCH}".encode(encoding)
        assert read_upload("a.txt", text).text == f"{FRENCH}\n{FRENCH}\n{FRENCH}"


# Damaged, or no text


def refusal(data: bytes, encoding: str = "") -> str:
    with pytest.raises(ValueError, match=r"^'a\.txt' ") as error:
        read_document("a.txt", data, ReadingOptions(encoding=encoding))
    return str(error.value)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"damaged: \xff" + FRENCH.encode(), "byte 9:"),
        (b"half\xed\xa0\x80of a pair", "byte 4:"),
        (FRENCH.encode() * 2000 + b"\xff", f"byte {2000 * len(FRENCH.encode()):,}:"),
        (b"\xff\xfe\x00", "byte 2:"),  # says UTF-16, and ends in the middle
        (b"\xef\xbb\xbfabc\xff", "byte 3:"),
        ("Hello world, at length".encode("utf-16-le")[:-1], "byte 42:"),
    ],
)
def test_damaged_unicode_is_refused_with_its_place(data: bytes, place: str) -> None:
    assert place in refusal(data)


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("German", "cp1252"),
        ("Turkish", "cp1254"),
        ("Greek", "cp1253"),
        ("Thai", "cp874"),
        ("Japanese", "euc_jp"),
        ("Chinese, simplified", "gbk"),
        ("Chinese, traditional", "big5"),
        ("Korean", "cp949"),
        ("Hebrew", "cp1255"),
    ],
)
def test_one_wrong_byte_does_not_make_a_text_nonsense_in_another_encoding(
    language: str, encoding: str
) -> None:
    line = f"{LANGUAGES[language][1]}\n".encode(encoding)
    for wrong in (b"\xff", b"\x81"):
        damaged = line * 30 + wrong + b"\n" + line * 30
        try:
            read = decode_text(damaged)[0]
        except UnreadableError as error:
            read = str(error)
        is_read = read.count(LANGUAGES[language][1]) == 60  # where that byte is a character
        assert is_read or f"damaged at byte {30 * len(line):,}" in read


def test_zeros_between_letters_are_no_text() -> None:
    assert "is not a text" in refusal(b"a\0b hello" * 30)
    assert "is not a text" in refusal(bytes(1000))


# Chosen


@pytest.mark.parametrize("encoding", ENCODING_NAMES)
def test_a_chosen_encoding_is_the_one_that_is_read(encoding: str) -> None:
    sample = "It rained. " * 4
    read = read_document("a.txt", sample.encode(encoding), ReadingOptions(encoding=encoding))
    assert (read.text, read.encoding) == (sample, encoding)


def test_a_chosen_encoding_comes_before_the_one_that_would_be_found() -> None:
    assert decode_text("žluť".encode("cp1250"), "iso8859-2")[0] != "žluť"
    assert decode_text("žluť".encode("cp1250"), "windows-1250") == ("žluť", "cp1250")
    assert decode_text(b"\xef\xbb\xbfone", "utf-8") == ("one", "utf-8")
    assert decode_text(in_windows_1258("Sáng sớm"), "cp1258")[0] == "Sáng sớm"


def test_an_unknown_or_wrong_choice_is_refused_in_words() -> None:
    assert "'klingon', which is no known encoding" in refusal(b"text", "klingon")
    for decoder in ("punycode", "idna", "rot13", "zlib", "unicode_escape"):
        assert "no known encoding" in refusal(b"text" * 50_000, decoder)
    assert "cannot be read as Unicode (UTF-8): byte 3 is no" in refusal(b"abc\xff", "utf-8")
    assert "cannot be read as Unicode (UTF-16): byte 2 is" in refusal(b"ab\0", "utf-16")
    assert "NUL characters when it is read as Western" in refusal(b"a\0b\0", "cp1252")


def test_the_encodings_to_choose_from_are_all_pythons_and_have_different_names() -> None:
    assert len(set(ENCODING_NAMES.values())) == len(ENCODING_NAMES)
    assert set(WEB_LABELS) <= set(ENCODING_NAMES)
    assert {name.removesuffix("-sig") for name in BYTE_ORDER_MARKS.values()} <= set(ENCODING_NAMES)
    for name in ENCODING_NAMES:
        assert codecs.lookup(name).name == name


# What a web page declares


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("utf-8", "utf-8"),
        (" UTF8\n", "utf-8"),
        ("utf-16", "utf-8"),  # it could be read as ASCII, so it is not UTF-16
        ("ISO-8859-1", "cp1252"),
        ("us-ascii", "cp1252"),
        ("latin1", "cp1252"),
        ("windows-1254", "cp1254"),
        ("iso-8859-9", "cp1254"),
        ("iso-8859-2", "iso8859-2"),
        ("tis-620", "cp874"),
        ("windows-874", "cp874"),
        ("ks_c_5601-1987", "cp949"),
        ("euc-kr", "cp949"),
        ("gb2312", "gb18030"),
        ("GBK", "gb18030"),
        ("Big5", "cp950"),
        ("big5-hkscs", "big5hkscs"),
        ("shift_jis", "cp932"),
        ("koi8-u", "koi8-u"),
        ("ibm866", "cp866"),
        ("x-mac-cyrillic", "mac-cyrillic"),
        ("macintosh", "mac-roman"),
        ("punycode", None),
        ("rot13", None),
        ("utf-7", None),
        ("", None),
        ("no such encoding", None),
    ],
)
def test_a_label_of_the_web_means_what_browsers_take_it_for(label: str, codec: str | None) -> None:
    assert web_encoding(label) == codec


def test_every_codec_of_the_web_is_one_of_pythons_and_each_label_means_one() -> None:
    labels = [label for codec, names in WEB_LABELS.items() for label in names.split()]
    assert len(labels) == len(set(labels))
    for codec in WEB_LABELS:
        assert codecs.lookup(codec).name == codec
        assert web_encoding(codec) == codec
