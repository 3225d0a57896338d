"""A web page → only its article, if it looks like one.

Left out is what is certainly not the article: elements that their name, role or class puts around
one and that hold links, and blocks without prose beside it or made of links within it. Prose that
is not in such an element stays, so that no part of a text is lost because another is longer.
"""

import re
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from lxml import etree

from gpt_core.documents.html.page import (
    BREAKS,
    TAB,
    PageText,
    count_words,
    left_out_as,
    visible_text,
)

# Elements, roles, and words of class names and ids, that are around articles.
AROUND_TAGS = {"aside", "button", "dialog", "footer", "form", "menu", "nav", "select"}
AROUND_ROLES = {
    *("alert", "alertdialog", "banner", "complementary", "contentinfo", "dialog", "menu"),
    *("menubar", "navigation", "search", "tablist", "toolbar"),
}
AROUND_WORDS = {
    *("ad", "ads", "advert", "advertisement", "author", "banner", "bio", "breadcrumb"),
    *("breadcrumbs", "byline", "comment", "comments", "consent", "cookie", "cookies", "copyright"),
    *("disqus", "footer", "gdpr", "login", "masthead", "menu", "meta", "metadata", "modal", "nav"),
    *("navbar", "navigation", "newsletter", "outbrain", "overlay", "pager", "pagination"),
    *("paywall", "popup", "promo", "rail", "recirc", "recommended", "related", "respond", "share"),
    *("sharing", "sidebar", "signup", "skip", "social", "sponsor", "sponsored", "subscribe"),
    *("subscription", "taboola", "tags", "teaser", "teasers", "toolbar", "trending", "widget"),
}
NAME_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")  # of names-with-hyphens and namesLikeThis
PROSE_WORDS = 12  # a block of so many words, most of them outside links, is prose
MAX_PROSE_LINKS = 0.4  # fraction of a prose block's words that are in links
MAX_AROUND = 0.25  # an element with a larger fraction of a page's prose is not around it
# What may be a list of links within an article: not one item, whose list has other items.
LISTS = {"div", "dl", "ol", "section", "table", "ul"}
ITEMS = {"dl", "li", "ol", "table", "tbody", "thead", "tr", "ul"}
LIST_LINKS = 0.5  # fraction of its words that are in links
MAIN_FRACTION = 0.7  # of the prose that the element of an article holds at least
NARROWED_FRACTION = 0.85  # of the prose that an element inside it must hold to replace it
# What a page that looks like an article has.
MIN_ARTICLE, MAX_ARTICLE = 100, 20_000  # words of prose; a longer page is a book
MAX_PAGE = 5 * MAX_ARTICLE  # words, menus included
MAX_LEFT_OUT_PROSE = 0.4  # a fraction; a forum's posts may look as if they were around
MIN_LEFT_OUT = 0.03  # a fraction; a book's list of contents is less, and stays


@dataclass(frozen=True)
class ArticleText:
    """What was read of a page."""

    page: PageText
    is_article: bool | None  # of a page that looks like an article: whether the rest is left out
    around: int = 0  # words that are left out because they are around the article


@dataclass(slots=True)
class Counts:
    """The words of an element that a reader sees."""

    words: int = 0
    linked: int = 0  # in links
    prose: int = 0  # in blocks of prose
    controls: int = 0  # buttons and fields, not words

    def add(self, other: "Counts") -> None:
        """Add an inner element's words."""
        self.words += other.words
        self.linked += other.linked
        self.prose += other.prose
        self.controls += other.controls


def article_text(page: Any, article_only: bool | None = None) -> ArticleText:
    """Return the visible text of a web page, or only the article's if it looks like one.

    Args:
        page: the page's tree.
        article_only: None and True leave out what is around an article, False keeps it.
    """
    whole = visible_text(page)
    words = count_words(whole.text)
    around = find_around(page) if words <= MAX_PAGE else ()
    article = visible_text(page, around) if around else whole
    left_out = words - count_words(article.text)
    if left_out <= MIN_LEFT_OUT * words:
        return ArticleText(whole, None)
    if article_only is False:
        return ArticleText(whole, False)
    return ArticleText(article, True, left_out)


def find_around(page: Any) -> set[Any]:
    """Return the elements around a page's article; none if the page does not look like one."""
    counts = _count(page)
    around = _named_around(page, counts)
    total, named = counts[page].prose, sum(counts[element].prose for element in around)
    if not MIN_ARTICLE <= total - named <= MAX_ARTICLE or named > MAX_LEFT_OUT_PROSE * total:
        return set()
    marked, main = _find_main(page, _prose_without(around, counts))
    # All but the title is left out beside what the page marks as its article; beside what holds
    # nearly all the prose what has none; inside it lists of links.
    kept, is_marked, is_inside = set(main.iterancestors()), False, False
    for title in page.iter("h1"):
        kept.add(title)
        kept.update(takewhile(lambda outer: outer not in kept, title.iterancestors()))
    walk = etree.iterwalk(page, events=("start", "end"))
    for event, element in walk:
        count = counts.get(element)
        if element is marked:
            is_marked = event == "start"
        if element is main:
            is_inside = event == "start"
        elif event == "start" and (count is None or element in around or element.tag == "h1"):
            walk.skip_subtree()
        elif event == "start" and count and count.words and element not in kept:
            is_links = element.tag in LISTS and count.linked > LIST_LINKS * count.words
            if not is_marked or (not count.prose and (not is_inside or is_links)):
                around.add(element)
                walk.skip_subtree()
    return around


def _count(page: Any) -> dict[Any, Counts]:
    """Count the words of each element; those that are not seen are not in the result."""
    counts: dict[Any, Counts] = {}
    stack: list[Counts] = []  # of the open elements
    block = Counts()  # the text since the last break
    links = 0  # open ones

    def add(text: str | None) -> None:
        words = count_words(text) if text else 0
        for count in (stack[-1], block):
            count.words += words
            count.linked += words if links else 0

    def end_block() -> None:
        if stack and block.words >= PROSE_WORDS and block.linked <= MAX_PROSE_LINKS * block.words:
            stack[-1].prose += block.words
        block.words = block.linked = 0

    skipped = None
    walk = etree.iterwalk(page, events=("start", "end"))
    for event, element in walk:
        if BREAKS.get(element.tag, 0) >= TAB:
            end_block()
        if event == "start":
            stack.append(Counts(controls=element.tag in ("button", "input")))
            links += element.tag == "a"
            if left_out_as(element) is None:
                add(element.text)
            else:
                skipped = element
                walk.skip_subtree()
        else:
            links -= element.tag == "a"
            count = stack.pop()
            if element is not skipped:
                counts[element] = count
            if stack:
                stack[-1].add(count)
                add(element.tail)
    return counts


def _named_around(page: Any, counts: dict[Any, Counts]) -> set[Any]:
    """Return the outermost elements that are around an article by their names, and hold links."""
    around = set()
    limit = MAX_AROUND * counts[page].prose
    walk = etree.iterwalk(page, events=("start",))
    for _, element in walk:
        count = counts.get(element)
        if count is None:
            walk.skip_subtree()
        elif (count.linked or count.controls) and count.prose <= limit and _is_around(element):
            around.add(element)
            walk.skip_subtree()
    return around


def _is_around(element: Any) -> bool:
    if element.tag in AROUND_TAGS:
        return True
    if element.tag in ("html", "body", "main", "article"):
        return False
    attributes = element.attrib
    if attributes.get("role", "").lower() in AROUND_ROLES:
        return True
    names = NAME_WORD.findall(f"{attributes.get('class', '')} {attributes.get('id', '')}")
    return not AROUND_WORDS.isdisjoint(name.lower() for name in names)


def _prose_without(around: set[Any], counts: dict[Any, Counts]) -> dict[Any, int]:
    """Return each element's words of prose without those of the elements around the article."""
    prose = {element: count.prose for element, count in counts.items()}
    for element in filter(prose.get, [*around]):
        for outer in (element, *element.iterancestors()):
            if outer in prose:
                prose[outer] -= counts[element].prose
    return prose


def _find_main(page: Any, prose: dict[Any, int]) -> tuple[Any, Any]:
    """Return the element that the page marks as its article, and the innermost with its prose."""
    marked, articles = page, []
    for element in page.iter(etree.Element):
        attributes = element.attrib
        if (
            element.tag in ("main", "article")
            or attributes.get("role") in ("main", "article")
            or attributes.get("itemprop") == "articleBody"
        ):
            articles.append(element)
            if prose.get(element, 0) >= MAIN_FRACTION * prose[page]:
                marked = element
    outside = {*articles} - {marked, *marked.iterancestors(), *marked.iterdescendants()}
    if any(prose.get(other, 0) >= MIN_ARTICLE for other in outside):  # there are several articles
        marked = page
    main = marked
    while True:
        inner = [child for child in main if BREAKS.get(child.tag, 0) >= TAB and child.tag != "p"]
        best = max(inner, key=lambda child: prose.get(child, 0), default=None)
        if best is None or prose.get(best, 0) < NARROWED_FRACTION * prose[marked]:
            break
        main = best
    while main is not marked and main.tag in ITEMS:  # a long table is not all of its article
        main = main.getparent()
    return marked, main
