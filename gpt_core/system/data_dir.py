"""The directories of the project's own files and of a user's files.

In a clone, both are in its folder, as README says. In an installation, the project's files are
inside the package, which may be read-only, and a user's files are in the user's data folder.
"""

from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).parents[1]  # gpt_core
IS_INSTALLED = (_PACKAGE / "data").is_dir()  # only the wheel has it there

DATA_DIR = (_PACKAGE if IS_INSTALLED else _PACKAGE.parent) / "data"  # vocabulary and texts
USER_DIR = platformdirs.user_data_path("gpt-lab") if IS_INSTALLED else _PACKAGE.parent
FETCHED_DIR = USER_DIR / "data"  # fetched texts
