"""DESIGN.md's import rules, read off the source: who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gpt_core
from tests.support.paths import ROOT

# Each layer imports only from the layers left of it; commas separate equals, which do not import
# each other.
CORE_LAYERS = (
    "validation, records, system < config < presets < proposals < store < documents "
    "< vocabularies < text < analysis < access < model < inspection < distributed < training "
    "< weights < library, export < publishing < runner < inference < cli"
)
DASHBOARD_LAYERS = (
    "charts < app < publishing < components < ui < forms "
    "< home, tokens, model, loss, data, train, generate, inside, weights, runs, classroom "
    "< launcher"
)
SOURCES = [
    path
    for folder in ("gpt_core", "dashboard", "pages")
    for path in sorted((ROOT / folder).rglob("*.py"))
] + [ROOT / name for name in ("app.py", "classroom.py", "main.py")]


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


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def layers(line: str) -> dict[str, int]:
    return {
        name.strip(): number
        for number, layer in enumerate(line.split("<"))
        for name in layer.split(",")
    }


def offences(root: str, line: str) -> list[str]:
    """Return the imports below a folder that go to the same layer or one right of it."""
    rank = layers(line)
    found = []
    for path in modules(root):
        here = path.relative_to(ROOT / root).parts[0].removesuffix(".py")
        for name in imports(path):
            parts = name.split(".")
            there = parts[1] if parts[0] == root and len(parts) > 1 else here
            if there in rank and here in rank and there != here and rank[there] >= rank[here]:
                found.append(f"{path.relative_to(ROOT)} imports {name}")
    return found


def test_each_layer_of_the_core_imports_only_from_layers_left_of_it() -> None:
    assert offences("gpt_core", CORE_LAYERS) == []


def test_each_layer_of_the_dashboard_imports_only_from_layers_left_of_it() -> None:
    assert offences("dashboard", DASHBOARD_LAYERS) == []


@pytest.mark.parametrize(
    ("root", "line"), [("gpt_core", CORE_LAYERS), ("dashboard", DASHBOARD_LAYERS)]
)
def test_the_line_names_every_room(root: str, line: str) -> None:
    rooms = {path.relative_to(ROOT / root).parts[0].removesuffix(".py") for path in modules(root)}
    assert rooms - {"__init__", "__main__"} == set(layers(line))


@pytest.mark.parametrize("path", modules("dashboard/charts"), ids=lambda path: path.stem)
def test_charts_know_no_streamlit(path: Path) -> None:
    assert "streamlit" not in {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_a_package_is_used_through_what_it_offers(path: Path) -> None:
    """Other packages import a package's names from the package, not from its files."""
    here = path.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = tuple(node.module.split("."))
            depth = 3 if parts[:2] == ("dashboard", "components") else 2
            is_inside = parts[0] in ("gpt_core", "dashboard") and len(parts) > depth
            assert not is_inside or parts[:2] == here[:2], f"{path} imports from {node.module}"


@pytest.mark.parametrize("path", modules("gpt_core"), ids=lambda path: path.stem)
def test_the_core_knows_no_streamlit_plotly_or_pandas(path: Path) -> None:
    tops = {name.split(".")[0] for name in imports(path)}
    assert not tops & {"streamlit", "plotly", "pandas", "dashboard", "pages"}


@pytest.mark.parametrize("path", sorted((ROOT / "pages").glob("*.py")), ids=lambda path: path.stem)
def test_pages_leave_models_and_databases_to_the_core(path: Path) -> None:
    names = imports(path)
    assert not {name for name in names if name.split(".")[0] in ("torch", "pages", "sqlite3")}


def test_nothing_sets_the_global_random_generator() -> None:
    forbidden = {f"torch.{name}" for name in ("manual_seed", "seed", "set_rng_state")}
    for path in SOURCES:
        source = path.read_text()
        called = {
            ast.unparse(node.func)
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call)
        }
        assert not called & forbidden, path
        assert "fork_rng" not in source, path


def test_a_module_a_function_and_a_folder_can_be_surveyed() -> None:
    for path in SOURCES:
        source = path.read_text()
        lines = len(source.splitlines())
        limit = 50 if path.parent == ROOT else 150 if path.parent.name == "pages" else 400
        assert lines <= limit, f"{path} has {lines} lines"
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= 80, f"{path}: {node.name} has {length} lines"
    for folder in {path.parent for path in SOURCES} - {ROOT}:
        names = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(names) <= 12, f"{folder} has {len(names)} modules"


def test_the_training_loop_is_on_one_blackboard() -> None:
    tree = ast.parse((ROOT / "gpt_core" / "training" / "loop.py").read_text())
    [train] = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "train"]
    assert (train.end_lineno or 0) - train.lineno + 1 < 70


def test_who_changes_something_is_always_named() -> None:
    """An actor has no default: a call that forgets it fails instead of acting as the owner."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                arguments = node.args
                optional = arguments.args[len(arguments.args) - len(arguments.defaults) :]
                given = [
                    argument
                    for argument, default in zip(
                        arguments.kwonlyargs, arguments.kw_defaults, strict=True
                    )
                    if default is not None
                ]
                names = {argument.arg for argument in (*optional, *given)}
                assert "actor" not in names, f"{path}: {node.name}"


def test_what_the_core_offers_is_there_and_in_order() -> None:
    assert sorted(gpt_core.__all__) == gpt_core.__all__ == dir(gpt_core)
    assert 35 <= len(gpt_core.__all__) <= 60
    for name in gpt_core.__all__:
        assert getattr(gpt_core, name) is not None
    with pytest.raises(AttributeError, match="import it from its package"):
        gpt_core.no_such_name  # noqa: B018 (asked for, not used)


@pytest.mark.parametrize("module", ["documents", "store", "config", "system"])
def test_who_trains_nothing_loads_no_torch(module: str) -> None:
    program = f"import gpt_core.{module}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
