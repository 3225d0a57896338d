import pytest
import tiktoken

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.presets import GPT_CONFIG_124M
from gpt_core.text import count_batches, count_tokens, create_dataloader, load_text
from gpt_core.vocabularies import encode_corpus


def test_the_tokens_of_a_text_are_counted(tokenizer: tiktoken.Encoding) -> None:
    text = "one two two two three three"
    ids = encode_corpus(text, tokenizer)
    survey = count_tokens(text, ids, tokenizer)
    assert (survey.characters, survey.tokens, survey.distinct) == (27, 6, 3)
    assert survey.most_frequent[:2] == ((734, 3), (1115, 2))
    assert survey.longest[0] == 1115  # " three"
    assert survey.tokens_per_character == 6 / 27


def test_a_script_the_vocabulary_was_not_made_for_takes_more_tokens(
    tokenizer: tiktoken.Encoding,
) -> None:
    for text in ("नमस्ते दुनिया, यह एक परीक्षण है।", "مرحبا بالعالم، هذا اختبار."):
        assert (
            count_tokens(text, encode_corpus(text, tokenizer), tokenizer).tokens_per_character > 0.8
        )


def test_the_verdict_is_laid_out_as_in_the_chapter() -> None:
    train = count_batches(4612, GPT_CONFIG_124M, TrainingConfig(), drop_last=True)
    assert (train.windows, train.batches) == (18, 9)
    val = count_batches(533, GPT_CONFIG_124M, TrainingConfig(), drop_last=False)
    assert (val.windows, val.batches) == (2, 1)


@pytest.mark.parametrize("tokens", [0, 1, 32, 33, 34, 100, 101, 641])
@pytest.mark.parametrize("stride", [None, 1, 7, 50])
@pytest.mark.parametrize("drop_last", [True, False])
def test_the_layout_is_what_the_loader_gives(
    tokens: int, stride: int | None, drop_last: bool, tokenizer: tiktoken.Encoding
) -> None:
    model, config = GPTConfig(context_length=32), TrainingConfig(batch_size=3, stride=stride)
    layout = count_batches(tokens, model, config, drop_last)
    ids = encode_corpus(load_text("counting").text, tokenizer)[:tokens]
    if not layout.windows:
        with pytest.raises(ValueError, match="One window takes"):
            create_dataloader(ids, 3, 32, stride)
        return
    loader = create_dataloader(ids, 3, 32, stride, shuffle=False, drop_last=drop_last)
    batches = list(loader)
    assert layout.batches == len(batches)
    seen = sum(len(inputs) for inputs, _ in batches)
    assert layout.windows == seen + layout.left_over_windows
    last = (layout.windows - 1) * (stride or 32) + 32 + 1
    assert layout.left_over_tokens == tokens - last
