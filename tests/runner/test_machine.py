"""What is said of the machine that trains a run."""

from dataclasses import replace

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.runner import describe_speed
from gpt_core.store import Run


def test_a_speed_is_told_with_its_share_of_the_peak_of_all_devices(run: Run) -> None:
    assert describe_speed(run, 12_345.6) == "12,346"  # a CPU's peak is not known
    large = replace(
        run,
        model_config=GPTConfig(context_length=1024, tied_head=True, initialization="gpt2"),
        training_config=TrainingConfig(precision="bfloat16"),
        versions={"gpu": "NVIDIA H200"},
    )
    assert describe_speed(large, 461_000, " tokens/s") == "461,000 tokens/s, 40% MFU"
    eight = replace(large, versions={**large.versions, "processes": "8"})
    assert describe_speed(eight, 8 * 461_000) == "3,688,000, 40% MFU"
