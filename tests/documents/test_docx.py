"""Word files: what Word shows, wherever it puts it, and not what it hides."""

import zipfile
from io import BytesIO

import pytest

from gpt_core.documents import Document, read_document
from gpt_core.documents.docx import parts
from tests.support.documents import docx, docx_of, zip_of


def r(*content: str, style: str = "") -> str:
    """Return a run of texts, or of what begins with "<"."""
    inside = "".join(c if c.startswith("<") else f"<w:t>{c}</w:t>" for c in content)
    return f"<w:r><w:rPr>{style}</w:rPr>{inside}</w:r>" if style else f"<w:r>{inside}</w:r>"


def p(*content: str) -> str:
    """Return a paragraph of runs, or of what begins with "<"."""
    return f"<w:p>{''.join(c if c.startswith('<') else r(c) for c in content)}</w:p>"


def read(data: bytes, name: str = "book.docx") -> Document:
    return read_document(name, data)


def text_of(*body: str, **more: object) -> str:
    return read(docx_of(*body, **more)).text


def test_a_word_file_is_read_with_its_tables() -> None:
    assert read(docx("Première.", "第二。")) == Document("Première.\n第二。\nleft\nright\n", "Word")


def test_nothing_that_word_shows_is_lost_and_nothing_comes_twice() -> None:
    run = r("INSERTED")
    inserted = f"<w:ins>{run}</w:ins><w:del><w:r><w:delText>GONE</w:delText></w:r></w:del>"
    assert text_of(p(inserted)) == "INSERTED\n"
    assert text_of(f"<w:sdt><w:sdtContent>{p(run)}</w:sdtContent></w:sdt>") == "INSERTED\n"
    stops = "<w:pPr><w:tabs><w:tab w:val='left' w:pos='720'/></w:tabs></w:pPr>"
    tabbed = p(stops, r("left", "<w:tab/>", "right", "<w:br/>", "below"))
    assert text_of(tabbed) == "left\tright\nbelow\n"
    assert text_of(p("left", r("<w:ptab w:alignment='right'/>"), "right")) == "left\tright\n"
    assert text_of(p(f"<w:moveFrom>{run}</w:moveFrom>", f"<w:moveTo>{run}</w:moveTo>")) == (
        "INSERTED\n"
    )
    cell = "<w:tc><w:tcPr><w:gridSpan w:val='2000000000'/></w:tcPr>{}</w:tc>"
    wide = f"<w:tbl><w:tr>{cell.format(p('left'))}{cell.format(p('right'))}</w:tr></w:tbl>"
    assert text_of(wide) == "left\nright\n"
    link = "<w:hyperlink><w:fldSimple w:instr='PAGE'>{}</w:fldSimple></w:hyperlink>"
    field = r("<w:instrText>HYPERLINK</w:instrText>")
    assert text_of(p("see ", link.format(r("page 7")), field)) == "see page 7\n"


def test_hyphens_stay_if_they_are_seen() -> None:
    hyphens = p(r("twenty", "<w:noBreakHyphen/>", "one won", "<w:softHyphen/>", "derful"))
    assert text_of(hyphens) == "twenty-one wonderful\n"


def test_letters_of_symbol_fonts_become_unicode() -> None:
    letters = [("Symbol", "F061"), ("symbol", "B3"), ("Wingdings", "F0FC"), ("Arial", "2022")]
    symbols = "".join(f'<w:sym w:font="{font}" w:char="{code}"/>' for font, code in letters)
    assert text_of(p(r(symbols))) == "α≥✓•\n"
    fonts = "<w:rFonts w:ascii='Symbol' w:hAnsi='Symbol'/>"
    assert text_of(p(r("\uf070 r\uf0b2", style=fonts), "\uf070")) == "π r″\uf070\n"
    unknown = '<w:sym w:font="Webdings" w:char="F021"/><w:sym w:font="Symbol" w:char="no"/>'
    assert read(docx_of(p("a", r(unknown)))).left_out == ("symbols that are not in Unicode: 2",)


def test_formulas_are_written_in_one_line() -> None:
    def m(name: str, *content: str) -> str:
        inside = "".join(c if c.startswith("<") else f"<m:r><m:t>{c}</m:t></m:r>" for c in content)
        return f"<m:{name}>{inside}</m:{name}>"

    fraction = m("f", m("num", "a"), m("den", m("sSup", m("e", "b"), m("sup", "2"))))
    brackets = m("d", '<m:dPr><m:begChr m:val="["/></m:dPr>', m("e", "x"), m("e", "y"))
    total = m("nary", '<m:naryPr><m:chr m:val="∑"/></m:naryPr>', m("sub", "i"), m("e", "x"))
    root = m("rad", m("e", "2"))
    formula = m("oMath", "k=", fraction, brackets, total, root)
    document = read(docx_of(p("For every ", formula, " there is one.")))
    assert document.text == "For every k=a/b^2[x|y)∑_ix√(2) there is one.\n"
    assert document.left_out == ("formulas, written in one line: 1",)
    assert "For every k" in text_of(p("For every ", m("oMath", "k")), strict=True)


def test_a_text_box_comes_once_after_the_paragraph_that_it_is_in() -> None:
    box = f"<w:txbxContent>{p('INSIDE')}{p('THE BOX')}</w:txbxContent>"
    shape = f"<w:drawing><wps:txbx>{box}</wps:txbx></w:drawing>"
    old = f"<w:pict><v:textbox>{box}</v:textbox></w:pict>"
    both = f"<mc:AlternateContent><mc:Choice>{shape}</mc:Choice><mc:Fallback>{old}</mc:Fallback>"
    for drawn in (shape, old, f"{both}</mc:AlternateContent>"):
        text = text_of(p("Before ", r(drawn), "and after."), p("Next."))
        assert text == "Before and after.\nINSIDE\nTHE BOX\nNext.\n"
    nested = p("out", r(f"<w:txbxContent>{p('in', r(shape))}</w:txbxContent>"))
    assert sorted(text_of(nested).split("\n")) == ["", "INSIDE", "THE BOX", "in", "out"]


def test_hidden_text_is_left_out_and_counted() -> None:
    hidden = r("NOT FOR YOU", style="<w:vanish/>")
    shown = r("for all", style="<w:vanish w:val='false'/><w:rPrChange><w:rPr><w:vanish/></w:rPr>")
    shown = shown.replace("</w:rPr></w:rPr>", "</w:rPr></w:rPrChange></w:rPr>")
    document = read(docx_of(p("Seen ", hidden, shown)))
    assert document.text == "Seen for all\n"
    assert document.left_out == ("words of hidden text: 3",)


def test_text_is_hidden_by_its_style_and_by_the_style_that_builds_on_it() -> None:
    styles = (
        "<w:style w:styleId='Secret'><w:rPr><w:vanish/></w:rPr></w:style>"
        "<w:style w:styleId='Child'><w:basedOn w:val='Secret'/></w:style>"
        "<w:style w:styleId='Open'><w:basedOn w:val='Child'/><w:rPr><w:vanish w:val='0'/></w:rPr>"
        "</w:style><w:style w:styleId='A'><w:basedOn w:val='B'/></w:style>"
        "<w:style w:styleId='B'><w:basedOn w:val='A'/></w:style>"
    )
    runs = "".join(r(s, style=f"<w:rStyle w:val='{s}'/>") for s in ("Secret", "Child", "Open", "A"))
    paragraphs = "".join(
        p(f"<w:pPr><w:pStyle w:val='{s}'/></w:pPr>", f"{s} here") for s in ("Child", "Open")
    )
    document = read(docx_of(p(runs), paragraphs, parts={"styles": styles}))
    assert document.text.split("\n") == ["OpenA", "", "Open here", ""]
    assert document.left_out == ("words of hidden text: 4",)


def test_readings_deleted_text_and_comments_are_not_in_the_text() -> None:
    ruby = f"<w:ruby><w:rt>{r('かん')}</w:rt><w:rubyBase>{r('漢')}</w:rubyBase></w:ruby>"
    comment = "<w:commentReference w:id='1'/>"
    others = {"comments": f"<w:comment w:id='1'>{p('Is that so?')}</w:comment>"}
    document = read(docx_of(p(r(ruby), "字", r(comment)), parts=others))
    assert document.text == "漢字\n"
    assert document.left_out == ("readings beside characters: 1", "comments: 1")


def test_notes_come_at_the_end_in_the_order_of_the_text() -> None:
    note = "<w:footnote w:id='{}'>{}</w:footnote>"
    notes = {
        "footnotes": "<w:footnote w:type='separator' w:id='-1'><w:p/></w:footnote>"
        + note.format(1, p("Second note.")) + note.format(2, p("First note.") + p("Its end.")),
        "endnotes": f"<w:endnote w:id='1'>{p('At the very end.')}</w:endnote>",
    }  # fmt: skip
    mark = "<w:{}Reference w:id='{}'/>"
    marks = [r(mark.format(*it)) for it in (("footnote", 2), ("footnote", 1), ("endnote", 1))]
    document = read(docx_of(p("The king", marks[0], " slept", *marks[1:], "."), parts=notes))
    assert document.text == (
        "The king slept.\n\nFirst note.\nIts end.\nSecond note.\n\nAt the very end.\n"
    )
    assert document.left_out == (
        "footnotes, which are at the end of the text: 2",
        "endnotes, which are at the end of the text: 1",
    )
    assert read(docx_of(p("The king", marks[0]))).left_out == ("footnotes that are missing: 1",)
    damaged = read(docx_of(p("The king", marks[0]), parts={"footnotes": "<w:footnote>"}))
    assert damaged == Document("The king\n", "Word", left_out=("footnotes that are missing: 1",))


RELATIONSHIP = (
    '<Relationship Id="x" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    'relationships/{}" Target="{}"/>'
)


@pytest.mark.parametrize(
    "relationship",
    [
        *(("image", target) for target in ("../NULL", "NULL", "media/gone.png", "")),
        *(("hyperlink", "#_top"), ("footnotes", "gone.xml"), ("styles", "../../../etc/passwd")),
    ],
)
def test_what_a_word_file_refers_to_and_does_not_hold_is_not_missed(
    relationship: tuple[str, str],
) -> None:
    assert text_of(p("All is well."), relationships=RELATIONSHIP.format(*relationship)) == (
        "All is well.\n"
    )


def test_templates_files_with_macros_and_strict_files_are_word_files_too() -> None:
    body = p("For ", r("<w:tab/>"), "all.")
    for name, kind in (("a.dotx", "template.main"), ("a.docm", "document.macroEnabled.main")):
        assert read(docx_of(body, kind=kind), name).text == "For \tall.\n"
    notes = {"footnotes": f"<w:footnote w:id='1'>{p('A note.')}</w:footnote>"}
    strict = docx_of(p("Text", r("<w:footnoteReference w:id='1'/>")), parts=notes, strict=True)
    assert read(strict).text == "Text\n\nA note.\n"


def changed(data: bytes, **others: bytes | None) -> bytes:
    """Return a Word file with other parts; None takes one away."""
    with zipfile.ZipFile(BytesIO(data)) as book:
        files: dict[str, bytes | None] = {name: book.read(name) for name in book.namelist()}
    files |= others
    return zip_of({name: part for name, part in files.items() if part is not None})


def test_a_word_file_with_damaged_lists_of_parts_is_read() -> None:
    whole = docx("All is well.")
    for lost in (None, b"", b"<Relationships"):
        damaged = {"_rels/.rels": lost, "[Content_Types].xml": lost}
        assert read(changed(whole, **damaged)).text.startswith("All is well.\n")
        damaged = {"word/styles.xml": lost, "word/_rels/document.xml.rels": lost}
        assert read(changed(whole, **damaged)).text.startswith("All is well.\n")


def test_a_word_file_without_text_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"'book\.docx' holds no text, perhaps only pictures"):
        read(docx_of(p(r("<w:drawing/>"))))
    for body in (None, b"", b"<w:document", b"<x/>"):
        with pytest.raises(ValueError, match="is damaged, or no Word file"):
            read(changed(docx("x"), **{"word/document.xml": body}))


def test_entities_that_multiply_are_not_expanded() -> None:
    levels = '<!ENTITY a0 "lol">' + "".join(
        f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12)
    )
    laughs = f'<?xml version="1.0"?><!DOCTYPE x [{levels}]><x>&a11;</x>'.encode()
    with pytest.raises(ValueError, match="damaged"):
        read(changed(docx("x"), **{"word/document.xml": laughs}))


def test_a_word_file_of_too_many_elements_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MAX_ELEMENTS", 1000)
    assert text_of("<w:p/>" * 990, p("x")) == "x\n"
    with pytest.raises(ValueError, match="is far larger than a book: save its text as plain text"):
        read(docx_of("<w:p/>" * 1001, p("x")))


def test_a_word_file_nested_absurdly_deep_is_read() -> None:
    deep = "<w:sdt>" * 2_000 + p("x") + "</w:sdt>" * 2_000
    assert text_of(deep) == "x\n"
