"""AdamW whose moments are divided among the ranks: each keeps and updates a part.

Only who uses it imports this module: PyTorch's part of it takes most of a second to load.
"""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.optim import AdamW

from gpt_core.config import TrainingConfig
from gpt_core.distributed.group import Group
from gpt_core.distributed.sharding import Sharded

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class ShardedAdamW(ZeroRedundancyOptimizer, Sharded):
    """AdamW that keeps only this rank's part of the moments.

    After each update every rank sends its part of the weights to the others. ``state`` holds the
    own parameters; on rank 0 all of them while a checkpoint is written or loaded, the others' in
    the CPU's memory.

    Source: Rajbhandari et al. (2020), "ZeRO: Memory Optimizations Toward Training Trillion
    Parameter Models", stage 1.
    """

    def __init__(self, parameters: Sequence[Tensor], config: TrainingConfig, group: Group) -> None:
        super().__init__(
            parameters,
            AdamW,
            process_group=group.gradients,
            lr=config.learning_rate,
            betas=(config.beta1, config.beta2),
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.state = self.optim.state
        self._parameters = list(parameters)
        self._channel = group.gradients
        own = {p for part in self.optim.param_groups for p in part["params"]}
        self._own = own
        owners = torch.tensor([group.rank if p in own else 0 for p in self._parameters])
        dist.all_reduce(owners)
        self._owners: list[int] = owners.tolist()  # the rank of each parameter
        for parameter in own:
            self.state[parameter] = _zero_moments(parameter, parameter.device)

    def gather(self) -> None:
        """Send all ranks' moments to rank 0, one tensor at a time; all ranks call it."""
        for parameter, owner in zip(self._parameters, self._owners, strict=True):
            if owner == 0:
                continue
            if self.rank == 0:
                self.state[parameter] = {}
            for name in MOMENTS:
                if self.rank == owner:
                    dist.send(self.state[parameter][name], dst=0, group=self._channel)
                elif self.rank == 0:
                    received = _zero_moments(parameter, parameter.device)[name]
                    dist.recv(received, src=owner, group=self._channel)
                    self.state[parameter][name] = received.cpu()

    def expect_all(self) -> None:
        """Make room on rank 0 for the moments of all parameters, which a checkpoint gives."""
        for parameter in self._parameters:
            self.state.setdefault(parameter, dict.fromkeys(MOMENTS))

    def scatter(self) -> None:
        """Send the moments that rank 0 has loaded to the ranks that keep them; all call it."""
        for parameter, owner in zip(self._parameters, self._owners, strict=True):
            for name in MOMENTS if owner else ():
                if self.rank == 0:
                    sent = self.state[parameter][name].to(parameter.device)
                    dist.send(sent, dst=owner, group=self._channel)
                elif self.rank == owner:
                    dist.recv(self.state[parameter][name], src=0, group=self._channel)
        self.keep_own()

    def keep_own(self) -> None:
        """Drop the moments of the other ranks' parameters; own ones go to their device."""
        for parameter in self._parameters:
            if parameter not in self._own:
                self.state.pop(parameter, None)
            else:
                for name, value in self.state[parameter].items():
                    self.state[parameter][name] = value.to(parameter.device)


def _zero_moments(parameter: Tensor, device: torch.device) -> dict[str, Tensor]:
    return {
        "step": torch.zeros((), device=device),
        "exp_avg": torch.zeros_like(parameter, device=device),
        "exp_avg_sq": torch.zeros_like(parameter, device=device),
    }
