"""What a class notices of an attack: ``python -m tests.faults.class_attacks [--only NAME]``.

A real class trains, with a teacher and students at their pages (watched_class.py), and then, one
after the other, each attack of strangers and of members: floods of connections, wrong codes,
hostile files through the real uploader, greedy tabs, a page held by a student who was removed. The
attackers run in a process of their own on the same machine, and take some of its cores.

Prints a table, what became of each attack, and one line of JSON. Ends with 1 unless, during each,
``/health`` answers within a second, training is at least half as fast as just before and others'
clicks take less than two seconds; and unless afterwards the memory is back to within 100 MB, the
run trains on, nothing is lost and nobody else has seen an error.
"""

import argparse
import json
import math
import re
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from gpt_core.store import RunState
from tests.faults import member_attacks, stranger_attacks
from tests.faults.attack import Attacked, Outcome
from tests.faults.watched_class import MB, Noticed, WatchedClass, watched_class

HEALTH_SECONDS, CLICK_SECONDS = 1.0, 2.0  # at most, during an attack
TRAINING = 0.5  # at least, of the steps a second before it
MEMORY_MB = 100  # at most, more than before it
SHORTEST = 5.0  # seconds that are looked at: steps are on record twice a second
MAX_SECONDS = 300.0  # of one attack, whatever it waits for
FEW_FILES = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))"

Attack = Callable[[Attacked], Outcome]

ATTACKS: dict[str, Attack] = {**stranger_attacks.ATTACKS, **member_attacks.ATTACKS}
WITH_FEW_FILES: dict[str, Attack] = stranger_attacks.WITH_FEW_FILES


@dataclass(frozen=True)
class Result:
    """An attack, and what the class noticed before and during it."""

    name: str
    before: Noticed
    during: Noticed
    memory_after: float  # bytes
    outcome: Outcome
    not_met: list[str]

    def row(self) -> str:
        """Return a row of the table."""
        before, during = self.before, self.during
        cells = [
            self.name,
            f"{1000 * before.health_p99:.0f} → {1000 * during.health_p99:.0f}",
            f"{1000 * before.health_max:.0f} → {1000 * during.health_max:.0f}",
            f"{before.steps_a_second:.1f} → {during.steps_a_second:.1f}",
            f"{before.click_median:.2f} → {during.click_median:.2f}",
            f"{before.click_max:.2f} → {during.click_max:.2f}",
            " → ".join(f"{m / MB:.0f}" for m in (before.memory, during.memory, self.memory_after)),
            "met" if not self.not_met else "**not met**: " + "; ".join(self.not_met),
        ]
        return f"| {' | '.join(cells)} |"


HEAD = (
    "| attack | /health p99, ms | /health max, ms | steps a second | click median, s "
    "| click max, s | memory, MB | criteria |\n|---|---|---|---|---|---|---|---|"
)


def judge(
    before: Noticed, during: Noticed, memory_after: float, outcome: Outcome, faults: list[str]
) -> list[str]:
    """Return which criteria are not met."""
    found = [*outcome.failed, *faults]
    if during.health_max > HEALTH_SECONDS:
        found.append(f"/health took {during.health_max:.1f} s")
    if during.steps_a_second < TRAINING * before.steps_a_second:
        fraction = during.steps_a_second / before.steps_a_second
        found.append(f"training at {fraction:.0%}")
    if during.click_max >= CLICK_SECONDS:
        found.append(f"a click took {during.click_max:.1f} s")
    if math.isnan(during.click_max):
        found.append("no student clicked")
    if (more := (memory_after - before.memory) / MB) > MEMORY_MB:
        found.append(f"{more:.0f} MB stay in memory")
    return found


def make(
    name: str, attack: Attack, lesson: WatchedClass, attackers: ProcessPoolExecutor, seconds: float,
    settle: float,
) -> Result:  # fmt: skip
    """Attack the class; return what it noticed."""
    number = len(lesson.attacked)
    lesson.attacked.append(name)
    names = [f"Mallory {number}", f"Trudy {number}"]
    cookies = [lesson.join(name) for name in names]
    known = len(lesson.faults())
    time.sleep(2)
    looked = time.monotonic()
    time.sleep(seconds)
    before = lesson.noticed(looked, time.monotonic())
    target = Attacked(
        url=lesson.url,
        local_url=lesson.server.url,
        names=names,
        cookies=cookies,
        run_id=lesson.run_id,
        runs_dir=lesson.server.runs_dir,
        folder=lesson.folder / f"attack-{number}",
        network_log=lesson.server.network_log,
        seconds=seconds,
    )
    target.folder.mkdir()
    try:
        outcome = attackers.submit(attack, target).result(timeout=MAX_SECONDS)
    except Exception as error:  # such as an assertion, or an answer that did not come
        outcome = Outcome(
            f"it broke off: {error!r}", [f"it broke off: {error!r}"], time.monotonic()
        )
    began = outcome.began
    ended = max(outcome.ended or time.monotonic(), began + SHORTEST)
    time.sleep(max(0.0, ended + 1.0 - time.monotonic()))  # the last steps come on record
    during = lesson.noticed(began, ended)
    memory = lesson.wait_for_memory(before.memory + MEMORY_MB * MB, settle)
    faults = lesson.faults()[known:]
    if (state := lesson.state()) is not RunState.RUNNING:
        faults.append(f"the run is {state}")
    return Result(
        name, before, during, memory, outcome, judge(before, during, memory, outcome, faults)
    )


def attack_class(
    attacks: dict[str, Attack], seconds: float, settle: float, **settings: str
) -> tuple[list[Result], list[str]]:
    """Make some attacks on one class, then end it while half a form is open; return the results."""
    results: list[Result] = []
    if not attacks:
        return results, []
    with (
        tempfile.TemporaryDirectory() as place,
        watched_class(Path(place), **settings) as lesson,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as attackers,
    ):
        attackers.submit(stranger_attacks.prepare).result()  # it imports, which takes a core
        time.sleep(10)  # everybody arrives
        for name, attack in attacks.items():
            result = make(name, attack, lesson, attackers, seconds, settle)
            print(f"{result.row()}\n  {result.outcome.said}", flush=True)
            results.append(result)
        with stranger_attacks.half_open(lesson.url, 2):
            faults = lesson.end()
        log = lesson.server.log.read_text()
        if "Traceback" in log:
            faults.append("the server's log has a traceback")
            print(log[log.index("Traceback") - 500 :][:3000], file=sys.stderr)
    return results, faults


def main() -> None:
    """Make the attacks and print what came of them; end with 1 if a criterion is not met."""
    parser = argparse.ArgumentParser(description="What a class notices of an attack.")
    parser.add_argument("--only", default="", help="a part of the name, or a regular expression")
    parser.add_argument("--seconds", type=float, default=10, help="of each attack, and before it")
    parser.add_argument("--threads", help="of training, where others use this machine, too")
    parser.add_argument("--settle", type=float, default=150, help="for the memory to be given back")
    options = parser.parse_args()
    threads = {"GPT_LAB_THREADS": options.threads} if options.threads else {}
    results: list[Result] = []
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        few_files = Path(place) / "few_files.py"
        few_files.write_text(FEW_FILES)
        for attacks, settings in ((ATTACKS, {}), (WITH_FEW_FILES, {"ALSO_RUN": str(few_files)})):
            chosen = {
                name: attack for name, attack in attacks.items() if re.search(options.only, name)
            }
            more, wrong = attack_class(
                chosen, options.seconds, options.settle, **settings, **threads
            )
            results += more
            faults += wrong
    print("\n".join(["", HEAD, *(result.row() for result in results)]))
    print(f"At the end: {'; '.join(faults) or 'saved, ended in order, nothing lost'}.")
    print(json.dumps({"attacks": [asdict(r) for r in results], "at_the_end": faults}))
    sys.exit(bool(faults or any(result.not_met for result in results)))


if __name__ == "__main__":
    main()
