"""The names of encodings: Python's, readable ones, and what web pages call them."""

# The encodings that are found, and that a person may choose: Python's codec → a readable name.
ENCODING_NAMES = {
    "utf-8": "Unicode (UTF-8)",
    "utf-16": "Unicode (UTF-16)",
    "utf-16-le": "Unicode (UTF-16, little-endian)",
    "utf-16-be": "Unicode (UTF-16, big-endian)",
    "utf-32": "Unicode (UTF-32)",
    "utf-32-le": "Unicode (UTF-32, little-endian)",
    "utf-32-be": "Unicode (UTF-32, big-endian)",
    "cp1252": "Western European (Windows-1252)",
    "iso8859-1": "Western European (ISO 8859-1)",
    "iso8859-15": "Western European (ISO 8859-15)",
    "mac-roman": "Western European (Macintosh)",
    "cp437": "Western European (DOS, code page 437)",
    "cp850": "Western European (DOS, code page 850)",
    "cp858": "Western European (DOS, code page 858)",
    "cp1250": "Central European (Windows-1250)",
    "iso8859-2": "Central European (ISO 8859-2)",
    "iso8859-16": "Central European (ISO 8859-16)",
    "mac-latin2": "Central European (Macintosh)",
    "cp852": "Central European (DOS, code page 852)",
    "cp1257": "Baltic (Windows-1257)",
    "iso8859-4": "Baltic (ISO 8859-4)",
    "iso8859-13": "Baltic (ISO 8859-13)",
    "cp775": "Baltic (DOS, code page 775)",
    "iso8859-10": "Nordic (ISO 8859-10)",
    "mac-iceland": "Icelandic (Macintosh)",
    "cp861": "Icelandic (DOS, code page 861)",
    "cp865": "Nordic (DOS, code page 865)",
    "cp860": "Portuguese (DOS, code page 860)",
    "cp863": "Canadian French (DOS, code page 863)",
    "iso8859-14": "Celtic (ISO 8859-14)",
    "iso8859-3": "Esperanto and Maltese (ISO 8859-3)",
    "cp1254": "Turkish (Windows-1254)",
    "iso8859-9": "Turkish (ISO 8859-9)",
    "mac-turkish": "Turkish (Macintosh)",
    "cp857": "Turkish (DOS, code page 857)",
    "cp1251": "Cyrillic (Windows-1251)",
    "iso8859-5": "Cyrillic (ISO 8859-5)",
    "koi8-r": "Russian (KOI8-R)",
    "koi8-u": "Ukrainian (KOI8-U)",
    "koi8-t": "Tajik (KOI8-T)",
    "kz1048": "Kazakh (KZ-1048)",
    "ptcp154": "Kazakh (PTCP154)",
    "mac-cyrillic": "Cyrillic (Macintosh)",
    "cp866": "Cyrillic (DOS, code page 866)",
    "cp855": "Cyrillic (DOS, code page 855)",
    "cp1125": "Ukrainian (DOS, code page 1125)",
    "cp1253": "Greek (Windows-1253)",
    "iso8859-7": "Greek (ISO 8859-7)",
    "mac-greek": "Greek (Macintosh)",
    "cp737": "Greek (DOS, code page 737)",
    "cp869": "Greek (DOS, code page 869)",
    "cp1255": "Hebrew (Windows-1255)",
    "iso8859-8": "Hebrew (ISO 8859-8)",
    "cp862": "Hebrew (DOS, code page 862)",
    "cp1256": "Arabic (Windows-1256)",
    "iso8859-6": "Arabic (ISO 8859-6)",
    "cp720": "Arabic (DOS, code page 720)",
    "cp864": "Arabic (DOS, code page 864)",
    "cp874": "Thai (Windows-874)",
    "tis-620": "Thai (TIS-620)",
    "cp1258": "Vietnamese (Windows-1258)",
    "gb18030": "Chinese, simplified (GB 18030, GBK)",
    "hz": "Chinese, simplified (HZ)",
    "cp950": "Chinese, traditional (Big5)",
    "big5hkscs": "Chinese, traditional (Big5-HKSCS)",
    "cp932": "Japanese (Shift JIS, Windows-31J)",
    "shift_jis_2004": "Japanese (Shift JIS-2004)",
    "euc_jp": "Japanese (EUC-JP)",
    "euc_jis_2004": "Japanese (EUC-JIS-2004)",
    "iso2022_jp_2": "Japanese (ISO-2022-JP-2)",
    "iso2022_jp_ext": "Japanese (ISO-2022-JP)",
    "iso2022_jp_2004": "Japanese (ISO-2022-JP-2004)",
    "cp949": "Korean (Windows-949, EUC-KR)",
    "johab": "Korean (Johab)",
    "iso2022_kr": "Korean (ISO-2022-KR)",
}

# Python's codec for each encoding of the web, and the labels that mean it beside the codec's own
# names. Source: the WHATWG Encoding Standard, section 4.2. Two are read that it forbids for
# security in browsers, hz and iso2022_kr; its Big5 is two codecs here.
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
    "cp950": "big5 cn-big5 csbig5 x-x-big5",
    "big5hkscs": "big5-hkscs",
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
