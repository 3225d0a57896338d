"""Project Gutenberg's words around a text are left out, and nothing of the text with them."""

import pytest

from gpt_core.documents import ReadingOptions, read_document
from gpt_core.text import gutenberg_body, read_upload
from tests.support.documents import epub

STORY = "The lighthouse was dark.\n\nNo ship came in that night."
HEADER = "The Project Gutenberg eBook of {}\n\nThis is for anyone, anywhere.\n\n"
START = "*** START OF THE PROJECT GUTENBERG EBOOK {} ***\n"
END = "*** END OF THE PROJECT GUTENBERG EBOOK {} ***\n"
LAST = "End of Project Gutenberg's X, by A. Writer"
SMALL_PRINT = "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n"
LICENCE = "\nSection 1. General terms of use of Project Gutenberg.\n" * 20


def book(story: str = STORY, title: str = "THE LIGHT") -> str:
    return (
        (HEADER + START + "\n").format(title, title) + story + "\n\n" + END.format(title) + LICENCE
    )


TIMES = [  # the line before a book and the one after it, from now back to 1992
    (START.format("X"), END.format("X")),
    (START.format("X; OR,\nA LONG NAME"), END.format("X; OR,\nA LONG NAME")),
    (START.format("X")[:-5], END.format("X")[:-5]),
    (START.format("X") + "\nProduced by Ann Lee and the\nOnline Team", f"{LAST}\n\n" + END),
    (START.format("X") + "\nE-text prepared by Ann Lee\n\nCredits: Ben Day", END),
    (
        "***START OF THIS PROJECT GUTENBERG EBOOK X***",
        "***END OF THIS PROJECT GUTENBERG EBOOK X***",
    ),
    (START.replace("EBOOK", "ETEXT"), END.replace("EBOOK", "ETEXT")),
    ("*END THE SMALL PRINT! FOR PUBLIC DOMAIN EBOOKS*Ver.02/11/02*END*", LAST),
    (SMALL_PRINT, "End of the Project Gutenberg Etext of X"),
    (SMALL_PRINT.replace("*Ver", "*\nVer"), "End of The Project Gutenberg EBook of X,\nby Ann Lee"),
]


@pytest.mark.parametrize(("start", "end"), TIMES)
def test_the_words_of_each_time_are_left_out(start: str, end: str) -> None:
    for after in ("", f"\n\n{LICENCE}" if "***" in end else "\n"):
        for line_end in ("\n", "\r\n"):
            text = f"{HEADER}{start}\n\n{STORY}\n\n\n{end}{after}".replace("\n", line_end)
            document = read_document("book.txt", text.encode())
            assert document.text == f"{STORY}\n"
            assert document.left_out[0].startswith("the licence of Project Gutenberg: ")


def test_a_book_may_have_only_a_beginning_or_only_an_end() -> None:
    assert gutenberg_body(book().split("*** END")[0]) == f"{STORY}\n"
    assert gutenberg_body(STORY + "\n\n" + END.format("X") + LICENCE) == f"{STORY}\n"


def test_several_books_in_one_file_are_all_kept_and_are_separate_documents() -> None:
    three = "".join(book(f"Story {number}.", f"BOOK {number}") for number in (1, 2, 3))
    assert gutenberg_body(three) == "<|endoftext|>".join(f"Story {n}.\n" for n in (1, 2, 3))
    old = "".join(
        f"{HEADER}{SMALL_PRINT}\nStory {number}.\n\nEnd of the Project Gutenberg Etext of B\n\n"
        for number in (1, 2)
    )
    assert gutenberg_body(old) == "Story 1.\n<|endoftext|>Story 2.\n"


def test_a_long_text_before_between_or_after_books_is_no_licence() -> None:
    own = "A page of one's own notes. " * 4000
    joined = f"{own}\n{book()}{own}\n{book('Another.')}{own}"
    body = gutenberg_body(joined)
    assert body is not None
    assert body.count(own.strip()) == 3
    assert STORY in body
    assert "Another." in body


@pytest.mark.parametrize(
    "inside",
    [
        f'He read: "{END.format("B").strip()}" and laughed.',
        "She found it at Project Gutenberg.\nEnd of Project Gutenberg, she said, would be a loss.",
        "The letter began\n*** the end of Project Gutenberg ***\nand she smiled.",
    ],
)
def test_a_story_that_speaks_of_it_is_kept_whole(inside: str) -> None:
    long = "They sat by the sea. " * 100
    assert gutenberg_body(f"{inside}\n\n{long}") is None
    assert gutenberg_body(book(f"{inside}\n\n{long}")) == f"{inside}\n\n{long.strip()}\n"


def test_a_text_without_their_words_is_left_as_it_is() -> None:
    assert gutenberg_body("A story that mentions Project Gutenberg.") is None
    document = read_document("a.txt", b"  A story.  ")
    assert (document.text, document.left_out) == ("  A story.  ", ())


def test_web_pages_and_epubs_lose_them_too_and_the_licence_may_be_kept() -> None:
    lines = book().split("\n")
    page = "<html><body>" + "".join(f"<p>{line}</p>" for line in lines) + "</body></html>"
    files = {
        "book.html": page.encode(),
        "book.epub": epub(**{"OPS/ch1.xhtml": page.encode(), "OPS/ch 2.xhtml": b"<p></p>"}),
    }
    for name, data in files.items():
        assert read_document(name, data).text.split() == STORY.split()
        kept = read_document(name, data, ReadingOptions(keep_licence=True))
        assert "General terms" in kept.text
        assert not any("Gutenberg" in phrase for phrase in kept.left_out)


def test_the_terminal_and_the_page_read_through_one_door() -> None:
    assert read_upload("pg1.txt.utf8", book().encode()).text == f"{STORY}\n"
