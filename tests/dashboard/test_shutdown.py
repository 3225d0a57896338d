"""How a server ends: what trains is saved before any client is waited for."""

import asyncio
import socket

import uvicorn
from starlette.types import Receive, Scope, Send

from dashboard.app import runtime
from gpt_core.store import RunState
from tests.support.app_driver import start_pocket_run
from tests.support.ports import free_port


def test_what_trains_is_saved_before_clients_are_waited_for(own_runtime: None) -> None:
    run_id = start_pocket_run()
    states: list[str] = []

    def state() -> str:
        run = runtime.get_store().run(run_id)
        assert run is not None
        return run.state

    async def wait_for_the_client(scope: Scope, receive: Receive, send: Send) -> None:
        states.append(state())
        while (await receive())["type"] != "http.disconnect":
            pass
        states.append(state())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def serve_half_a_request() -> None:
        port = free_port()
        server = uvicorn.Server(
            uvicorn.Config(wait_for_the_client, port=port, lifespan="off", log_level="error")
        )
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
            while not states:
                await asyncio.sleep(0.01)
            server.should_exit = True
            await serving

    asyncio.run(serve_half_a_request())
    assert states[0] == RunState.RUNNING
    assert len(states) == 2
    assert states[1] != RunState.RUNNING
