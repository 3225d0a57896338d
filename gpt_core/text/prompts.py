"""The prompt that suits a text."""

from gpt_core.config import TrainingConfig
from gpt_core.text.bundled_texts import DEFAULT_TEXT, load_text
from gpt_core.text.corpus import Corpus
from gpt_core.text.tasks import has_problems, right_answer
from gpt_core.text.text_file import TextFile
from gpt_core.text.the_verdict import VERDICT_SHA256
from gpt_core.vocabularies import Tokenizer

CHAPTER_PROMPT = TrainingConfig().start_context
PROMPT_TOKENS, MAX_PROMPT_TOKENS = 4, 8  # the chapter's prompt has 4
LINE_TOKENS, VERSE_TOKENS = 12, 7  # of a line; a shorter one is looked at second, or is a title
SEARCHED = 20_000  # characters in which a line is looked for


def prompt_of(corpus: Corpus | TextFile, tokenizer: Tokenizer) -> str:
    """Return the prompt of a run on this text, unless another one is chosen.

    It is the beginning of the text's first line of prose or, if there is none, of verse: a prompt
    in another language, or from another world, shows little of what the model learns. A text of
    tasks has a problem of its validation part, without the answer. The
    chapter's text, and the story that stands in for it, have the chapter's prompt.
    """
    if corpus.sha256 in (VERDICT_SHA256, load_text(DEFAULT_TEXT).sha256):
        return CHAPTER_PROMPT
    beginning = corpus.text[:SEARCHED]
    if has_problems(beginning):
        return _last_problem(corpus.text[-SEARCHED:])
    lines = [line.strip() for line in beginning.splitlines()]
    for needed in (LINE_TOKENS, VERSE_TOKENS):
        for line in lines:
            ids = tokenizer.encode_ordinary(line[:200])
            if len(ids) >= needed and (prompt := _beginning(line, ids, tokenizer)):
                return prompt
    return CHAPTER_PROMPT


def _last_problem(text: str) -> str:
    """Return the last problem of a text of tasks, without its answer: it is never trained on."""
    line = text.splitlines()[-1]
    problem = right_answer(line)
    return line[: problem[0]] if problem else CHAPTER_PROMPT


def _beginning(line: str, ids: list[int], tokenizer: Tokenizer) -> str:
    """Return how a line begins: a few whole tokens and, if possible, whole words."""
    lengths = range(PROMPT_TOKENS, min(MAX_PROMPT_TOKENS, len(ids) - 1) + 1)
    beginnings = [tokenizer.decode(ids[:length]) for length in lengths]
    whole = [b for b in beginnings if line.startswith(b)]  # no character is cut in two
    words = [b for b in whole if not line[len(b)].isalnum()]
    return next(iter(words or whole), "")
