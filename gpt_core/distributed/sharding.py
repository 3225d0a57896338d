"""What an optimizer can do that divides its moments among the ranks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer

from gpt_core.config import TrainingConfig
from gpt_core.distributed.group import Group


class Sharded(ABC):
    """An optimizer of which each rank keeps a part. All ranks call these methods together."""

    @abstractmethod
    def gather(self) -> None:
        """Send all ranks' moments to rank 0."""

    @abstractmethod
    def scatter(self) -> None:
        """Send the moments that rank 0 has loaded to the ranks that keep them."""

    @abstractmethod
    def expect_all(self) -> None:
        """Make room on rank 0 for the moments of all parameters, which a checkpoint gives."""

    @abstractmethod
    def keep_own(self) -> None:
        """Drop the moments of the other ranks' parameters."""


def create_sharded_adamw(
    parameters: Sequence[Tensor], config: TrainingConfig, group: Group
) -> Optimizer:
    """Return AdamW with this rank's part of the moments."""
    from gpt_core.distributed.sharded_optimizer import ShardedAdamW  # slow to load

    return ShardedAdamW(parameters, config, group)
