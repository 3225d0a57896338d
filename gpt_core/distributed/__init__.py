"""Several processes that train one run: PyTorch's DistributedDataParallel, started by torchrun."""

from gpt_core.distributed.collectives import (
    GroupEnded,
    RankLostError,
    losses_of_ranks,
    share_tokens,
    sum_over_ranks,
)
from gpt_core.distributed.control import (
    Command,
    begin_turn,
    end_turn,
    receive,
    serve,
    tell,
    whole_optimizer,
)
from gpt_core.distributed.gradients import DistributedGradients, choose_shared_loss
from gpt_core.distributed.group import (
    RANK_TIMEOUT,
    SINGLE,
    Group,
    describe_resumption,
    describe_shares,
    join_group,
    leave_group,
)
from gpt_core.distributed.launch import LAUNCH, launch_id
from gpt_core.distributed.sharding import Sharded, create_sharded_adamw
from gpt_core.distributed.shared_run import (
    SharedRun,
    SharedState,
    announce_run,
    join_run,
    receive_state,
    send_state,
)

__all__ = [
    "LAUNCH",
    "RANK_TIMEOUT",
    "SINGLE",
    "Command",
    "DistributedGradients",
    "Group",
    "GroupEnded",
    "RankLostError",
    "Sharded",
    "SharedRun",
    "SharedState",
    "announce_run",
    "begin_turn",
    "choose_shared_loss",
    "create_sharded_adamw",
    "describe_resumption",
    "describe_shares",
    "end_turn",
    "join_group",
    "join_run",
    "launch_id",
    "leave_group",
    "losses_of_ranks",
    "receive",
    "receive_state",
    "send_state",
    "serve",
    "share_tokens",
    "sum_over_ranks",
    "tell",
    "whole_optimizer",
]
