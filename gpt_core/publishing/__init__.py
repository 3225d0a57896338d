"""A run that trains on one machine and is watched in the app of another, over HTTP."""

from gpt_core.publishing.app_line import AppLine
from gpt_core.publishing.incoming import (
    PublishingRefused,
    SentRows,
    receive_run,
)
from gpt_core.publishing.outgoing import MAX_FACTS_BYTES, MAX_ROWS_BYTES
from gpt_core.publishing.publisher import Publisher, describe_unsent
from gpt_core.publishing.requests import list_requests
from gpt_core.publishing.tokens import (
    TOKEN_VARIABLE,
    is_right_token,
    make_token,
    read_token,
    remove_token,
    token_sha256,
)

__all__ = [
    "MAX_FACTS_BYTES",
    "MAX_ROWS_BYTES",
    "TOKEN_VARIABLE",
    "AppLine",
    "Publisher",
    "PublishingRefused",
    "SentRows",
    "describe_unsent",
    "is_right_token",
    "list_requests",
    "make_token",
    "read_token",
    "receive_run",
    "remove_token",
    "token_sha256",
]
