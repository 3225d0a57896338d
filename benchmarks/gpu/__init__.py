"""One CUDA machine, measured in ten minutes: ``python -m benchmarks.gpu``.

Are the chapter's numbers right there? Does a run resume exactly? How fast is a step of the 124M
and the 355M model, in each precision, compiled or not, and what share of the GPU's peak is that
(MFU)? How does it compare with nanoGPT's and transformers' steps of the same shape, by turns? How
fast does the model write, and which batches fit? Each part is a process with a time limit of its
own: one that fails or is late leaves the others' numbers. The last line is one JSON object, kept
for ``benchmarks.table``.

Needs torch 2.11 or later, numpy and what gpt_core imports: ``pip install chardet filelock lxml
platformdirs psutil regex safetensors tiktoken``. Neither streamlit nor plotly; transformers is
measured if it is there, and the chapter's run if data/the-verdict.txt is.

``--quick`` leaves out what takes longest. ``--device cpu --tiny`` runs all of it in small, which is
its test: its numbers mean nothing, and are not kept.
"""

import sys
from importlib.util import find_spec

NEEDED = ("chardet", "filelock", "lxml", "numpy", "platformdirs", "psutil", "regex", "safetensors")
NEEDED = (*NEEDED, "tiktoken", "torch")
if missing := [name for name in NEEDED if find_spec(name) is None]:
    sys.exit(f"benchmarks.gpu needs {', '.join(missing)}: pip install {' '.join(missing)}")
