"""How a server ends: what trains is saved, then its clients get a limited time."""

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import wraps

import uvicorn

# Together below the ten seconds after which Docker, for one, kills what it has asked to end.
CLIENT_SECONDS = 3  # for clients to receive what was sent to them
REQUEST_SECONDS = 5  # for requests to be answered

log = logging.getLogger(__name__)


def limit_shutdown(save: Callable[[], None]) -> None:
    """Let no client delay the end of this process, nor the saving of what trains.

    Uvicorn waits without limit until each client has received what was sent to it: one browser
    that has stopped reading, such as that of a laptop that was closed, would keep the server
    running, and live runs unsaved, forever. Streamlit offers no setting for it
    (docs/STREAMLIT.md, fact 16). A server that has ended in order returns, so that the process
    ends with code 0 and not by the signal that it got.

    Args:
        save: saves what trains; called first, once for each server that ends.
    """
    shutdown_of_uvicorn = uvicorn.Server.shutdown

    @wraps(shutdown_of_uvicorn)
    async def shutdown(server: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
        try:
            await asyncio.to_thread(save)
        except Exception:
            log.exception("What trains could not be saved.")
        server.config.timeout_graceful_shutdown = REQUEST_SECONDS
        asyncio.get_running_loop().call_later(CLIENT_SECONDS, _hang_up, server)
        await shutdown_of_uvicorn(server, sockets)
        server._captured_signals.clear()

    uvicorn.Server.shutdown = shutdown  # type: ignore[method-assign, assignment]


def _hang_up(server: uvicorn.Server) -> None:
    """Close the connections of a server without sending what is left."""
    for connection in list(server.server_state.connections):
        connection.transport.abort()
