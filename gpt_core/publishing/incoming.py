"""What other machines send of their runs, checked before it is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpt_core.export import read_facts, read_rows
from gpt_core.library import MAX_NAME_LENGTH, MAX_NOTE_LENGTH
from gpt_core.publishing.outgoing import FORMAT, MAX_FACTS_BYTES, MAX_ROWS_BYTES
from gpt_core.publishing.requests import check_answers, record_answers
from gpt_core.store import PUBLISHED_TABLES, RunStore
from gpt_core.system import parse_json, shorten
from gpt_core.validation import check_number, check_whole, shown
from gpt_core.vocabularies import read_vocabulary

NOT_JSON = (AttributeError, KeyError, TypeError, ValueError, RecursionError)
LATEST = 1e11  # seconds since 1970, in the year 5138
ACTING = ("labels", "transitions")  # the tables whose rows name who acted


class PublishingRefused(ValueError):
    """What was sent is not taken; ``status`` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def receive_run(store: RunStore, run_id: str, data: bytes, owner: str) -> dict[str, int]:
    """Record a run that another machine publishes, unless it is there; return its cursors.

    Args:
        store: where it is recorded.
        run_id: the run's ID.
        data: the run's facts, as :func:`gpt_core.publishing.outgoing.introduce` writes them.
        owner: whose run it becomes.

    Raises:
        PublishingRefused: the facts are not a run's, or another run has its ID.
    """
    try:
        parts = parse_json(data, "what was sent", MAX_FACTS_BYTES)
        if parts["format"] != FORMAT:
            raise ValueError(f"format {shown(parts['format'])}, not {FORMAT}")
        facts = {**read_facts(parts["run"]), "owner": owner}
        if facts["id"] != run_id:
            raise ValueError("it has another ID than its address")
        check_number("created_at", facts["created_at"], lambda x: 0 < x < LATEST, "of seconds")
        origin = shorten(parts["origin"])
        if not origin:
            raise ValueError("it does not name its machine")
        vocabulary = parts["vocabulary"]
        read_vocabulary(vocabulary)
        [first] = _checked("transitions", parts["transitions"], 0, owner)
    except NOT_JSON as error:
        raise _refusal("a run of this version of the app", error) from error
    if (known := _known_cursors(store, run_id, facts)) is not None:
        return known
    try:
        store.add_published_run(facts, vocabulary, origin, first)
    except ValueError as error:
        if (known := _known_cursors(store, run_id, facts)) is not None:
            return known  # two requests came at once
        raise _refusal("a run of this version of the app", error) from error
    return {"transitions": first["id"]}


def _known_cursors(store: RunStore, run_id: str, facts: Mapping[str, Any]) -> dict[str, int] | None:
    """Return the cursors of a published run that is here already; None if there is none.

    Raises:
        PublishingRefused: another run has its ID.
    """
    run = store.run(run_id)
    if run is None:
        return None
    if not run.origin:
        raise PublishingRefused(
            409, f"Run {run_id} was trained where this app runs: train with another --run-id."
        )
    if (run.created_at, run.text_sha256) != (facts["created_at"], facts["text_sha256"]):
        raise PublishingRefused(
            409,
            f"Another run {run_id} came from {run.origin}: delete it on Runs, or train with "
            "another --run-id.",
        )
    return store.published_cursors(run_id)


@dataclass(frozen=True)
class SentRows:
    """The rows of one request, checked."""

    after: dict[str, int]
    rows: dict[str, list[dict[str, Any]]]  # by table
    answers: dict[int, str]  # to requests to the run: errors, or ""

    @property
    def count(self) -> int:
        """Return the number of rows."""
        return sum(map(len, self.rows.values()))

    @classmethod
    def read(cls, data: bytes, owner: str) -> "SentRows":
        """Return the rows in a request's body.

        Args:
            data: the body, as :func:`gpt_core.publishing.outgoing.read_batch` writes it.
            owner: whose run it is; all that was done there was done by them.

        Raises:
            PublishingRefused: these are not rows of a run.
        """
        try:
            parts = parse_json(data, "what was sent", MAX_ROWS_BYTES)
            after = dict(parts["after"])
            for table, last in after.items():
                _check_table(table)
                check_whole("after", last, at_least=0, at_most=2**62)
            rows = {
                table: _checked(table, part, after.get(table, 0), owner)
                for table, part in parts["tables"].items()
            }
            answers = check_answers(parts["answers"])
        except NOT_JSON as error:
            raise _refusal("rows of a run", error) from error
        return cls(after, rows, answers)

    def add_to(self, store: RunStore, run_id: str) -> dict[str, int]:
        """Add the rows to a run that another machine publishes; return its cursors.

        Raises:
            PublishingRefused: there is no such run, or a row does not fit its table.
        """
        try:
            cursors = store.add_published_rows(run_id, self.after, self.rows)
        except KeyError:
            raise PublishingRefused(
                410, f"Run {run_id} was deleted where it was published, or never was there."
            ) from None
        except ValueError as error:
            raise _refusal("rows of a run", error) from error
        record_answers(store, run_id, self.answers)
        return cursors


def _checked(table: str, part: Any, after: int, owner: str) -> list[dict[str, Any]]:
    """Return the rows of a table, in the order of the IDs that they have where they come from.

    Raises:
        ValueError, KeyError, TypeError: so they are not.
    """
    _check_table(table)
    rows = read_rows(table, part)
    for row in rows:
        check_whole("id", row["id"], at_least=after + 1, at_most=2**62)
        after = row["id"]
        if "run_id" in row:
            raise ValueError("a row names a run of its own")
        if table in ACTING:
            row["actor"] = owner
        if table == "labels" and (
            len(row["name"]) > MAX_NAME_LENGTH or len(row["note"]) > MAX_NOTE_LENGTH
        ):
            raise ValueError("a name or a note is too long")
    return rows


def _check_table(table: object) -> None:
    if table not in PUBLISHED_TABLES:
        raise ValueError(f"{shown(table)} is not a table of a run's rows")


def _refusal(what: str, error: Exception) -> PublishingRefused:
    """Return the refusal of what is not as it should be."""
    reason = shorten(f"{error} is missing" if isinstance(error, KeyError) else str(error))
    return PublishingRefused(422, f"This is not {what}: {reason.rstrip('.')}.")
