"""The formats in which a run is exported, for use in other tools."""

from gpt_core.export.checkpoint_zip import WEIGHT_FORMS, WeightsForm, delete_checkpoint, weights_zip
from gpt_core.export.formats import EXPORTS, Export, export_runs
from gpt_core.export.run_json import (
    RECORDED_RUN,
    import_recorded_run,
    import_recording,
    write_recording,
)
from gpt_core.export.settings import read_settings
from gpt_core.export.tensorboard import write_event_file

__all__ = [
    "EXPORTS",
    "RECORDED_RUN",
    "WEIGHT_FORMS",
    "Export",
    "WeightsForm",
    "delete_checkpoint",
    "export_runs",
    "import_recorded_run",
    "import_recording",
    "read_settings",
    "weights_zip",
    "write_event_file",
    "write_recording",
]
