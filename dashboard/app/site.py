"""Where the app's entry point lies, with its pages, its settings and what it serves.

In a clone that is the project's folder; in the wheel it lies inside this package.
"""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]  # dashboard
_INSTALLED = _PACKAGE / "site"  # only the wheel has it there

SITE_DIR = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
