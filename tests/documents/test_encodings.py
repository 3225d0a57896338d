"""The encodings of texts: found, declared or chosen, and refused in words."""

import codecs

import pytest

from gpt_core.documents.encodings import WEB_LABELS, web_encoding

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
        ("Big5", "big5hkscs"),
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
