"""The Data page: from a file of one's own to a run that trains on it."""

import pytest

from dashboard.app import runtime
from dashboard.data.windows import windows_drawing
from dashboard.forms import get_library
from gpt_core.library import TextLibrary
from gpt_core.text import Corpus, load_text, story_entropy, write_stories
from tests.support.app_driver import button, chips, choose, finish, html, metric, open_app, texts

pytestmark = pytest.mark.usefixtures("own_runtime")

STORY = load_text("the-lamp-room").text


def number(app, label: str):
    return next(box for box in app.number_input if box.label == label)


def kept() -> list[str]:
    return [card.name for card in get_library().texts()]


def test_a_generated_text_is_offered_with_what_it_is() -> None:
    app = open_app("data", state={"text": "reverse"})
    assert "Write the letters backwards, as in abc<cba." in texts(app)
    assert "The cut:" in texts(app)
    box = next(box for box in app.selectbox if box.label == "Text")
    assert "Simple stories (from a grammar)" in box.options
    assert "Between two stories or problems" in texts(app)


def test_of_the_grammars_stories_their_entropy_rules_and_code_are_shown() -> None:
    app = open_app("data", state={"text": "simple-stories", "grammar": True})
    assert not app.exception
    assert f"On average −log₂ p is {story_entropy():.1f} bits" in texts(app)
    assert any("story = <opening>" in block.value for block in app.code)
    assert "−log₂ p" not in texts(open_app("data", state={"text": "counting"}))


def test_other_stories_are_written_from_a_seed_and_kept() -> None:
    app = open_app("data")
    number(app, "Seed of its random draws").set_value(5)
    number(app, "Size in kB").set_value(20)
    button(app, "Write and save it").click().run()
    assert not app.exception
    (entry,) = get_library().texts()
    assert entry.name == "Simple stories (from a grammar), seed 5"
    assert get_library().load(entry.sha256).text == write_stories(seed=5, size=20_000)
    box = next(box for box in app.selectbox if box.label == "Text")
    assert box.value == entry.sha256


@pytest.mark.slow
def test_a_file_is_uploaded_kept_chosen_and_trained_on() -> None:
    app = open_app("data")
    name = "<script>alert(1)</script>.txt"
    app.file_uploader[0].upload(name, STORY.encode("cp1252", "replace"), "text/plain").run()
    assert "characters from 22.1 kB" in texts(app)
    assert "It begins: “THE LAMP ROOM" in texts(app)
    button(app, "Save this text").click().run()
    assert not app.exception
    assert kept() == [name]
    box = next(box for box in app.selectbox if box.label == "Text")
    assert box.value == get_library().texts()[0].sha256
    assert metric(app, "Characters") == f"{len(STORY):,}"
    button(app, "Train on this text").click().run()
    assert not app.exception
    assert [title.value for title in app.title] == ["Train"]
    run = runtime.get_store().latest_run()
    assert run is not None
    assert run.text_name == name
    assert f"pocket on {name}" in texts(app)
    finish(run.id)


def test_what_fits_the_text_is_shown_with_its_vocabulary_and_filled_in_on_train() -> None:
    app = open_app("data", state={"text": "the-lamp-room"})
    assert "A vocabulary of 50,257 tokens: the text has" in texts(app)
    pills = next(group for group in app.button_group if "time you have" in group.label)
    pills.select("3 minutes").run()
    assert not app.exception
    assert "The text is short: after 30 passes" in texts(app)
    assert f"A vocabulary of 512 tokens: the text has {metric(app, 'Tokens')} of them" in texts(app)
    assert max(chips(app, "The most frequent tokens")["ids"]) < 512
    # A kept value is one run late here after a page switch.
    app.switch_page("pages/train.py").run().run()
    assert "The text is short: after 30 passes" in texts(app)
    app.switch_page("pages/data.py").run().run()
    button(app, "Train on this text").click().run()
    assert not app.exception
    run = runtime.get_store().latest_run()
    assert run is not None
    assert (run.preset, run.model_config.vocab_size) == ("3 minutes", 512)
    finish(run.id)


def test_several_files_become_one_text_and_one_that_cannot_be_read_stops_all() -> None:
    app = open_app("data")
    uploader = app.file_uploader[0]
    uploader.upload("one.txt", b"First text.").upload("two.html", b"<p>Second &amp; last.</p>")
    app.run()
    button(app, "Save this text").click().run()
    (card,) = get_library().texts()
    assert card.name == "2 texts: one.txt, two.html"
    assert get_library().load(card.sha256).text == "First text.<|endoftext|>Second & last.\n"
    app.file_uploader[0].upload("three.txt", b"Third.").upload("four.docx", b"no").run()
    assert "'four.docx' is no Word file" in texts(app)
    assert "Remove what cannot be read" in texts(app)
    assert "Save this text" not in [b.label for b in app.main.button]


def test_a_file_that_cannot_be_read_is_refused_and_nothing_is_kept() -> None:
    app = open_app("data")
    app.file_uploader[0].upload("a.pdf", b"%PDF-1.4 broken", "application/pdf").run()
    assert not app.exception
    assert "'a.pdf' is damaged, or no PDF" in texts(app)
    assert "Save this text" not in [b.label for b in app.main.button]
    assert kept() == []


def test_project_gutenbergs_licence_is_left_out() -> None:
    app = open_app("data")
    body = "The story. " * 30
    text = (
        f"x\n*** START OF THE PROJECT GUTENBERG EBOOK T ***\n{body}\n"
        "*** END OF THE PROJECT GUTENBERG EBOOK T ***\nTerms of use."
    )
    app.file_uploader[0].upload("pg1.txt.utf8", text.encode(), "text/plain").run()
    assert "the licence of Project Gutenberg" in texts(app)
    assert "It begins: “The story." in texts(app)
    [box] = [box for box in app.checkbox if "Project Gutenberg" in box.label]
    box.check().run()
    assert "It begins: “x *** START" in texts(app)
    box.uncheck().run()
    button(app, "Save this text").click().run()
    (card,) = get_library().texts()
    assert get_library().load(card.sha256).text == body.strip() + "\n"


HUNGARIAN = "Az erdő szélén egy őz állt, és a hűvös szélben fülét hegyezte. " * 40


def test_the_encoding_that_was_found_is_shown_with_its_words_and_can_be_changed() -> None:
    app = open_app("data")
    app.file_uploader[0].upload("mese.txt", HUNGARIAN.encode("cp1250")).run()
    assert "Central European" in texts(app)
    assert "Words with letters beyond A to Z: erdő, szélén, őz, állt, és, hűvös." in texts(app)
    choose(app, "Encoding", "cp1252")
    assert "erdõ, szélén, õz" in texts(app)
    choose(app, "Encoding", "utf-8")
    assert "'mese.txt' cannot be read as" in texts(app)
    assert "Save this text" not in [b.label for b in app.main.button]
    choose(app, "Encoding", "")
    assert "erdő, szélén, őz" in texts(app)
    button(app, "Save this text").click().run()
    (card,) = get_library().texts()
    assert get_library().load(card.sha256).text == HUNGARIAN


def test_a_pages_article_alone_is_read_or_all_of_it() -> None:
    menu = "".join(f"<li><a href='/{n}'>Section {n}</a></li>" for n in range(30))
    prose = "".join(f"<p>{'The river rose in the night, and the mill stood still. ' * 6}</p>" * 8)
    page = f"<body><nav><ul>{menu}</ul></nav><article><h1>The Flood</h1>{prose}</article></body>"
    app = open_app("data")
    app.file_uploader[0].upload("flood.html", page.encode()).run()
    [toggle] = [t for t in app.toggle if "Only the article" in t.label]
    assert toggle.value is True
    assert "Left out or changed: " in texts(app)
    assert "It begins: “The Flood" in texts(app)
    toggle.set_value(False).run()
    assert "It begins: “Section 0 Section 1" in texts(app)


def test_the_column_of_a_table_is_chosen() -> None:
    rows = "".join(f"{n},A short title,The {n} lamps burned all night long.\n" for n in range(60))
    app = open_app("data")
    app.file_uploader[0].upload("tales.csv", f"number,title,story\n{rows}".encode()).run()
    assert "It begins: “The 0 lamps" in texts(app)
    choose(app, "The column with the text", "title")
    assert "It begins: “A short title" in texts(app)


def test_a_text_with_many_odd_characters_comes_with_a_warning() -> None:
    app = open_app("data")
    app.file_uploader[0].upload("a.txt", ("The l\ue001mp w\ue002s lit. " * 40).encode()).run()
    assert [w.value for w in app.warning if "80 private-use characters" in w.value]
    app.file_uploader[0].upload("b.txt", ("The lamp was lit. " * 400 + "\x1b").encode()).run()
    assert "The text has 1 control character." in texts(app)


def test_the_same_file_twice_is_one_text() -> None:
    app = open_app("data")
    text = "The story. " * 30
    app.file_uploader[0].upload("a.txt", text.encode()).upload("b.txt", text.encode()).run()
    assert not app.exception
    button(app, "Save this text").click().run()
    assert len(kept()) == 1


def test_a_text_that_cannot_be_encoded_says_so_and_another_can_be_chosen() -> None:
    library = TextLibrary(runtime.get_store(), actor="local")
    library.keep(Corpus("blanks.txt", "Once." + " " * 1_500_000 + "The end. " * 99_999), "uploaded")
    app = open_app("data")
    choose(app, "Text", library.texts()[0].sha256)
    assert not app.exception
    assert "a span of blanks there is too long" in texts(app)
    choose(app, "Text", "counting")
    assert metric(app, "Characters")


def test_a_pasted_text_is_kept_under_its_name() -> None:
    app = open_app("data")
    next(box for box in app.text_input if box.label == "Its name").set_value("my $x$ `notes`.docx")
    next(box for box in app.text_area if box.label == "Its text").set_value("Some words. " * 9)
    app.run()
    button(app, "Save this text").click().run()
    assert not app.exception
    assert kept() == ["my $x$ `notes`.docx"]  # its name does not make it a Word file


@pytest.mark.slow
def test_a_kept_text_is_deleted_unless_a_run_needs_it() -> None:
    library = TextLibrary(runtime.get_store(), actor="local")
    library.keep(Corpus("mine.txt", STORY), "uploaded")
    app = open_app("data")
    button(app, "Delete for good").click().run()
    assert kept() == []
    assert not app.exception
    library.keep(Corpus("mine.txt", STORY), "uploaded")
    app = open_app("data")
    choose(app, "Text", library.texts()[0].sha256)
    button(app, "Train on this text").click().run()
    run = runtime.get_store().latest_run()
    assert run is not None
    finish(run.id)
    app = open_app("data")
    button(app, "Delete for good").click().run()
    assert "1 run used this text" in app.toast[0].value
    assert kept() == ["mine.txt"]


def test_the_verdict_is_laid_out_as_in_the_chapter(verdict: str) -> None:
    app = open_app("data")
    choose(app, "Text", "the-verdict")
    choose(app, "Model and training", "book-124m")
    assert metric(app, "Characters") == "20,479"
    split, layout = (frame.value for frame in app.dataframe)
    assert split["characters"].tolist() == [18431, 2048]
    assert layout["batches"].tolist() == [9, 1]
    assert layout["windows"].tolist() == [18, 2]
    assert "10 epochs are **90 steps**" in texts(app)
    assert "inputs  (2, 256)" in texts(app)
    assert metric(app, "Steps") == "90"
    assert metric(app, "Tokens seen") == "46,080"


def test_the_survey_counts_and_names_what_a_script_costs() -> None:
    library = TextLibrary(runtime.get_store(), actor="local")
    library.keep(Corpus("hindi.txt", "नमस्ते दुनिया, यह एक परीक्षण है। " * 100), "pasted")
    app = open_app("data")
    assert "English prose takes about 0.25" in texts(app)
    assert chips(app, "The most frequent tokens")["ids"][0] == 262  # " the"
    choose(app, "Text", library.texts()[0].sha256)
    assert "times as many tokens per character as English prose" in texts(app)


def test_the_cut_moves_with_the_ratio() -> None:
    app = open_app("data")
    next(s for s in app.slider if s.label == "train_ratio").set_value(0.6).run()
    at = int(0.6 * len(STORY))
    assert app.dataframe[0].value["characters"].tolist() == [at, len(STORY) - at]
    assert " ".join(STORY[at - 120 : at].split()) in texts(app)


def test_a_stride_makes_overlapping_windows() -> None:
    app = open_app("data")
    number(app, "stride").set_value(16).run()
    assert not app.exception
    assert "each overlaps the next by 48 tokens" in texts(app)
    assert app.dataframe[1].value["windows"][0] > 300
    assert "one every 16" in html(app)
    assert "margin-left: 0.00%" in windows_drawing(64, 16, 5)
    assert windows_drawing(64, 64, 100).count("<span") == 6


def test_a_text_too_short_comes_with_a_mend_that_works() -> None:
    app = open_app("data")
    choose(app, "Text", "counting")
    choose(app, "Model and training", "book-124m")
    assert "Choose context_length=126 or less" in texts(app)
    button(app, "Use context_length = 126").click().run()
    assert not app.exception
    assert number(app, "context_length").value == 126
    assert "Train on this text" in [b.label for b in app.main.button]
    number(app, "context_length").set_value(200).run()
    ratio = next(b for b in app.main.button if b.label.endswith("for training"))
    ratio.click().run()
    assert not app.exception
    assert "Train on this text" in [b.label for b in app.main.button]


def test_the_expected_time_is_measured_on_its_own_steps() -> None:
    app = open_app("data")
    choose(app, "Text", "days-of-the-week")
    number(app, "context_length").set_value(8).run()
    button(app, "Measure how long it takes").click().run(timeout=120)
    assert not app.exception
    assert "estimated from a few steps on this machine" in texts(app)
    assert not runtime.get_store().runs()


def test_end_of_text_in_a_text_is_a_boundary_or_plain_text_by_choice() -> None:
    library = TextLibrary(runtime.get_store(), actor="local")
    library.keep(Corpus("two.txt", f"{STORY}<|endoftext|>{STORY}"), "uploaded")
    app = open_app("data")
    choose(app, "Text", library.texts()[0].sha256)
    with_boundary = int(metric(app, "Tokens").replace(",", ""))
    next(t for t in app.toggle if t.label == "end_of_text").set_value(False).run()
    assert int(metric(app, "Tokens").replace(",", "")) > with_boundary
    button(app, "Train on this text").click().run()
    run = runtime.get_store().latest_run()
    assert run is not None
    assert run.training_config.end_of_text is False
    finish(run.id)


def test_the_numbers_of_tables_have_thousands_separators() -> None:
    app = open_app("data")
    table = next(t for t in app.dataframe if "windows" in t.value)
    tokens = int(table.value["tokens"].iloc[0])
    assert tokens >= 1000
    assert f"{tokens:,}".encode() in table.proto.arrow_data.styler.display_values
