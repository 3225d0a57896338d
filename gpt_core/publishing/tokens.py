"""The token with which other machines may publish their runs to an app."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from gpt_core.system import write_atomically

TOKEN_VARIABLE = "GPT_LAB_PUBLISH_TOKEN"  # noqa: S105 (the environment variable's name)
TOKEN_FILE = "publish-token.sha256"  # noqa: S105 (in the runs directory; holds the hash only)
MIN_TOKEN_CHARACTERS = 20


def make_token(runs_dir: Path) -> str:
    """Make a token for the app of a runs directory, in place of an older one, and return it.

    Only its hash is saved.

    Raises:
        ValueError: the directory cannot be written.
    """
    token = secrets.token_urlsafe(32)
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        write_atomically(runs_dir / TOKEN_FILE, _sha256(token).encode())
    except OSError as error:
        raise ValueError(f"The token was not saved in {runs_dir}: {error.strerror}.") from error
    return token


def remove_token(runs_dir: Path) -> None:
    """Remove the token of a runs directory, so that nothing can be published to its app."""
    (runs_dir / TOKEN_FILE).unlink(missing_ok=True)


def token_sha256(runs_dir: Path) -> str:
    """Return the hash of the app's token: of the environment's or, without one, of the file's.

    It is empty if there is none: nothing can be published to the app.

    Raises:
        ValueError: the environment's token is too short.
    """
    given = os.environ.get(TOKEN_VARIABLE)
    if given is None:
        path = runs_dir / TOKEN_FILE
        return path.read_text(encoding="ascii") if path.exists() else ""
    if len(given) < MIN_TOKEN_CHARACTERS:
        raise ValueError(f"{TOKEN_VARIABLE} has fewer than {MIN_TOKEN_CHARACTERS} characters.")
    return _sha256(given)


def is_right_token(token: str, sha256: str) -> bool:
    """Tell whether a token has this hash, in a time that does not depend on the token."""
    return hmac.compare_digest(_sha256(token), sha256)


def read_token(file: Path | None) -> str:
    """Return the token to publish with: that of a file or, without one, the environment's.

    Raises:
        ValueError: there is none, or the file cannot be read.
    """
    try:
        token = os.environ.get(TOKEN_VARIABLE, "") if file is None else file.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ValueError(f"The token's file {file} cannot be read.") from error
    token = token.strip()
    if not token:
        raise ValueError(
            "Publishing needs the app's token, as gpt-lab token prints it there: in "
            f"{TOKEN_VARIABLE} or in a file given with --token-file."
        )
    if not (token.isascii() and token.isprintable()):
        raise ValueError("The app's token has other characters than gpt-lab token prints.")
    return token


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
