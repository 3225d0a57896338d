"""A part of a Word file with text, its body or its notes → that text."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gpt_core.documents.docx.parts import OFF, PartReader, short_name
from gpt_core.documents.docx.symbols import FONTS, symbol_character
from gpt_core.documents.html import count_words

# Duplicates (text boxes for older versions of Word, moved text at its old place), deleted text,
# and the readings of rubies.
SKIPPED = {"mc:Fallback", "w:moveFrom", "w:del", "w:rt"}
IN_RUN = {"w:tab": "\t", "w:ptab": "\t", "w:br": "\n", "w:cr": "\n", "w:noBreakHyphen": "-"}
HIDDEN, READINGS, COMMENTS = "words of hidden text", "readings beside characters", "comments"
PRIVATE_USE = re.compile("[\uf020-\uf0ff]")  # where Word puts the characters of symbol fonts
FORMULAS = "formulas, written in one line"
EMBEDDED, UNKNOWN = "embedded documents", "symbols that are not in Unicode"
# Before a part of a formula, by the name of that part.
BEFORE = {"m:den": "/", "m:sup": "^", "m:sub": "_"}
APART = {"w:txbxContent", "w:footnote", "w:endnote"}  # from the text around them
REFERENCES = {"w:footnoteReference": "footnotes", "w:endnoteReference": "endnotes"}


@dataclass
class _Run:
    """A run of characters that look the same."""

    is_hidden: bool
    font: str = ""


@dataclass
class _Brackets:
    """The brackets around a part of a formula, or the sign of a root before it."""

    begin: str
    end: str
    is_open: bool = field(default=False)


class PartText(PartReader):
    """Collects the text of a part."""

    def __init__(self, hidden_styles: set[str]) -> None:
        super().__init__()
        self.root = ""  # the name of the part's outermost element
        self.notes: dict[str, str] = {}  # of a part with notes, by id
        self.references: dict[str, list[str]] = {"footnotes": [], "endnotes": []}
        self.counts = Counter[str]()  # what is left out, or elsewhere
        self._hidden_styles = hidden_styles
        self._names: dict[str, str] = {}
        self._stack: list[str] = []  # the names of the open elements
        self._skipped = 0  # how many of the open elements are skipped
        self._texts: list[list[str]] = [[]]  # of the part, and of each open text box or note
        self._boxes: list[str] = []  # that come after the paragraph
        self._paragraphs: list[bool] = []  # the open ones: whether their style is hidden
        self._runs: list[_Run] = []  # the open ones
        self._brackets: list[_Brackets] = []
        self._note = ""

    def text(self) -> str:
        """Return the text of the whole part."""
        return "".join(self._texts[0] + self._boxes)

    def start(self, tag: str, attributes: Any) -> None:
        """Begin an element."""
        super().start(tag, attributes)
        if self._skipped:
            self._skipped += 1
            return
        name = self._names.get(tag) or self._names.setdefault(tag, short_name(tag))
        parent = self._stack[-1] if self._stack else ""
        if not self._stack:
            self.root = name
        if name in SKIPPED:
            self._skipped = 1
            self.counts[READINGS] += name == "w:rt"
            return
        self._stack.append(name)
        if name == "w:p":
            self._paragraphs.append(False)
        elif name == "w:r":
            self._runs.append(_Run(bool(self._paragraphs) and self._paragraphs[-1]))
        elif name in IN_RUN:
            if parent == "w:r":  # not a tab stop of the paragraph
                self._write(IN_RUN[name])
        elif name.startswith("m:"):
            self._start_formula(name, parent, attributes)
        else:
            self._start_other(name, parent, {short_name(k): v for k, v in attributes.items()})

    def _start_other(self, name: str, parent: str, values: dict[str, str]) -> None:
        value = values.get("w:val", "")
        if name in REFERENCES:
            self.references[REFERENCES[name]].append(values.get("w:id", ""))
        elif name in APART:
            self._note = values.get("w:id", self._note)
            self._texts.append([])
        elif name == "w:pStyle" and self._paragraphs:
            self._paragraphs[-1] = value in self._hidden_styles
        elif name == "w:sym":
            self._write_symbol(values.get("w:font", ""), values.get("w:char", ""))
        elif name == "w:commentReference":
            self.counts[COMMENTS] += 1
        elif name == "w:altChunk":
            self.counts[EMBEDDED] += 1
        elif parent == "w:rPr" and self._runs and self._stack[-3:-2] == ["w:r"]:
            if name == "w:vanish":
                self._runs[-1].is_hidden = value not in OFF
            elif name == "w:rStyle":
                self._runs[-1].is_hidden |= value in self._hidden_styles
            elif name == "w:rFonts":
                self._runs[-1].font = values.get("w:ascii", "").lower()

    def _start_formula(self, name: str, parent: str, attributes: Any) -> None:
        value = next((v for k, v in attributes.items() if k.endswith("}val")), "")
        if name == "m:oMath":
            self.counts[FORMULAS] += 1
        elif name in BEFORE:
            self._write(BEFORE[name])
        elif name == "m:d":
            self._brackets.append(_Brackets("(", ")"))
        elif name == "m:rad":
            self._brackets.append(_Brackets("√(", ")"))
        elif name in ("m:begChr", "m:endChr") and parent == "m:dPr" and self._brackets:
            setattr(self._brackets[-1], name[2:5].replace("beg", "begin"), value)
        elif name == "m:chr" and parent == "m:naryPr":
            self._write(value)
        elif name == "m:e" and parent in ("m:d", "m:rad") and self._brackets:
            brackets = self._brackets[-1]
            self._write("|" if brackets.is_open else brackets.begin)
            brackets.is_open = True

    def end(self, tag: str) -> None:
        """End an element."""
        if self._skipped:
            self._skipped -= 1
            return
        name = self._stack.pop()
        if name == "w:p":
            self._paragraphs.pop()
            self._texts[-1].append("\n")
            if len(self._texts) == 1 and self._boxes:
                self._texts[0] += self._boxes
                self._boxes.clear()
        elif name == "w:r":
            self._runs.pop()
        elif name == "w:txbxContent":
            self._boxes.append("".join(self._texts.pop()))
        elif name in APART:
            self.notes[self._note] = "".join([*self._texts.pop(), *self._boxes])
            self._boxes.clear()
        elif name in ("m:d", "m:rad") and self._brackets:
            brackets = self._brackets.pop()
            self._write(brackets.end if brackets.is_open else "")

    def data(self, text: str) -> None:
        """Take a piece of text."""
        if self._skipped or self._stack[-1] not in ("w:t", "m:t"):
            return
        font = self._runs[-1].font if self._runs else ""
        if font in FONTS:
            text = PRIVATE_USE.sub(lambda c: symbol_character(font, ord(c[0])) or c[0], text)
        self._write(text)

    def _write_symbol(self, font: str, code: str) -> None:
        try:
            character = symbol_character(font, int(code, 16))
        except ValueError:
            character = None
        if character is None:
            self.counts[UNKNOWN] += 1
        else:
            self._write(character)

    def _write(self, text: str) -> None:
        if self._runs and self._runs[-1].is_hidden:
            self.counts[HIDDEN] += count_words(text)
        elif text:
            self._texts[-1].append(text)
