"""The dashboard: beside ``pages/`` and ``main.py`` the only code that imports streamlit."""

from pathlib import Path

_PACKAGE = Path(__file__).parent

# Where main.py lies with its pages, its settings and what it serves: in a clone the project's
# folder, in the wheel a folder of this package.
SITE_DIR = _PACKAGE / "site" if (_PACKAGE / "site").is_dir() else _PACKAGE.parent
