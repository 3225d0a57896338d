"""The commands that send a run to the app of another machine, and make that app's token."""

import argparse
import sys
import time
from contextlib import closing

from tqdm import tqdm

from gpt_core.cli.commands import FAILED, FINISHED, INTERRUPTED
from gpt_core.publishing import (
    TOKEN_VARIABLE,
    AppLine,
    Publisher,
    describe_unsent,
    make_token,
    read_token,
    remove_token,
)
from gpt_core.store import RunStore, find_run, mark_interrupted_runs

PATIENCE_SECONDS = 60.0  # after the run's end, for an app that does not answer
INTERRUPTED_SECONDS = 5.0  # in all, where the process is asked to end
LOOK_SECONDS = 1.0


class Publishing:
    """The publishing of a run that this process trains or sends; without an address, none.

    Args:
        options: the command's options.
        url: the app's address; None publishes nothing.

    Raises:
        ValueError: the address is not one, or there is no token.
    """

    def __init__(self, options: argparse.Namespace, url: str | None) -> None:
        self._options = options
        self._run_id = ""
        self._publisher: Publisher | None = None
        self._line = None if url is None else AppLine(url, read_token(options.token_file))
        if self._line is not None and self._line.is_readable_by_others:
            _tell(
                f"What is sent to {url}, the token included, is not encrypted: use https:// or a "
                "tunnel, ssh -L, in a network that others can read."
            )

    @property
    def is_working(self) -> bool:
        """Tell whether rows are still sent."""
        return self._publisher is not None and self._publisher.is_working

    def begin(self, store: RunStore, run_id: str) -> None:
        """Send the rows of a run from now on."""
        if self._line is not None:
            self._run_id = run_id
            self._publisher = Publisher(store, run_id, self._line, _tell)
            self._publisher.begin()
            _tell(f"Watch it at {self._line.url}/train?run={run_id}")

    def finish(self, is_interrupted: bool = False) -> bool:
        """Send what is left of a run that has ended, and say what could not be sent.

        Returns: whether all was sent.
        """
        publisher, self._publisher = self._publisher, None
        if publisher is None or self._line is None:
            return True
        patience = INTERRUPTED_SECONDS if is_interrupted else PATIENCE_SECONDS
        at_most = INTERRUPTED_SECONDS if is_interrupted else float("inf")
        try:
            if publisher.is_silent and publisher.is_working:
                _tell(f"Waiting up to {patience:.0f} s for {self._line.url}; Ctrl-C ends it.")
            unsent = publisher.finish(patience, at_most)
        except KeyboardInterrupt:  # the user does not want to wait
            unsent = publisher.unsent
        command = (
            f"{self._options.program} publish {self._run_id} --to {self._line.url} "
            f"--runs-dir {self._options.runs_dir}"
        )
        _tell(describe_unsent(unsent, self._run_id, self._line.url, command))
        return not unsent


def publish_command(options: argparse.Namespace) -> int:
    """Send a run to the app of another machine, until it has ended if it is live.

    Raises:
        ValueError: there is no such run, or it does not train here.
    """
    with closing(RunStore(options.runs_dir)) as store:
        mark_interrupted_runs(store)
        run = find_run(store, options.run)
        if run.origin:
            raise ValueError(f"Run {run.id} comes from {run.origin}: publish it from there.")
        publishing = Publishing(options, options.to)
        publishing.begin(store, run.id)
        try:
            while find_run(store, run.id).is_live and publishing.is_working:
                time.sleep(LOOK_SECONDS)
                mark_interrupted_runs(store)
        except KeyboardInterrupt:
            publishing.finish(is_interrupted=True)
            return INTERRUPTED
        return FINISHED if publishing.finish() else FAILED


def token_command(options: argparse.Namespace) -> int:
    """Make a token for the app of this runs directory and print it, or remove it."""
    if options.remove:
        remove_token(options.runs_dir)
        print("Nothing can be published to this app with the token of its runs directory any more.")
        return FINISHED
    print(
        "This token lets other machines publish runs to the app of this runs directory, from now "
        f"on. An older one ends. Where the run trains, set it as {TOKEN_VARIABLE}:",
        file=sys.stderr,
    )
    print(make_token(options.runs_dir))
    return FINISHED


def _tell(sentence: str) -> None:
    """Print a sentence to standard error, above a progress bar."""
    tqdm.write(sentence, file=sys.stderr)
