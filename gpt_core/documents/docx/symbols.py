"""The characters of Word's symbol fonts → Unicode.

Source: Adobe's table of the Symbol font (unicode.org, VENDORS/ADOBE/symbol.txt), and of Wingdings
the characters that texts use.
"""

_SYMBOL = {
    0x20: " !∀#∃%&∋()∗+,−./0123456789:;<=>?",
    0x40: "≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_",
    0x60: "‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼",
    0xA0: "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵",
    0xC0: "ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓",
    0xE0: "◊⟨®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪",
    0xF1: "⟩∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭",
}
_WINGDINGS = {
    **{0x22: "✂", 0x41: "✌", 0x45: "☜", 0x46: "☞", 0x47: "☝", 0x48: "☟", 0x4A: "☺", 0x4C: "☹"},
    **{0x4E: "☠", 0x52: "☼", 0x54: "❄", 0x58: "✠", 0x59: "✡", 0x5A: "☪", 0x5B: "☯", 0x5D: "☸"},
    **{0x6C: "●", 0x6E: "■", 0x6F: "□", 0x71: "❑", 0x72: "❒", 0x74: "⧫", 0x75: "◆", 0x76: "❖"},
    **{0x9E: "·", 0x9F: "•", 0xA1: "○", 0xA7: "▪", 0xA8: "□", 0xAB: "★", 0xD8: "➢", 0xDF: "←"},
    **{0xE0: "→", 0xE1: "↑", 0xE2: "↓", 0xE8: "➔", 0xEF: "⇦", 0xF0: "⇨", 0xF1: "⇧", 0xF2: "⇩"},
    **{0xF3: "⇔", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑"},
}
FONTS = {
    "symbol": {
        first + i: character
        for first, characters in _SYMBOL.items()
        for i, character in enumerate(characters)
    },
    "wingdings": _WINGDINGS,
}
OTHER_SYMBOL_FONTS = ("webdings", "wingdings 2", "wingdings 3", "zapfdingbats", "mt extra")
PRIVATE_USE = 0xF000  # where Word puts the 256 characters of a symbol font


def symbol_character(font: str, code: int) -> str | None:
    """Return the Unicode character for a font's character; None if it is not known."""
    name = font.lower().strip()
    if name in FONTS:
        return FONTS[name].get(code - PRIVATE_USE if code >= PRIVATE_USE else code)
    if name in OTHER_SYMBOL_FONTS or not 0x20 <= code < 0x110000 or 0xD800 <= code < 0xE000:
        return None
    if 0xE000 <= code < 0xF900:  # private use: of an ordinary font, its own character
        return chr(code - PRIVATE_USE) if 0xF020 <= code < 0xF100 else None
    return chr(code)
