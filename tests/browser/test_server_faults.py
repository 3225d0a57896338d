"""What happens to the server while somebody trains: once each; the command tries them often."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.faults.server_faults import FAULTS

pytestmark = pytest.mark.slow

ALWAYS = ("SIGKILL", "SIGTERM", "full", "overwritten")
LOSES = "overwritten"  # what stood there is lost, and that is told


@pytest.mark.parametrize(
    "name",
    [
        name
        if any(word in name for word in ALWAYS)
        else pytest.param(name, marks=pytest.mark.whole_run)
        for name in FAULTS
    ],
)
def test_the_app_survives_and_loses_nothing_that_was_acknowledged(
    name: str, browser: Browser, tmp_path: Path
) -> None:
    try:
        found = FAULTS[name](tmp_path, browser, 1)
    except PermissionError as error:
        pytest.skip(str(error))
    assert found.tried == 1
    assert found.rows_lost == 0 or LOSES in name
