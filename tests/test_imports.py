"""DESIGN.md's import rules, read off the source: who may import whom."""

import ast
from pathlib import Path

import pytest

import gpt_core

ROOT = Path(__file__).parents[1]
CORE = sorted(path.stem for path in (ROOT / "gpt_core").glob("*.py"))

# Which of the core's modules each one may import.
FOUNDATION = {"config", "records", "tokenizer", "corpus", "dataset", "model", "loss"}
MAY_IMPORT = {
    "config": set(),
    "records": set(),
    "tokenizer": {"config"},
    "corpus": {"config", "documents", "whole_file"},
    "documents": set(),
    "cards": {"rights", "store", "whole_file"},
    "library": {"cards", "class_book", "corpus", "machine", "quotas", "rights", "store"}
    | {"token_cache"},
    "names": set(),
    "class_book": {"database", "rows"},
    "quotas": {"config", "rights", "store"},
    "owner_thread": set(CORE),
    "waiting": {"anatomy", "board", "progress", "run", "runner"},
    "view": {"board", "history", "rights", "rows", "run", "store"},
    "survey": {"config", "dataset"},
    "dataset": {"config"},
    "kernels": set(),
    "memory": set(),
    "model": {"config", "kernels"},
    "loss": {"dataset", "kernels", "model"},
    "anatomy": {"checkpoints", "config", "model"},
    "byte_pairs": set(),
    "toy": set(),
    "precision": {"config"},
    "published": set(),
    "generation": {"config", "model"},
    "token_cache": set(),
    "preflight": set(CORE),
    "training": FOUNDATION | {"generation", "precision", "schedule", "token_cache"},
    "checkpoints": {"config", "model", "training"},
    "store": {"class_book", "config", "database", "records", "rows", "run", "runs_dir", "salvage"}
    | {"whole_file"},
    "database": {"rows", "salvage", "schema"},
    "salvage": {"rows", "schema", "whole_file"},
    "whole_file": set(),
    "comparing": {"run"},
    "hub": set(),
    "model_library": {
        *("cards", "checkpoints", "class_book", "corpus", "hub", "initial", "model", "pretrained"),
        *("quotas", "rights", "store"),
    },
    "pretrained": {"checkpoints", "config", "hub", "model"},
    "weights": {"checkpoints", "locks", "pretrained", "rights", "rows", "store"},
    "metrics": {"rows", "run", "store"},
    "event_files": {"run", "store"},
    "notebook": {"config", "corpus", "run", "store"},
    "exports": {
        *("config", "event_files", "metrics", "names", "notebook", "recording", "rights", "run"),
        "store",
    },
    "catalogue": {
        "checkpoints",
        "class_book",
        "library",
        "locks",
        "machine",
        "names",
        "rights",
        "store",
    },
    "schema": set(),
    "progress": {"history", "rows", "run"},
    "locks": {"machine", "names", "run", "store"},
    "run": {"config"},
    "rows": {"config", "run"},
    "runs_dir": set(),
    "schedule": {"config"},
    "memorisation": {"tokenizer"},
    "board": {"class_book", "history", "locks", "rows", "run", "store"},
    "history": {"memorisation", "rows", "store", "tokenizer"},
    "reading": {"history"},
    "verdict": {"config", "corpus", "history", "published", "run"},
    "recording": {"config", "corpus", "locks", "run", "store"},
    "closeup": {"config", "dataset", "loss", "model", "precision", "records"},
    "machine": {"salvage"},
    "requests": set(),
    "session": FOUNDATION
    | {"checkpoints", "closeup", "initial", "memorisation", "rows", "run", "store", "training"},
    "rights": {"class_book", "corpus", "locks", "run", "store"},
    "queueing": {"rights"},
    "roll": {"names", "rights", "store"},
    "new_run": FOUNDATION
    | {"checkpoints", "initial", "machine", "precision", "quotas", "run", "schedule", "store"}
    | {"token_cache", "training"},
    "initial": {"checkpoints", "config", "machine", "model", "store"},
    "live_run": {"machine", "quotas", "session"},
    "runner": set(CORE),
    "shelf": set(CORE),
    "__init__": set(CORE),
    "__main__": set(CORE),
}
SOURCES = [
    path
    for folder in ("gpt_core", "dashboard", "pages")
    for path in sorted((ROOT / folder).rglob("*.py"))
] + [ROOT / "app.py", ROOT / "classroom.py"]


def imports(path: Path) -> list[str]:
    """Return every module that a file imports, also inside functions, in full."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative path"
            found.append(node.module or "")
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def test_the_rules_name_every_module_of_the_core() -> None:
    assert set(MAY_IMPORT) == set(CORE)


@pytest.mark.parametrize("module", CORE)
def test_a_core_module_imports_only_what_it_may(module: str) -> None:
    names = imports(ROOT / "gpt_core" / f"{module}.py")
    ours = {name.split(".")[1] for name in names if name.startswith("gpt_core.")}
    assert ours <= MAY_IMPORT[module]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "gpt_core").glob("*.py")), ids=lambda path: path.stem
)
def test_the_core_knows_no_streamlit_plotly_or_pandas(path: Path) -> None:
    tops = {name.split(".")[0] for name in imports(path)}
    assert not tops & {"streamlit", "plotly", "pandas", "dashboard", "pages"}


def test_the_store_imports_no_torch() -> None:
    for module in ("store", *MAY_IMPORT["store"]):
        names = imports(ROOT / "gpt_core" / f"{module}.py")
        assert not {name for name in names if name.split(".")[0] == "torch"}


@pytest.mark.parametrize("name", ["charts", "frames", "walk_charts"])
def test_charts_and_frames_know_no_streamlit(name: str) -> None:
    names = imports(ROOT / "dashboard" / f"{name}.py")
    assert "streamlit" not in {name.split(".")[0] for name in names}
    ours = {".".join(name.split(".")[:2]) for name in names if name.startswith("dashboard")}
    assert ours <= {"dashboard.palette", "dashboard.charts"}


@pytest.mark.parametrize("path", sorted((ROOT / "pages").glob("*.py")), ids=lambda path: path.stem)
def test_pages_use_the_dashboard_and_the_cores_public_names(path: Path) -> None:
    names = imports(path)
    assert not {name for name in names if name.split(".")[0] in ("torch", "pages", "sqlite3")}
    core = {name for name in names if name.startswith("gpt_core.")}
    assert core <= {f"gpt_core.{name}" for name in gpt_core.__all__}


def test_only_a_runs_session_seeds_the_global_random_generator() -> None:
    for path in SOURCES:
        source = path.read_text()
        calls = [
            ast.unparse(node.func)
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call)
        ]
        seeds = {call for call in calls if call in ("torch.manual_seed", "torch.seed")}
        assert not seeds or path.name == "session.py", path
        assert "fork_rng" not in source, path


def test_files_keep_to_one_job() -> None:
    for path in SOURCES:
        lines = len(path.read_text().splitlines())
        limit = 50 if path.name == "app.py" else 150 if path.parent.name == "pages" else 400
        assert lines <= limit, f"{path} has {lines} lines"
