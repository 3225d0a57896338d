"""From a text in any script to a model that writes in it, with a vocabulary of its own."""

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, choose, go_to, open_page, unfold, wait_until_settled

pytestmark = pytest.mark.slow


def chinese() -> str:
    """Return 10,000 characters of simple sentences, three bytes each."""
    draw = random.Random(1).choice
    sentences = [
        f"{draw(['春天', '夏天', '秋天', '冬天'])}的{draw(['早上', '下午', '晚上'])}，"
        f"{draw(['小猫', '老人', '弟弟', '姐姐', '白鸟'])}"
        f"{draw(['在院子里', '在河边', '在山上', '在学校'])}"
        f"{draw(['看见了', '找到了', '画了', '送来了'])}"
        f"{draw(['一朵红花', '一只小船', '三个苹果', '一本新书'])}。\n"
        for _ in range(450)
    ]
    return "".join(sentences)


def code() -> str:
    """Return 25,000 characters of small functions in Python."""
    draw = random.Random(2).choice
    functions = [
        f"def {draw(['add', 'find', 'count', 'join'])}_{(what := draw(['rows', 'names', 'words']))}"
        f"({what}, limit={draw('0123456789')}):\n"
        f"    total = {draw(['0', '[]', 'None'])}\n"
        f"    for item in {what}:\n"
        f"        if item {draw(['<', '>', '=='])} limit:\n"
        f"            total {draw(['+=', '-='])} item\n"
        f"    return {draw(['total', f'len({what})'])}\n\n\n"
        for _ in range(180)
    ]
    return "".join(functions)


def fill(page: Page, name: str, number: int) -> None:
    """Set a number of the form."""
    field = page.get_by_role("spinbutton", name=name)
    field.fill(str(number))
    field.press("Tab")


@pytest.mark.parametrize(
    ("write", "name", "sentence", "word", "vocab_size", "form"),
    [
        (
            chinese,
            "四季.txt",
            "春天的早上，小猫在河边看见了一只小船。",
            "小猫",
            500,
            r"^[\u4e00-\u9fff，。\n]+$",
        ),
        (
            code,
            "functions.py",
            "for item in names:\n",
            "·item",
            330,
            r"    for item in [a-z]+:\n        if item (<|>|==) limit:\n",
        ),
    ],
    ids=["chinese", "code"],
)
def test_a_model_writes_in_the_script_of_the_text_whose_vocabulary_it_learnt(
    write: Callable[[], str],
    name: str,
    sentence: str,
    word: str,
    vocab_size: int,
    form: str,
    page: Page,
    server: Server,
    problems: list[str],
    tmp_path: Path,
) -> None:
    file = tmp_path / name
    file.write_text(write(), encoding="utf-8")
    open_page(page, f"{server.url}/data")
    page.get_by_text("Use your own text").click()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Save this text").click()
    expect(page.get_by_text("Saved, and chosen above")).to_be_visible(timeout=30_000)

    go_to(page, "Tokens")
    box = page.get_by_label("Your text", exact=True)
    box.fill(sentence)
    box.press("Control+Enter")
    learnt = page.get_by_role("listbox", name="Your sentence in the tokens learnt so far")
    expect(learnt.get_by_text(word, exact=True)).to_be_visible(timeout=30_000)  # after 200 merges
    merges = page.get_by_role("slider", name="Merges learnt so far")
    merges.focus()
    page.keyboard.press("Home")
    expect(learnt.get_by_role("option")).to_have_count(len(sentence.encode()))
    expect(learnt.get_by_text(word, exact=True)).to_have_count(0)

    go_to(page, "Train")
    unfold(page, "Start a run")
    unfold(page, "settings")
    page.get_by_role("tab", name="Data").click()
    choose(page, "vocabulary", "bpe")
    page.get_by_role("tab", name="Model").click()
    fill(page, "vocab_size", vocab_size)
    wait_until_settled(page)
    page.get_by_role("tab", name="Optimizer").click()
    fill(page, "num_epochs", 8)
    expect(page.get_by_text(f"A vocabulary of {vocab_size} tokens")).to_be_visible(timeout=30_000)
    wait_until_settled(page)
    page.get_by_role("button", name="Start training").click()
    main = page.get_by_test_id("stMain")
    expect(main.get_by_text(f", changed, on {name}").first).to_be_visible(timeout=30_000)
    expect(main.get_by_text("finished", exact=True)).to_be_visible(timeout=300_000)
    wait_until_settled(page)
    samples = page.locator(".sample-list li")
    assert re.search(form, samples.first.locator(".text").text_content() or "")
    assert "\ufffd" not in "".join(samples.all_inner_texts())
