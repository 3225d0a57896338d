"""Limits on the connections of a listener: how many from an address, how many of a member.

An address may be a whole class behind one router, so its limit is wide, and a connection whose
member is known counts for the member alone. Where a limit is reached, the oldest connection
without a member and without a request makes place: a flood of strangers does not close the door.
"""

import asyncio
import ipaddress
import sys
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if sys.platform != "win32":
    import resource

MAX_FILES = 65_536  # open files and connections of this process, where the system allows them
FEWER_FILES = 10_240  # macOS allows no more, whatever its hard limit says
WINDOWS_FILES = 8192  # which has no such limit
SEAT = "seat"  # in a request's state: its connection's Seat
REQUEST_SECONDS = 15.0  # for a connection to send a request's headers
STALLED_SECONDS = 60.0  # for a request's body to go on arriving
GRACE_SECONDS = 0.1  # before one of too many is closed: its request may have come and not been read


def raise_file_limit() -> int:
    """Raise the number of files that this process may open; return it."""
    if sys.platform == "win32":
        return WINDOWS_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (MAX_FILES, FEWER_FILES):
        files = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if files <= soft:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        except (OSError, ValueError):
            continue
        return int(files)
    return int(soft)


@dataclass(eq=False)
class Seat:
    """A connection: where it comes from, and whose it is."""

    among: "Seats"
    transport: asyncio.Transport
    address: str
    member: str | None = None
    has_request: bool = False  # a whole one, which is being answered, or a websocket

    def take(self, member: str) -> bool:
        """Count the connection for a member; tell whether they may have one more."""
        if self.member != member:
            if not self.among.has_room_for(member):
                return False
            self.member = member
        return True


class Seats:
    """The connections of one listener.

    Args:
        in_all: the maximum number of connections.
        of_address: the maximum from one address without a member.
        of_member: the maximum of one member.
        is_behind_proxy: whether connections from this machine are a proxy's, for many addresses.
    """

    def __init__(
        self, in_all: int, of_address: int, of_member: int, is_behind_proxy: bool = False
    ) -> None:
        self._limits = in_all, of_address, of_member
        self._is_behind_proxy = is_behind_proxy
        self._seats: dict[asyncio.BaseTransport, Seat] = {}  # the oldest first
        self._beyond: set[str] = set()  # addresses of which some are about to be closed

    def admit(self, transport: asyncio.Transport) -> Seat | None:
        """Return the seat of a new connection; None if there is no place, and it is closed."""
        in_all, of_address, _ = self._limits
        peer = transport.get_extra_info("peername")
        seat = Seat(self, transport, str(peer[0]) if peer else "")
        if len(self._seats) >= in_all:
            strangers = self._strangers()
            if not strangers:
                return None
            self._close(strangers[0])
        self._seats[transport] = seat
        beside = sum(s.address == seat.address for s in self._seats.values() if s.member is None)
        is_limited = seat.address not in self._beyond and not self.is_proxy(seat.address)
        if beside > of_address and is_limited:
            self._beyond.add(seat.address)
            loop = asyncio.get_running_loop()
            loop.call_later(GRACE_SECONDS, self._close_beyond, seat.address)
        return seat

    def _strangers(self, address: str | None = None) -> list[Seat]:
        """Return the connections without a member: first those without a request, the oldest first.

        Args:
            address: only those from it.
        """
        found = (seat for seat in self._seats.values() if seat.member is None)
        beside = [seat for seat in found if address in (None, seat.address)]
        return sorted(beside, key=lambda seat: seat.has_request)

    def _close_beyond(self, address: str) -> None:
        """Close what an address has beyond its limit."""
        self._beyond.discard(address)
        strangers = self._strangers(address)
        for seat in strangers[: max(0, len(strangers) - self._limits[1])]:
            self._close(seat)

    def _close(self, seat: Seat) -> None:
        self.release(seat.transport)
        seat.transport.abort()

    def release(self, transport: asyncio.BaseTransport) -> None:
        """Forget a connection, which has ended."""
        self._seats.pop(transport, None)

    def has_room_for(self, member: str) -> bool:
        """Tell whether a member may have one more connection."""
        return sum(seat.member == member for seat in self._seats.values()) < self._limits[2]

    def is_proxy(self, address: str) -> bool:
        """Tell whether an address is that of the proxy on this machine."""
        return self._is_behind_proxy and is_loopback(address)


def is_loopback(address: str) -> bool:
    """Tell whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def limited_protocols(seats: Seats) -> dict[str, Any]:
    """Return uvicorn's settings for a listener whose connections are limited."""

    class Http(H11Protocol):
        """HTTP on a connection that has a seat, and a time to send its requests."""

        _deadline: asyncio.TimerHandle | None = None
        _seat: Seat | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._seat = seats.admit(transport)
            self.app_state = {**self.app_state, SEAT: self._seat}
            self._expect(REQUEST_SECONDS)
            if self._seat is None:
                transport.abort()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is None or self.cycle.response_complete:
                return  # headers must be complete by the time set; uvicorn ends idle connections
            self._expect(STALLED_SECONDS if self.cycle.more_body else None)
            self._note_request(not self.cycle.more_body)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._expect(REQUEST_SECONDS)
            self._note_request(False)

        def handle_websocket_upgrade(self, event: Any) -> None:
            self._expect(None)
            self._note_request(True)
            super().handle_websocket_upgrade(event)

        def connection_lost(self, exc: Exception | None) -> None:
            self._expect(None)
            seats.release(self.transport)
            super().connection_lost(exc)

        def _note_request(self, has_request: bool) -> None:
            if self._seat is not None:
                self._seat.has_request = has_request

        def _expect(self, seconds: float | None) -> None:
            """End the connection unless something arrives within a time."""
            if self._deadline is not None:
                self._deadline.cancel()
            self._deadline = (
                self.loop.call_later(seconds, self.transport.abort) if seconds else None
            )

    class WebSocket(WebSocketsSansIOProtocol):
        """A websocket, which keeps the seat of its connection."""

        def connection_lost(self, exc: Exception | None) -> None:
            seats.release(self.transport)
            super().connection_lost(exc)

    return {"http": Http, "ws": WebSocket}
