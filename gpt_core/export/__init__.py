"""The formats in which a run is exported, for use in other tools."""

from gpt_core.export.checkpoint_zip import WEIGHT_FORMS, WeightsForm, delete_checkpoint, weights_zip
from gpt_core.export.formats import EXPORTS, Export, export_runs
from gpt_core.export.run_json import (
    RECORDED_RUN,
    RecordedLoss,
    import_recorded_run,
    import_recording,
    read_facts,
    read_rows,
    recorded_losses,
    row_json,
    run_facts,
    write_recording,
)
from gpt_core.export.settings import read_settings
from gpt_core.export.tensorboard import write_event_file

__all__ = [
    "EXPORTS",
    "RECORDED_RUN",
    "WEIGHT_FORMS",
    "Export",
    "RecordedLoss",
    "WeightsForm",
    "delete_checkpoint",
    "export_runs",
    "import_recorded_run",
    "import_recording",
    "read_facts",
    "read_rows",
    "read_settings",
    "recorded_losses",
    "row_json",
    "run_facts",
    "weights_zip",
    "write_event_file",
    "write_recording",
]
