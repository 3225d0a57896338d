"""An exported notebook, run as Jupyter does."""

import os
from pathlib import Path

import nbclient
import nbformat

from tests.support.paths import ROOT


def run_notebook(data: bytes, folder: Path) -> dict[str, str]:
    """Run a notebook from top to bottom in a kernel of its own; return what each cell printed."""
    notebook = nbformat.reads(data.decode(), as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": folder}}
    )
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})  # as if gpt_core were installed
    return {
        cell.source: "".join(output.get("text", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
