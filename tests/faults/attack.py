"""What an attack on a class is given, and what it says it saw."""

import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Attacked:
    """A class that is attacked, as the attackers know it."""

    url: str  # the class's listener
    local_url: str  # the app's own, for this machine
    names: list[str]  # of two members who attack
    cookies: list[str]  # theirs
    run_id: str  # of the run that trains
    runs_dir: Path
    folder: Path  # for the attackers' own files
    network_log: Path  # what the server tried to reach outside
    seconds: float  # how long an attack without an end of its own goes on

    def token(self, number: int = 0) -> str:
        """Return the token of a member who attacks."""
        return self.cookies[number].partition("=")[2]


@dataclass
class Outcome:
    """What an attack saw."""

    said: str = ""  # in one sentence
    failed: list[str] = field(default_factory=list)  # what must hold in it and did not
    began: float = field(default_factory=time.monotonic)  # made when its preparation is done
    ended: float = 0.0

    def end(self, said: str, **must_hold: bool) -> "Outcome":
        """Say what happened, and what must hold; name_of_it = whether it does."""
        self.ended = time.monotonic()
        self.said = said
        self.failed = [name.replace("_", " ") for name, holds in must_hold.items() if not holds]
        return self
