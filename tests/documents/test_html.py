"""Web pages: what their reader sees, in the encoding they declare, and only the article."""

from contextlib import suppress

import pytest

from gpt_core.documents import Document, ReadingOptions, read_document
from gpt_core.text import read_upload

JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。" * 3


def read(page: str, encoding: str = "utf-8", **options: object) -> Document:
    return read_document("page.html", page.encode(encoding), ReadingOptions(**options))


def text_of(page: str) -> str:
    return read(page).text


# What a reader sees


def test_a_web_page_is_read_as_one_sees_it() -> None:
    page = """<html><head><title>T</title><style>p {}</style></head><body>
    <h1>A   Title</h1><p>One &amp; <b>two</b><br>three.</p><!-- not this -->
    <script>alert(1)</script><ul><li>first</li><li>second</li></ul>
    <pre>kept
      as it is</pre></body></html>"""
    assert text_of(page) == (
        "A Title\n\nOne & two\nthree.\n\nfirst\n\nsecond\n\nkept\n      as it is\n"
    )


def test_code_keeps_its_indentation_and_its_empty_lines() -> None:
    code = "    if x:\n        return 1\n\n\n    return <b>2</b>\n"
    for page in (f"<pre>\n{code}</pre>", f"<pre><code>{code}\n</code></pre>", f"<xmp>{code}</xmp>"):
        shown = code if page.startswith("<xmp>") else code.replace("<b>2</b>", "2")
        assert text_of(f"<p>So:</p>{page}<p>That was it.") == f"So:\n\n{shown}\nThat was it.\n"
    assert text_of("<pre>a<br>b<div>c</div>d</pre>") == "a\nb\nc\nd\n"
    source = text_of("<pre>def f(x):\n\tif x:\n\t\treturn 1\n\treturn 2</pre>")
    compile(source, "page", "exec")


def test_white_space_collapses_across_the_borders_of_elements() -> None:
    page = "<p> the <b>old </b> man <i> and</i>\n the <span> sea</span></p> <p>\t rose&nbsp; </p>"
    assert text_of(page) == "the old man and the sea\n\nrose\n"
    assert text_of("<p>won<b>der</b>ful</p>") == "wonderful\n"
    assert text_of("<p>一\u3000二</p>") == "一\u3000二\n"  # a blank of Japanese text is not HTML's


BLOCKS = (
    *("address", "article", "aside", "blockquote", "center", "dd", "details", "dir", "div", "dl"),
    *("dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h6", "header", "hgroup"),
    *("li", "main", "menu", "nav", "ol", "p", "search", "section", "summary", "table", "ul"),
    *("button", "label", "legend", "optgroup", "option", "select", "textarea"),
)


@pytest.mark.parametrize("tag", BLOCKS)
def test_an_element_with_lines_of_its_own_ends_the_word_before_it(tag: str) -> None:
    lines = text_of(f"<body>before<{tag}>inside</{tag}>after").split()
    assert "".join(lines) == "beforeinsideafter"
    assert "before" in lines
    assert "after" in lines


def test_rows_of_a_table_are_lines_and_cells_stay_apart() -> None:
    page = "<table><tr><th>one<th>two<tr><td>1<td>2</table>"
    assert text_of(page) == "one\ttwo\n1\t2\n"


def test_hidden_text_is_left_out_and_counted() -> None:
    hidden = "<p hidden>A A A A</p><div style='Color:red; DISPLAY : none !important'>B B B B</div>"
    hidden += "<span style='visibility:hidden'>C C C C</span><dialog>D D D D</dialog>"
    document = read(f"<p>Seen{hidden} here.</p><p style='display:block'>And here.")
    assert document.text.split() == ["Seen", "here.", "And", "here."]
    assert document.left_out == ("hidden text: 16 words",)
    assert read("<p>Seen <span hidden>x</span></p>").left_out == ()  # an icon's name, a counter
    for shown in ("<dialog open>", "<p aria-hidden=true>", "<p hidden=until-found>", "<details>"):
        assert text_of(f"{shown}Seen") == "Seen\n"


def test_words_for_browsers_that_cannot_show_something_are_left_out() -> None:
    page = "<p>a</p><video>no video</video><iframe>no frames</iframe><canvas>none</canvas>"
    page += "<svg><title>t</title><text>drawn</text></svg><datalist><option>x</datalist>"
    assert text_of(page).split() == ["a", "drawn"]


def test_readings_and_page_numbers_do_not_run_into_the_words() -> None:
    ruby = "<p><ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp>字<rt>じ</ruby>を読む。"
    document = read(ruby)
    assert document.text == "漢字を読む。\n"
    assert document.left_out == ("readings beside characters: 4",)
    numbered = "<p>The won<span class='x pagenum'>[Pg 13]</span>derful "
    numbered += "<span role='doc-pagebreak'>xiv</span>road.<span class=pagenum>A word</span>"
    document = read(numbered)
    assert document.text == "The wonderful road.A word\n"
    assert document.left_out == ("page numbers: 2",)


def test_invisible_characters_go_and_quotation_marks_of_the_browser_come() -> None:
    document = read("<p>won&shy;der\u2060ful, <q>she</q> said</p>")
    assert document.text == "wonderful, “she” said\n"
    assert document.left_out == ("soft hyphens and other invisible characters: 2",)


# The encoding


@pytest.mark.parametrize(
    ("head", "encoding", "found", "word"),
    [
        ('<meta charset="shift_jis">', "cp932", "cp932", "髙い①"),
        ("<meta name=x content='a>b'><META CharSet = 'windows-1254' >", "cp1254", "cp1254", "Işık"),
        ("<script>var charset='x';</script><meta charset=koi8-u>", "koi8-u", "koi8-u", "Її їжак"),
        ("<meta content='a; charset=latin1' http-equiv=Content-Type>", "cp1252", "cp1252", "“5 €”"),
        ('<?xml version="1.0" encoding="ISO-8859-2"?>', "iso8859-2", "iso8859-2", "łąka"),
        ("<meta charset=utf-16>", "utf-8", "utf-8", "naïve"),  # it could be read: it is not UTF-16
    ],
)
def test_a_web_page_says_its_own_encoding(head: str, encoding: str, found: str, word: str) -> None:
    document = read(f"{head}<p>{word}", encoding)
    assert document.text == f"{word}\n"
    assert document.encoding == found
    assert document.left_out == ()


@pytest.mark.parametrize(
    "page",
    [
        "<body><p>Write charset=utf-16 in the header of the café.",
        "<body><p>Write <meta charset=utf-7> in the header of the café.",
        "<!-- <meta charset=shift_jis> --><p>The café.",
        "<script>document.write('<meta charset=big5>')</script><p>The café.",
        "<title>encoding='koi8-r'</title><p>The café.",
        "<meta name=description content='charset=big5'><p>The café.",
    ],
)
def test_what_only_looks_like_a_declaration_does_not_count(page: str) -> None:
    document = read(page)
    assert document.text.endswith("café.\n")
    assert document.left_out == ()


def test_a_byte_order_mark_and_a_persons_choice_win_over_the_declaration() -> None:
    page = "<meta charset=koi8-r><p>café"
    assert read(page, "utf-8-sig").text == "café\n"
    assert read(page, "utf-16").text == "café\n"
    assert (
        read_document("page.html", page.encode("cp1252"), ReadingOptions(encoding="cp1252")).text
        == "café\n"
    )


def test_a_wrong_declaration_is_said_and_the_encoding_found() -> None:
    lost = read(f"<meta charset=utf-8><p>{JAPANESE}", "cp932")
    assert JAPANESE in lost.text
    assert "the page says that it is in utf-8, but it is not" in lost.left_out[0]
    unknown = read(f"<meta charset=klingon><p>{JAPANESE}")
    assert unknown.text == f"{JAPANESE}\n"
    assert "'klingon', which is no encoding" in unknown.left_out[0]


def test_one_damaged_character_does_not_cost_the_page() -> None:
    page = f"<meta charset=utf-8><p>{JAPANESE} caf?".encode().replace(b"?", b"\xe9")
    document = read_document("page.html", page)
    assert document.text == f"{JAPANESE} caf\N{REPLACEMENT CHARACTER}\n"
    assert document.left_out == (
        "characters that are damaged, shown as \N{REPLACEMENT CHARACTER}: 1",
    )


@pytest.mark.parametrize("name", ["punycode", "idna", "unicode_escape", "rot13", "base64", "hex"])
def test_a_web_page_may_not_choose_a_decoder_that_is_no_encoding(name: str) -> None:
    page = f'<html><head><meta charset="{name}"></head><body><p>{"é word " * 20_000}</p></body>'
    assert text_of(page).startswith("é word")  # at once, as UTF-8


# Only the article

PROSE = "The ferry left the island in the morning, and nobody on the quay waved to the captain. "
MENU = "".join(f"<li><a href=/{i}>Section {i}</a>" for i in range(20))
ABOVE = f"<header class=masthead><a href=/>The Island News</a><nav><ul>{MENU}</ul></nav></header>"
COOKIES = "<div id=cookieConsent>We use cookies. <button>Accept</button></div>"
BELOW = f"""<aside><h3>Most read</h3><ul>{MENU}</ul></aside>
<section class="comments-list"><p>{"I was there and saw it all. " * 4}<a>Reply</a></section>
<div class=related><h3>Related</h3><a href=x>Another ferry is late, the island waits again</a></div>
<footer>© The Island News <a href=x>Imprint</a> <a href=y>Jobs</a></footer>"""
STORY = "".join(f"<p>Part {i}. {PROSE * 2}" for i in range(8))


@pytest.mark.parametrize(
    "page",
    [
        f"{COOKIES}{ABOVE}<main><article><h1>A Ferry</h1>{STORY}</article></main>{BELOW}",
        f"{ABOVE}<h1>A Ferry</h1><div id=c1><div id=c2>{STORY}</div></div>{COOKIES}{BELOW}",
        f"<body class=has-sidebar><div id=page>{ABOVE}<table><tr><td><h1>A Ferry</h1>{STORY}"
        f"</td><td class=sidebar><ul>{MENU}</ul></td></tr></table>{BELOW}</div>",
    ],
    ids=["marked", "containers", "table"],
)
def test_of_a_page_that_looks_like_an_article_only_the_article_is_read(page: str) -> None:
    document = read(page)
    assert document.text == read(f"<h1>A Ferry</h1>{STORY}", article_only=False).text
    assert document.is_article is True
    assert document.left_out[0].startswith("menus, footers and the like around the article: ")
    whole = read(page, article_only=False)
    assert whole.is_article is False
    assert all(word in whole.text for word in ("Section 19", "Reply", "Imprint", "Part 7."))
    words = len(whole.text.replace("©", "").split()) - len(document.text.split())
    assert document.left_out[0].endswith(f" {words} words")
    assert whole.left_out == ()


def chapters(count: int) -> str:
    title = "<h2 id=c{0}>Chapter {0}</h2><p class=author>By A. Writer</p>"
    return "".join(title.format(i) + f"<p>{PROSE * 12}<footer>J. D.</footer>" for i in range(count))


@pytest.mark.parametrize(
    ("page", "kept"),
    [
        (f"<nav><ol>{MENU}</ol></nav>{chapters(30)}", "Chapter 29"),
        (f"<main>{chapters(3)}</main><section>{chapters(2)}</section>", "Chapter 1"),
        (f"{ABOVE}" + f"<div class=comment><a>Ann</a><p>{PROSE * 3}</div>" * 9, "the captain."),
        (f"<h1>Index</h1><ul>{MENU * 10}</ul>", "Section 3"),
        ("<table>" + "<tr><td>1871<td>Ferry<td><a>7</a></tr>" * 300 + "</table>", "1871\tFerry\t7"),
        (f"<p>{PROSE * 20}", "the captain."),
    ],
    ids=["book", "story", "forum", "index", "table", "plain"],
)
def test_a_page_that_does_not_look_like_an_article_is_kept_whole(page: str, kept: str) -> None:
    document = read(page, article_only=True)
    assert kept in document.text
    assert document.is_article is None
    assert document == read(page, article_only=False)


def test_a_long_table_is_not_all_of_its_article() -> None:
    rows = "".join(f"<tr><td><a href=x>Film {i}</a><td>{PROSE}</tr>" for i in range(9))
    story = f"<h1>A list of <i>films</i></h1><p>Beside it.<table>{rows}</table><ol><li>Note"
    text = text_of(f"{ABOVE}<main>{story}</ol></main>{BELOW}")
    assert text == read(story, article_only=False).text


def test_none_of_several_articles_on_a_page_is_lost() -> None:
    posts = "".join(
        f"<article><h2>Day {i}</h2><p>{PROSE * n}</article>" for i, n in enumerate((60, 8, 9))
    )
    text = text_of(f"{ABOVE}<main>{posts}</main>{BELOW}")
    assert text == read(posts, article_only=False).text


# Bounds


def test_a_paragraph_of_15_million_characters_is_read_whole() -> None:
    page = "<p>" + "word " * 3_000_000 + "</p><p>and the end"
    assert text_of(page).endswith("word\n\nand the end\n")


@pytest.mark.parametrize(
    "page",
    [
        "<!--" * 60_000,
        "<a " * 100_000,
        "</" * 150_000,
        "<?" * 150_000,
        "<b>" * 200 + "<i>x</i>" * 60_000,
        "<p>" * 50_000,
        "<![" * 100_000,
        "<meta " * 100_000 + "charset='",
        "<div class=pagenum>" * 200 + "<h1>x</h1><nav><a>y</a></nav>" * 20_000,
        "<p style='display:" + " " * 300_000 + "'>x",
    ],
    ids=lambda page: page[:4],
)
@pytest.mark.timeout(20)
def test_a_web_page_made_to_take_long_does_not(page: str) -> None:
    with suppress(ValueError):
        read_upload("slow.html", page.encode())


def test_a_web_page_nested_absurdly_deep_is_refused() -> None:
    page = "<div>" * 20_000 + "deep" + "</div>" * 20_000
    with pytest.raises(ValueError, match="nested too deeply"):
        read(page)
    assert text_of("<p>word</p>" * 20_000).split() == ["word"] * 20_000
