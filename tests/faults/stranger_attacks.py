"""Attacks of strangers, who have no cookie: floods, half requests, other sites, wrong codes."""

import http.client
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from urllib.parse import urlencode, urlsplit

from benchmarks.classroom import CODE, PASSPHRASE
from gpt_core.access.roster import JOINS_SECONDS, MAX_JOINS
from tests.browser.conftest import start_server
from tests.faults.attack import Attacked, Outcome
from tests.hostile.test_members import Tab, shown

FORM = "POST /join HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\nname=A"


def prepare() -> None:
    """Import what attacks need, and let this process open many files."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connect(url: str) -> socket.socket:
    """Return a connection to the server at an address."""
    where = urlsplit(url)
    return socket.create_connection((where.hostname or "", where.port or 80), timeout=10)


def count_open(connections: list[socket.socket]) -> int:
    """Return how many connections the server has not closed."""
    found = 0
    for connection in connections:
        connection.setblocking(False)
        with suppress(OSError):
            try:
                found += bool(connection.recv(4096))  # an answer, b"" at the end
            except BlockingIOError:
                found += 1
    return found


@contextmanager
def half_open(url: str, number: int, sent: str = FORM) -> Iterator[list[socket.socket]]:
    """Hold connections that have sent the beginning of something, or nothing."""
    with ExitStack() as stack:
        connections = []
        for _ in range(number):
            with suppress(OSError):  # refused, or reset
                connection = stack.enter_context(connect(url))
                connection.sendall(sent.format(host=urlsplit(url).netloc).encode())
                connections.append(connection)
        yield connections


def post(
    url: str, form: dict[str, str], address: str = "127.0.0.1", **headers: str
) -> tuple[int, float]:
    """Send the door's form from one of this machine's addresses; return the status and seconds."""
    began = time.monotonic()
    where = urlsplit(url)
    connection = http.client.HTTPConnection(
        where.hostname or "", where.port, timeout=60, source_address=(address, 0)
    )
    with closing(connection):
        sent = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        connection.request("POST", "/join", urlencode(form), sent)
        return connection.getresponse().status, time.monotonic() - began


def idle_connections(target: Attacked) -> Outcome:
    """Open 1,200 connections and send nothing."""
    outcome = Outcome()
    with half_open(target.url, 1200, "") as connections:
        time.sleep(target.seconds)
        left = count_open(connections)
    status, seconds = post(target.url, {"passphrase": PASSPHRASE})
    return outcome.end(
        f"{len(connections)} opened, {left} of them open after {target.seconds:.0f} s; then the "
        f"teacher signs in within {seconds:.1f} s.",
        the_door_is_open=status == 303,
    )


def half_forms(target: Attacked) -> Outcome:
    """Open 600 connections and send half of the door's form on each."""
    outcome = Outcome()
    with half_open(target.url, 600) as connections:
        time.sleep(1)
        status, seconds = post(target.url, {"passphrase": PASSPHRASE})
        time.sleep(target.seconds)
        left = count_open(connections)
    return outcome.end(
        f"{len(connections)} opened, {left} of them open after {target.seconds:.0f} s; meanwhile "
        f"the teacher signs in within {seconds:.1f} s.",
        the_door_is_open=status == 303,
    )


def foreign_websockets(target: Attacked) -> Outcome:
    """Open websockets as pages of other sites do, at both addresses, in four threads."""
    outcome = Outcome()
    until = time.monotonic() + target.seconds

    def knock(url: str) -> Counter[int]:
        statuses: Counter[int] = Counter()
        while time.monotonic() < until:
            with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)) as asked:
                headers = {
                    "Connection": "Upgrade",
                    "Upgrade": "websocket",
                    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
                    "Sec-WebSocket-Version": "13",
                    "Origin": "http://example.com",
                    "Cookie": target.cookies[0],
                }
                asked.request("GET", "/_stcore/stream", headers=headers)
                statuses[asked.getresponse().status] += 1
            time.sleep(0.01)
        return statuses

    with ThreadPoolExecutor(4) as pool:
        found = sum(pool.map(knock, [target.url, target.local_url] * 2), Counter())
    return outcome.end(
        f"{found.total()} handshakes of another site, answers {dict(found)}.",
        all_are_refused=set(found) == {403},
        nothing_calls_out=not target.network_log.read_text(),
    )


def wrong_codes(target: Attacked) -> Outcome:
    """Try wrong codes and passphrases from sixty addresses; the teacher and a student come in."""
    outcome = Outcome()
    has_ended = threading.Event()
    tries: Counter[int] = Counter()

    def guess(number: int) -> None:
        address = f"127.0.0.{2 + number}"
        while not has_ended.is_set():
            wrong = {"passphrase": "guess"} if number % 2 else {"name": "Eve", "code": "aaaaaa"}
            with suppress(OSError, http.client.HTTPException):
                tries[post(target.url, wrong, address)[0]] += 1
            has_ended.wait(0.2)

    guessing = [threading.Thread(target=guess, args=(number,)) for number in range(60)]
    for thread in guessing:
        thread.start()
    time.sleep(target.seconds / 2)
    teacher, teachers_seconds = post(target.url, {"passphrase": PASSPHRASE})
    student, students_seconds = post(target.url, {"name": "Late", "code": CODE})
    time.sleep(target.seconds / 2)
    has_ended.set()
    for thread in guessing:
        thread.join()
    return outcome.end(
        f"{tries.total()} wrong codes from 60 addresses, answers {dict(tries)}; meanwhile the "
        f"teacher signs in within {teachers_seconds:.1f} s and a student joins within "
        f"{students_seconds:.1f} s.",
        the_teacher_comes_in=teacher == 303,
        a_student_comes_in=student == 303,
        no_wrong_code_is_right=set(tries) == {403},
    )


def many_joins(target: Attacked) -> Outcome:
    """Let 200 join within two seconds, with the right code."""
    time.sleep(JOINS_SECONDS)  # who joined before is counted no more
    outcome = Outcome()

    def come(number: int) -> int:
        time.sleep(number / 100)
        with suppress(OSError, http.client.HTTPException):
            return post(target.url, {"name": f"Crowd {number}", "code": CODE})[0]
        return 0

    with ThreadPoolExecutor(200) as pool:
        found = Counter(pool.map(come, range(200)))
    took = time.monotonic() - outcome.began
    outcome.end(
        f"200 ask within 2 s, answers {dict(found)} within {took:.0f} s.",
        no_more_than_the_limit_join=found[303] <= MAX_JOINS * (1 + took // JOINS_SECONDS),
    )
    time.sleep(JOINS_SECONDS)  # the next attackers join, too
    return outcome


def second_server(target: Attacked) -> Outcome:
    """Start a second server of a class on the same runs directory."""
    outcome = Outcome()
    settings = {"GPT_LAB_CLASS_PORT": "0", "GPT_LAB_RUNS_DIR": str(target.runs_dir)}
    try:
        start_server(target.folder / "second", "classroom.py", **settings).end()
        refused = "it started"
    except AssertionError as error:
        refused = next((line for line in str(error).splitlines() if "Another server" in line), "")
    return outcome.end(
        f"The second server says: {refused}", it_is_refused=refused.find("Another server") >= 0
    )


def few_files(idle: int, target: Attacked) -> Outcome:
    """Hold idle connections to a server with 256 handles; 32 students arrive together."""
    outcome = Outcome()
    arrived: Counter[str] = Counter()
    tabs: list[Tab] = []

    def arrive(number: int) -> None:
        try:
            form = urlencode({"name": f"Pupil {number}", "code": CODE})
            with closing(
                http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=60)
            ) as asked:
                kind = {"Content-Type": "application/x-www-form-urlencoded"}
                asked.request("POST", "/join", form, kind)
                cookie = asked.getresponse().getheader("Set-Cookie") or ""
            tab = Tab(target, cookie.partition("=")[2].partition(";")[0])  # type: ignore[arg-type]
            tabs.append(tab)
            arrived["a page" if "Pupil" in shown(tab.open()) else "an empty page"] += 1
        except Exception as error:
            arrived[type(error).__name__] += 1

    with half_open(target.url, idle, "") as connections:
        with ThreadPoolExecutor(32) as pool:
            list(pool.map(arrive, range(32)))
        time.sleep(target.seconds)
        left = count_open(connections)
    for tab in tabs:
        tab.close()
    return outcome.end(
        f"{len(connections)} opened, {left} of them open at the end; 32 students ask for a page "
        f"and get {dict(arrived)}.",
        all_get_a_page=arrived["a page"] == 32,
    )


ATTACKS: dict[str, Callable[[Attacked], Outcome]] = {
    "1,200 idle connections": idle_connections,
    "600 half-sent forms": half_forms,
    "websockets of another site": foreign_websockets,
    "wrong codes from 60 addresses": wrong_codes,
    "200 joins in two seconds": many_joins,
    "second server on the same runs": second_server,
}
WITH_FEW_FILES: dict[str, Callable[[Attacked], Outcome]] = {
    "32 students at once, 256 files": partial(few_files, 0),
    "the same, and 1,200 idle connections": partial(few_files, 1200),
}
