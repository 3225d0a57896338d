"""Run: a run as the store knows it, the states it can be in, and how far it has come."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from gpt_core.config import GPTConfig, TrainingConfig


class RunState(StrEnum):
    """The states that a run can be in; the record has their values."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"


LIVE_STATES = (RunState.QUEUED, RunState.RUNNING, RunState.PAUSED)  # a process holds the run
RESUMABLE_STATES = (RunState.STOPPED, RunState.FAILED, RunState.INTERRUPTED)  # none does


class CheckpointKind(StrEnum):
    """What a checkpoint holds."""

    WHOLE = "whole"  # weights, optimizer and random state: training goes on from it exactly
    WEIGHTS = "weights"  # weights alone
    INITIAL = "initial"  # the weights that the run began with


class RunSetup(NamedTuple):
    """Whose run it is, and what its losses follow from: two equal ones give the same."""

    owner: str
    model_config: GPTConfig
    training_config: TrainingConfig
    text_sha256: str
    initial_sha256: str


@dataclass(frozen=True)
class Run:
    """A run as the store knows it: how it was set up, and its latest state."""

    id: str
    created_at: float
    owner: str
    preset: str
    model_config: GPTConfig
    training_config: TrainingConfig
    text_name: str
    text_sha256: str
    train_tokens: int
    val_tokens: int
    total_steps: int
    versions: dict[str, str]
    state: RunState
    state_at: float
    message: str
    name: str = ""  # what somebody calls it; "" if nobody has named it
    note: str = ""
    initial_name: str = ""  # of the weights it began with; "" if they were drawn at random
    initial_sha256: str = ""
    is_redacted: bool = False  # what is private in it is left out: for whoever may not look inside

    def redacted(self) -> "Run":
        """Return the run without what may give its text away."""
        training = replace(self.training_config, start_context="…", probes=())
        return replace(
            self,
            training_config=training,
            text_name="a private text",
            text_sha256="",
            initial_name="private weights" if self.initial_sha256 else "",
            is_redacted=True,
        )

    @property
    def setup(self) -> RunSetup:
        """Return what tells a run from another one, but for its ID."""
        configs = (self.model_config, self.training_config)
        return RunSetup(self.owner, *configs, self.text_sha256, self.initial_sha256)

    @property
    def is_live(self) -> bool:
        """Tell whether the run is waiting, training or paused in some process."""
        return self.state in LIVE_STATES

    @property
    def is_resumable(self) -> bool:
        """Tell whether the run has ended before its last step and can go on."""
        return self.state in RESUMABLE_STATES

    @property
    def tokens_per_step(self) -> int:
        """Return how many tokens an update of all its batches sees."""
        training = self.training_config
        return training.batch_size * training.accumulation_steps * self.model_config.context_length

    @property
    def steps_per_epoch(self) -> int:
        """Return how many optimizer updates one epoch takes."""
        return self.total_steps // self.training_config.num_epochs


@dataclass(frozen=True)
class RunSummary:
    """A run on one line: how far it has come. None stands for what is not on record yet."""

    run: Run
    steps_done: int
    seconds: float  # spent on it
    train_loss: float | None  # of the last evaluation
    val_loss: float | None
    lowest_val_loss: float | None
    lowest_val_step: int | None
