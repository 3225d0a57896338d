"""requirements.txt names what is imported, and requirements.lock all that it leads to."""

import importlib.metadata
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT
from tests.test_imports import SOURCES, imports

OUR_OWN = {"gpt_core", "dashboard", "pages", "app", "classroom", "main"}
# Present only where an optional program has installed them; each is imported where it is asked for.
OPTIONAL = {"transformers"}


def pins(file: str) -> dict[str, Requirement]:
    """Return a file's requirements by their normalised names."""
    lines = (ROOT / file).read_text().replace("\\\n", " ").splitlines()
    stated = [line.split(" --hash")[0] for line in lines if re.match(r"[A-Za-z]", line)]
    return {canonicalize_name(one.name): one for one in map(Requirement, stated)}


def hashes() -> dict[str, list[str]]:
    """Return the lock's hashes by the normalised names of its packages."""
    blocks = re.split(r"\n(?=[A-Za-z])", (ROOT / "requirements.lock").read_text())[1:]
    return {
        canonicalize_name(block.split("==")[0]): re.findall(
            r"--hash=sha256:([0-9a-f]{64})\b", block
        )
        for block in blocks
    }


def test_whatever_is_imported_is_pinned_by_name() -> None:
    distributions = importlib.metadata.packages_distributions()
    named = set(pins("requirements.txt"))
    missing = {}
    for path in SOURCES:
        for name in {module.split(".")[0] for module in imports(path)}:
            if name in sys.stdlib_module_names or name in OUR_OWN | OPTIONAL:
                continue
            owners = {canonicalize_name(owner) for owner in distributions.get(name, [])}
            if not owners & named:
                missing[name] = str(path.relative_to(ROOT))
    assert not missing


def test_every_pin_is_exact_and_the_lock_holds_it_with_hashes() -> None:
    locked, found = pins("requirements.lock"), hashes()
    for name, requirement in pins("requirements.txt").items():
        assert str(requirement.specifier).startswith("=="), name
        assert locked[name].specifier == requirement.specifier, f"{name}: run .ci/lock"
    assert found.keys() == locked.keys()
    assert all(found.values())


def test_the_lock_lacks_nothing_that_its_packages_need() -> None:
    locked = pins("requirements.lock")
    for name, requirement in locked.items():
        if requirement.marker and not requirement.marker.evaluate():
            continue
        needed = map(Requirement, importlib.metadata.requires(name) or [])
        wanted = {
            canonicalize_name(n.name)
            for n in needed
            if not n.marker or n.marker.evaluate({"extra": ""})
        }
        wanted = {n for n in wanted if not n.startswith(("nvidia-", "cuda-", "triton"))}
        assert wanted <= locked.keys(), f"{name} needs what the lock lacks: run .ci/lock"


@pytest.mark.whole_run
def test_the_lock_installs_with_its_hashes(tmp_path: Path) -> None:
    venv.create(tmp_path, with_pip=True)
    python = str(tmp_path / "bin" / "python")
    lock = str(ROOT / "requirements.lock")
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--require-hashes", "-r", lock], check=True
    )
    program = "import streamlit, torch, gpt_core, dashboard.app.server"
    subprocess.run([python, "-c", program], cwd=ROOT, check=True)
