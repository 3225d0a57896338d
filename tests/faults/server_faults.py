"""What happens to the app while it runs: ``python -m tests.faults.server_faults --tries 10``.

A real server and a real browser in which somebody trains, and then: the server is killed, or ended,
at a random moment; its disk fills up, or can only be read; its clock jumps back; its database is
damaged; a browser goes away in the middle of an upload. Meanwhile this process reads the store as a
page does: what it has read is acknowledged and must be there afterwards. After each fault the app
must say what happened in a sentence, and go on. Prints the table of docs/LOG.md; mounting small
disks needs root.
"""

import argparse
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from playwright.sync_api import Browser, Page, expect, sync_playwright

from gpt_core.store import RunStore
from tests.browser.conftest import (
    CHROMIUM_FLAGS,
    Server,
    assert_no_error_box,
    open_page,
    start_server,
    wait_until_settled,
)
from tests.faults.kill_and_resume import Seen, count_missing, is_sound, read_everything

UPLOAD_MB = 60
# Put before the server: its clock goes by the number in a file.
CLOCK = """
import os, time
real = time.time
def shifted():
    try:
        with open(os.environ["CLOCK_FILE"]) as file:
            return real() + float(file.read() or 0)
    except (OSError, ValueError):
        return real()
time.time = shifted
"""


@dataclass
class Outcome:
    """How a fault went: how often it was tried, and how many acknowledged rows were read and lost.

    What else must hold is asserted where it is tried.
    """

    tried: int = 0
    rows_read: int = 0
    rows_lost: int = 0


def train(page: Page, url: str) -> str:
    """Start the pocket run as a visitor does; return its ID."""
    open_page(page, url)
    page.get_by_role("button", name="Learn a story by heart").click()
    page.wait_for_url(re.compile(r"/train\?run=pocket-"), timeout=60_000)
    return page.url.split("run=")[1]


def watch(store: RunStore, run_id: str, seen: Seen, seconds: float) -> None:
    """Read for a while what the run writes down."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        read_everything(store, seen, run_id)
        time.sleep(0.05)


def wait_for_steps(store: RunStore, run_id: str, steps: int) -> None:
    """Wait until so many steps are on record."""
    deadline = time.monotonic() + 120
    while len(store.last_steps(run_id, steps)) < steps:
        assert time.monotonic() < deadline, store.run(run_id)
        time.sleep(0.1)


def wait_for_state(store: RunStore, run_id: str, *states: str) -> str:
    """Wait until a run is in one of some states; return what it says of itself."""
    deadline = time.monotonic() + 120
    while (run := store.run(run_id)) is None or run.state not in states:
        assert time.monotonic() < deadline, run
        time.sleep(0.1)
    return run.message


def resume(page: Page, url: str, run_id: str) -> None:
    """Let the run go on, as a visitor does."""
    open_page(page, f"{url}/train?run={run_id}")
    button = page.get_by_test_id("stMain").get_by_role("button", name="Resume", exact=True)
    button.click(timeout=60_000)
    running = page.get_by_test_id("stMain").get_by_text("running", exact=True)
    expect(running).to_be_visible(timeout=60_000)


def ended_by(with_signal: int, folder: Path, browser: Browser, tries: int) -> Outcome:
    """End the server at random moments of a run's life, and let the run go on each time."""
    draw, outcome = random.Random(5), Outcome()
    seen: Seen = {}
    run_id = ""
    for _ in range(tries):
        server = start_server(folder)
        page = browser.new_context().new_page()
        if run_id:
            resume(page, server.url, run_id)
        else:
            run_id = train(page, server.url)
        with closing(RunStore(server.runs_dir)) as store:
            wait_for_steps(store, run_id, 1)
            watch(store, run_id, seen, draw.uniform(0.2, 5.0))
            code = server.end(with_signal)
            assert code == (0 if with_signal == signal.SIGTERM else -signal.SIGKILL)
            outcome.tried += 1
            outcome.rows_lost += count_missing(store, seen, run_id)
            assert is_sound(store)
            if with_signal == signal.SIGTERM:
                assert wait_for_state(store, run_id, "interrupted") == "The app was closed."
        assert "Traceback" not in server.log.read_text()
        page.context.close()
        run = _state_of(folder, run_id)
        if run == "finished":
            outcome.rows_read += len(seen)
            run_id, seen = "", {}
    outcome.rows_read += len(seen)
    return outcome


def _state_of(folder: Path, run_id: str) -> str:
    with closing(RunStore(folder / "runs")) as store:
        run = store.run(run_id)
        return run.state if run else ""


def killed(folder: Path, browser: Browser, tries: int) -> Outcome:
    """SIGKILL at random moments, and the run is resumed each time."""
    return ended_by(signal.SIGKILL, folder, browser, tries)


def terminated(folder: Path, browser: Browser, tries: int) -> Outcome:
    """SIGTERM at random moments: exit code 0, what trained is saved."""
    return ended_by(signal.SIGTERM, folder, browser, tries)


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[None]:
    """Mount a disk of its own in memory.

    Raises:
        PermissionError: this machine lets nobody do so.
    """
    place.mkdir(parents=True)
    size = f"size={megabytes}m"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode:
        raise PermissionError("this machine lets nobody mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def remount(place: Path, options: str) -> None:
    """Change a mounted disk: its size, or whether it can be written."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def full_disk(folder: Path, browser: Browser, tries: int) -> Outcome:
    """The disk has no room for the first checkpoint; later it has, and the run goes on."""
    outcome = Outcome()
    for number in range(tries):
        place = folder / str(number)
        with small_disk(place / "runs", 30):
            server = start_server(place)
            page = browser.new_context().new_page()
            run_id = train(page, server.url)
            seen: Seen = {}
            with closing(RunStore(server.runs_dir)) as store:
                while store.run(run_id).state not in ("failed", "finished"):  # type: ignore[union-attr]
                    watch(store, run_id, seen, 0.5)
                message = wait_for_state(store, run_id, "failed")
                assert message.startswith("The disk is full: free some space"), message
                expect(page.get_by_text("The disk is full: free some space")).to_be_visible(
                    timeout=60_000
                )
                assert_no_error_box(page)
                remount(server.runs_dir, "size=2000m")
                resume(page, server.url, run_id)
                wait_for_steps(store, run_id, len([k for k in seen if k[0] == "steps"]) + 3)
                outcome.rows_lost += count_missing(store, seen, run_id)
            outcome.tried += 1
            outcome.rows_read += len(seen)
            finish(server, page, "No space left")  # what ended the run is in the log
    return outcome


def read_only_disk(folder: Path, browser: Browser, tries: int) -> Outcome:
    """After a kill the disk can only be read; then it is well, and the same server goes on."""
    outcome = Outcome()
    for number in range(tries):
        place = folder / str(number)
        with small_disk(place / "runs", 2000):
            server = start_server(place)
            page = browser.new_context().new_page()
            run_id = train(page, server.url)
            seen: Seen = {}
            store = RunStore(server.runs_dir)
            wait_for_steps(store, run_id, 3)
            watch(store, run_id, seen, 1.0)
            store.close()
            server.end(signal.SIGKILL)  # files that are open keep a disk writable
            page.context.close()
            remount(server.runs_dir, "ro")
            server = start_server(place)
            page = browser.new_context().new_page()
            open_page(page, server.url)
            expect(page.get_by_text("cannot be used")).to_be_visible(timeout=60_000)
            expect(page.get_by_text("GPT_LAB_RUNS_DIR")).to_be_visible()
            assert_no_error_box(page)
            remount(server.runs_dir, "rw")
            resume(page, server.url, run_id)  # the same server: it looks again
            with closing(RunStore(server.runs_dir)) as store:
                outcome.rows_lost += count_missing(store, seen, run_id)
            outcome.tried += 1
            outcome.rows_read += len(seen)
            finish(server, page)
    return outcome


class FailingDisk:
    """A disk of its own, on which the kernel can be made to find an error.

    From then on it can only be read, whichever files are open.

    Raises:
        PermissionError: this machine lets nobody mount one.
    """

    def __init__(self, place: Path) -> None:
        self.place, self.image = place, place.with_suffix(".img")
        place.mkdir(parents=True)
        with self.image.open("wb") as file:
            file.truncate(500 * 2**20)
        subprocess.run(["mkfs.ext4", "-q", str(self.image)], check=True)
        self.mount()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Lazily: after a failure a server may still have files open there.
        subprocess.run(["umount", "-l", str(self.place)], check=True)

    def mount(self) -> None:
        options = "loop,errors=remount-ro"
        command = ["mount", "-o", options, str(self.image), str(self.place)]
        if subprocess.run(command, capture_output=True).returncode:
            raise PermissionError("this machine lets nobody mount a disk")

    def fail(self) -> None:
        device = subprocess.check_output(["findmnt", "-no", "SOURCE", str(self.place)], text=True)
        Path("/sys/fs/ext4", Path(device.strip()).name, "trigger_fs_error").write_text("tried")

    def repair(self) -> None:
        self.unmount()
        subprocess.run(["e2fsck", "-fy", str(self.image)], capture_output=True)
        self.mount()

    def unmount(self) -> None:
        subprocess.run(["umount", str(self.place)], check=True)


def disk_fails(folder: Path, browser: Browser, tries: int) -> Outcome:
    """The disk turns read-only beneath open files; it is repaired, and the run goes on."""
    draw, outcome = random.Random(11), Outcome()
    for number in range(tries):
        place = folder / str(number)
        seen: Seen = {}
        with FailingDisk(place / "runs") as disk:
            server = start_server(place)
            page = browser.new_context().new_page()
            run_id = train(page, server.url)
            with closing(RunStore(server.runs_dir)) as store:
                wait_for_steps(store, run_id, 3)
                watch(store, run_id, seen, draw.uniform(0.2, 5.0))
                disk.fail()
            # By what comes first: the record, or a checkpoint.
            told = page.get_by_text(
                re.compile(
                    "The runs directory could not be read or written|The machine reports an error"
                )
            )
            expect(told).to_be_visible(timeout=60_000)
            expect(page.get_by_test_id("stMain").get_by_text("failed", exact=True)).to_be_visible()
            page.reload()
            expect(told).to_be_visible(timeout=60_000)
            assert_no_error_box(page)
            open_page(page, f"{server.url}/runs")
            expect(page.get_by_text("failed", exact=True).first).to_be_visible(timeout=60_000)
            finish(server, page, "disk I/O error", "Read-only file system")

            disk.repair()
            server = start_server(place)
            page = browser.new_context().new_page()
            resume(page, server.url, run_id)
            with closing(RunStore(server.runs_dir)) as store:
                outcome.rows_lost += count_missing(store, seen, run_id)
                assert is_sound(store)
            outcome.tried += 1
            outcome.rows_read += len(seen)
            finish(server, page)
    return outcome


def clock_jumps_back(folder: Path, browser: Browser, tries: int) -> Outcome:
    """The machine's clock jumps back a day in the middle of a run, and another one is started."""
    outcome = Outcome()
    for number in range(tries):
        place = folder / str(number)
        place.mkdir(parents=True)
        clock, program = place / "clock", place / "clock.py"
        program.write_text(CLOCK)
        server = start_server(place, CLOCK_FILE=str(clock), ALSO_RUN=str(program))
        page = browser.new_context().new_page()
        run_id = train(page, server.url)
        seen: Seen = {}
        with closing(RunStore(server.runs_dir)) as store:
            wait_for_steps(store, run_id, 3)
            clock.write_text("-86400")
            watch(store, run_id, seen, 2.0)
            steps = len(store.steps(run_id))
            wait_for_steps(store, run_id, steps + 3)  # it trains on
            page.get_by_test_id("stMain").get_by_role("button", name="Stop").click()
            wait_for_state(store, run_id, "stopped")
            second = train(page, server.url)
            wait_for_steps(store, second, 3)
            runs = store.runs()
            assert [run.id for run in runs] == [second, run_id]  # in the order of their start
            assert runs[0].created_at < runs[1].created_at  # whatever the clock says
            outcome.rows_lost += count_missing(store, seen, run_id)
        open_page(page, server.url)
        expect(page.get_by_role("button", name="Open the live run")).to_be_visible()
        assert_no_error_box(page)
        outcome.tried += 1
        outcome.rows_read += len(seen)
        finish(server, page)
    return outcome


def damaged_database(folder: Path, browser: Browser, tries: int) -> Outcome:
    """Bytes in the middle of the database are overwritten while the app is off."""
    draw, outcome = random.Random(7), Outcome()
    for number in range(tries):
        place = folder / str(number)
        server = start_server(place)
        page = browser.new_context().new_page()
        run_id = train(page, server.url)
        with closing(RunStore(server.runs_dir)) as store:
            wait_for_steps(store, run_id, 40)
        assert server.end() == 0
        page.context.close()
        path = server.runs_dir / "runs.sqlite"
        with path.open("r+b") as file:
            file.seek(draw.randrange(8192, path.stat().st_size - 4096))
            file.write(draw.randbytes(4096))
        before = path.read_bytes()

        server = start_server(place)
        page = browser.new_context().new_page()
        open_page(page, server.url)
        told = page.get_by_text("was damaged when it was opened")
        asides = list(server.runs_dir.glob("*.damaged.sqlite"))
        if asides:  # not where the bytes held nothing
            expect(told).to_be_visible(timeout=60_000)
            assert asides[0].read_bytes() == before
            page.get_by_role("button", name="Dismiss").click()
            expect(told).to_have_count(0)
        with closing(RunStore(server.runs_dir)) as store:
            kept = len(store.steps(run_id))
        outcome.rows_read += 40
        outcome.rows_lost += max(0, 40 - kept)
        assert_no_error_box(page)
        wait_until_settled(page)
        train(page, server.url)  # and it goes on
        outcome.tried += 1
        finish(server, page)
    return outcome


def gone_in_an_upload(folder: Path, browser: Browser, tries: int) -> Outcome:
    """A browser is closed in the middle of an upload; the next one brings the same file in."""
    outcome = Outcome()
    server = start_server(folder)
    book = folder / "book.txt"
    book.write_text("The lamp was lit. " * (UPLOAD_MB * 2**20 // 18))
    for _ in range(tries):
        page = browser.new_context().new_page()
        open_page(page, f"{server.url}/data")
        page.get_by_text("Use your own text").click()
        devtools = page.context.new_cdp_session(page)
        devtools.send("Network.enable")
        slow = {"offline": False, "latency": 0, "downloadThroughput": -1}
        devtools.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": 2 * 2**20})
        page.locator("input[type=file]").set_input_files(book)
        page.wait_for_timeout(2000)
        page.context.close()  # some 4 of 60 MB have come
        outcome.tried += 1
    small = folder / "small.txt"
    small.write_text("The lamp was lit. " * 2000)
    page = browser.new_context().new_page()
    open_page(page, f"{server.url}/data")
    page.get_by_text("Use your own text").click()
    page.locator("input[type=file]").set_input_files(small)
    expect(page.get_by_text("It begins: “The lamp was lit.")).to_be_visible(timeout=60_000)
    assert not list((server.runs_dir / "texts").glob("*")) if server.runs_dir.exists() else True
    # Streamlit's own log tells of each upload that broke off, at length.
    finish(server, page, expected="ClientDisconnect")
    return outcome


def finish(server: Server, page: Page, *expected: str) -> None:
    """Close all, and look that nothing went wrong that nobody saw, but what is expected."""
    assert_no_error_box(page)
    page.context.close()
    assert server.end() == 0
    log = server.log.read_text()
    assert "Traceback" not in log or any(words in log for words in expected), log


FAULTS: dict[str, Callable[[Path, Browser, int], Outcome]] = {
    "SIGKILL of the server at a random moment": killed,
    "SIGTERM of the server at a random moment": terminated,
    "disk full in the middle of a run": full_disk,
    "runs directory that can only be read": read_only_disk,
    "disk turns read-only beneath open files": disk_fails,
    "clock jumps back a day in a run": clock_jumps_back,
    "4 kB of the database overwritten": damaged_database,
    "browser gone in the middle of an upload": gone_in_an_upload,
}


def main() -> None:
    """Try each fault so often, and print the table."""
    parser = argparse.ArgumentParser(description="What happens to the app while it runs.")
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument("--only", help="a word of the fault's name")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("No Chromium on the PATH: apt-get install chromium")
    rows = ["| fault | tried | survived | rows read | rows lost |", "|---|---|---|---|---|"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        for name, fault in FAULTS.items():
            if options.only and options.only not in name:
                continue
            with tempfile.TemporaryDirectory() as folder:
                found = fault(Path(folder), browser, options.tries)
            counts = (found.tried, found.tried, found.rows_read, found.rows_lost)
            rows.append(f"| {name} | {' | '.join(map(str, counts))} |")
            print(rows[-1], flush=True)
        browser.close()
    print("\n".join(rows))


if __name__ == "__main__":
    main()
