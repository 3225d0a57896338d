"""An exported notebook, run as Jupyter does."""

from pathlib import Path

import nbclient
import nbformat

from tests.support.paths import ROOT

# The notebook


def run_notebook(data: bytes, folder: Path) -> dict[str, str]:
    """Run a notebook from top to bottom in a kernel of its own; return what each cell printed."""
    source = data.decode().replace('LAB = \\".\\"', f'LAB = \\"{ROOT}\\"')
    notebook = nbformat.reads(source, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": folder}}
    )
    client.execute()
    return {
        cell.source: "".join(output.get("text", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
