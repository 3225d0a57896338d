"""ReplayCheck: compares what a resumed run repeats with what was recorded."""

from dataclasses import asdict

from gpt_core.records import Record
from gpt_core.store import RECORD_KINDS, RECORD_TABLES, RunStore, StoredRecord

Key = tuple[str, int, int | None]  # a table, a step and a probe's number


class ReplayCheck:
    """The records after the checkpoint that a run resumes from: the run must repeat them.

    Args:
        store: the store with the records.
        run_id: the run.
        global_step: the step of the checkpoint.
    """

    def __init__(self, store: RunStore, run_id: str, global_step: int) -> None:
        self.mismatch = ""  # the first difference, as a sentence
        records = store.records_after_step(run_id, global_step)
        self._recorded: dict[Key, StoredRecord] = {
            _key(table, record): record
            for table in RECORD_KINDS
            for record in getattr(records, table)
        }

    def is_replayed(self, record: Record) -> bool:
        """Tell whether a record was made before; if so, compare it with that one."""
        recorded = self._recorded.pop(_key(RECORD_TABLES[type(record)], record), None)
        if recorded is None:
            return False
        for name, value in asdict(record).items():
            then = getattr(recorded, name)
            if then is not None and then != value and not self.mismatch:
                values = f" {value} now, {then} then" if isinstance(value, int | float) else ""
                self.mismatch = (
                    f"Replayed step {record.global_step} differs from what was recorded: "
                    f"{name}{values}."
                )
        return True


def _key(table: str, record: Record | StoredRecord) -> Key:
    return table, record.global_step, getattr(record, "probe", None)
