"""Run: a stored run, its states, and its summary."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.validation import check_number


class RunState(StrEnum):
    """The states of a run, stored by value."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"


LIVE_STATES = (RunState.QUEUED, RunState.RUNNING, RunState.PAUSED)  # a process holds the run
SILENT_SECONDS = 30.0  # after which a machine that trains a published run counts as silent
PROCESS_FACTS = ("processes", "devices", "hosts")  # in Run.versions, if there are several
RESUMABLE_STATES = (RunState.STOPPED, RunState.FAILED, RunState.INTERRUPTED)  # no process does


class CheckpointKind(StrEnum):
    """What a checkpoint holds."""

    WHOLE = "whole"  # weights, optimizer and random state: training resumes exactly
    WEIGHTS = "weights"  # weights alone
    INITIAL = "initial"  # the weights that the run began with


class ShareKind(StrEnum):
    """What can be shared with the class."""

    RUN = "run"
    TEXT = "text"
    MODEL = "model"


class Command(StrEnum):
    """A request to a live run; its value completes "only its owner may … it"."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    STEP = "step"
    SAVE = "save"
    SNAPSHOT = "look into"  # only within the process that trains the run

    @property
    def ongoing(self) -> str:
        """Return what the run is doing until the request is done, such as "stopping"."""
        return ONGOING[self]


ONGOING = {
    Command.PAUSE: "pausing",
    Command.RESUME: "resuming",
    Command.STOP: "stopping",
    Command.STEP: "stepping",
    Command.SAVE: "saving",
    Command.SNAPSHOT: "copying",
}


@dataclass(frozen=True)
class Baselines:
    """Losses on a run's whole validation text that its model's is compared with, in nats per token.

    Of a text of more than four million tokens they are those of parts from all over it. The floor
    and the entropy are known for the stories of our grammar only.
    """

    unigram: float  # of a model that knows how often each token occurs
    bigram: float  # of one that knows which token follows which
    bytes_per_token: float  # of the validation text
    floor: float | None = None  # the grammar's own mean −ln p of this text
    entropy: float | None = None  # the grammar's mean −ln p over all texts, by formula
    counted_tokens: int | None = None  # of a long training text; None: all pairs were counted

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is None and name in ("floor", "entropy", "counted_tokens"):
                continue
            check_number(name, value, lambda x: x >= 0, "of 0 or more")

    @property
    def has_useful_bigram(self) -> bool:
        """Tell whether the training text is long enough to learn from counts of pairs."""
        return self.bigram < self.unigram


class RunSetup(NamedTuple):
    """A run's owner and all that determines its losses: equal setups give equal losses."""

    owner: str
    model_config: GPTConfig
    training_config: TrainingConfig
    text_sha256: str
    initial_sha256: str


@dataclass(frozen=True)
class Run:
    """A stored run: its setup and its latest state."""

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
    name: str = ""  # given by a user; "" if none was given
    note: str = ""
    initial_name: str = ""  # of the weights it began with; "" if they were drawn at random
    initial_sha256: str = ""
    vocabulary_sha256: str = ""  # of its tokenizer.json; "" for GPT-2's vocabulary
    state_actor: str = ""  # who brought it into its state
    baselines: Baselines | None = None  # None before 0.3.0
    origin: str = ""  # the machine that trains it and sends its rows; "" if it is this one
    received_at: float = 0.0  # when that machine was last heard of
    is_redacted: bool = False  # private parts are left out

    def redacted(self) -> "Run":
        """Return the run without what may reveal its text."""
        training = replace(self.training_config, start_context="…", probes=())
        return replace(
            self,
            training_config=training,
            text_name="a text not shown here",
            text_sha256="",
            initial_name="private weights" if self.initial_sha256 else "",
            vocabulary_sha256="",
            is_redacted=True,
        )

    @property
    def setup(self) -> RunSetup:
        """Return the run's owner and all that determines its losses."""
        configs = (self.model_config, self.training_config)
        return RunSetup(self.owner, *configs, self.text_sha256, self.initial_sha256)

    @property
    def is_live(self) -> bool:
        """Tell whether the run is waiting, training or paused in a process."""
        return self.state in LIVE_STATES

    @property
    def is_resumable(self) -> bool:
        """Tell whether the run ended before its last step and can be resumed here."""
        return self.state in RESUMABLE_STATES and not self.origin

    @property
    def processes(self) -> int:
        """Return how many processes train the run together, or trained it last."""
        text = self.versions.get("processes", "1")
        return int(text) if text.isdecimal() else 1

    @property
    def tokens_per_step(self) -> int:
        """Return the number of tokens in one optimizer update, over all its batches."""
        training = self.training_config
        return training.batch_size * training.accumulation_steps * self.model_config.context_length

    @property
    def steps_per_epoch(self) -> int:
        """Return the number of optimizer updates in an epoch."""
        return self.total_steps // self.training_config.num_epochs

    def epoch_ended_by(self, global_step: int) -> int | None:
        """Return the epoch whose last step this is; None for any other step."""
        epoch, rest = divmod(global_step + 1, self.steps_per_epoch or self.total_steps + 1)
        return epoch if epoch and not rest else None


@dataclass(frozen=True)
class RunSummary:
    """A run's progress on one line. None means not recorded yet."""

    run: Run
    steps_done: int
    seconds: float  # spent on the run
    train_loss: float | None  # of the last evaluation
    val_loss: float | None
    val_bits_per_byte: float | None
    lowest_val_loss: float | None
    lowest_val_step: int | None
