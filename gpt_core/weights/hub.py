"""Downloading GPT-2 from the Hugging Face hub into the cache of the hub's own library."""

import errno
import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import filelock

from gpt_core.weights.file_names import CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE

GPT2_REPOSITORIES: dict[str, str] = {
    "124M": "openai-community/gpt2",
    "355M": "openai-community/gpt2-medium",
    "774M": "openai-community/gpt2-large",
    "1558M": "openai-community/gpt2-xl",
}
REPOSITORY = re.compile(r"(?!.*(?:--|\.\.|\.git$))\b[\w.-]{1,96}\b/\b[\w.-]{1,96}\b", re.ASCII)
# The name of a file's content on the hub and in the cache: Git's hash, or SHA-256 if large.
ANY_HASH = r"[0-9a-f]{40}|[0-9a-f]{64}"
ETAGS = {CONFIG_FILE: ANY_HASH, TOKENIZER_FILE: ANY_HASH, WEIGHTS_FILE: r"[0-9a-f]{64}"}

Report = Callable[[int, int], None]
Stop = Callable[[], bool]


class DownloadStopped(ValueError):
    """A download was stopped on request; the part that arrived stays on disk."""


def repository(name: str) -> str | None:
    """Return the hub's repository of a size, a GPT-2's name there or ``owner/name``, or None."""
    for size, known in GPT2_REPOSITORIES.items():
        if name in (size, known.partition("/")[2]):
            return known
    return name if REPOSITORY.fullmatch(name) else None


def how_to_get(name: str) -> str:
    """Return how to bring a GPT-2 to a machine without a network, as a sentence.

    Raises:
        ValueError: the name means no repository.
    """
    repo = _find_repository(name)
    files = f"https://huggingface.co/{repo}/resolve/main"
    others = f" and, if there is one, {TOKENIZER_FILE}" if TOKENIZER_FILE in _files(repo) else ""
    return (
        f"Without a network: download {files}/{WEIGHTS_FILE} and {files}/{CONFIG_FILE}{others} on "
        "another machine, and put them in a folder of their own in import/ in the runs directory."
    )


def downloaded_gpt2(name: str) -> Path | None:
    """Return the cached folder that ``load_gpt2`` takes, or None; uses no network."""
    from huggingface_hub import try_to_load_from_cache  # slow to import

    if (repo := repository(name)) is None:
        return None
    # A file that the cache knows to be missing on the hub is neither a str nor None.
    cached = {file: try_to_load_from_cache(repo, file) for file in _files(repo)}
    config, weights = cached[CONFIG_FILE], cached[WEIGHTS_FILE]
    if not isinstance(config, str) or not isinstance(weights, str) or None in cached.values():
        return None
    return Path(weights).parent


def download_gpt2(name: str, report: Report | None = None, stop: Stop | None = None) -> Path:
    """Download a GPT-2 into Hugging Face's cache; return the folder that ``load_gpt2`` takes.

    An interrupted download continues where it ended. Weights without the hub's SHA-256 are
    deleted. A cached model is returned without using the network.

    Args:
        name: a size as in GPT2_REPOSITORIES, or a repository as ``owner/name``.
        report: called with the downloaded and the total bytes of the weights, several times per
            megabyte.
        stop: called as often; True ends the download.

    Raises:
        DownloadStopped: ``stop`` returned True.
        ValueError: it cannot be downloaded or saved; the message says what to do.
    """
    repo = _find_repository(name)
    if (folder := downloaded_gpt2(repo)) is not None:
        return folder
    import httpx2
    from huggingface_hub import constants, errors

    # Otherwise the library asks the hub for a list of coding agents and reports which runs it.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    hub = constants.ENDPOINT
    try:
        return _download(repo, report, stop)
    except errors.RemoteEntryNotFoundError as error:
        problem = f"{repo} has no {Path(error.response.url.path).name}: choose a GPT-2 that has one"
        raise ValueError(f"{problem}, such as {', '.join(GPT2_REPOSITORIES)}.") from error
    except (errors.HfHubHTTPError, httpx2.HTTPStatusError) as error:
        status = error.response.status_code
        closed = (errors.RepositoryNotFoundError, errors.DisabledRepoError)  # includes gated ones
        if isinstance(error, closed) or status in (401, 404):
            problem = f"{hub} has no public repository {repo}"
            raise ValueError(f"{problem}: check its name.") from error
        problem = f"{hub} answered {status} when asked for {repo}: try again later"
        raise ValueError(f"{problem}. {how_to_get(repo)}") from error
    except (httpx2.RequestError, httpx2.InvalidURL, errors.OfflineModeIsEnabled) as error:
        problem = f"{hub} could not be reached ({_words(error)})"
        raise ValueError(f"{problem}. {how_to_get(repo)}") from error
    except filelock.Timeout as error:
        problem = f"{repo} is being downloaded already, here or by another program"
        raise ValueError(f"{problem}: wait for that download.") from error
    except OSError as error:
        raise ValueError(
            f"{repo} cannot be saved in {constants.HF_HUB_CACHE}: {error.strerror or error}. Make "
            "room there, or start the app with HF_HOME set to a folder on another disk."
        ) from error


def _find_repository(name: str) -> str:
    if (repo := repository(name)) is None:
        sizes = ", ".join(GPT2_REPOSITORIES)
        raise ValueError(f'{name!r} names no GPT-2: choose {sizes}, or "owner/name" of one.')
    return repo


def _files(repo: str) -> tuple[str, ...]:
    """Return the files of a repository that are downloaded, the weights last.

    The tokenizer may be missing. OpenAI's GPT-2 needs none: its vocabulary comes with the app.
    """
    is_openais = repo in GPT2_REPOSITORIES.values()
    return (
        (CONFIG_FILE, WEIGHTS_FILE) if is_openais else (CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE)
    )


def _words(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".")


def _download(repo: str, report: Report | None, stop: Stop | None) -> Path:
    """Put the files in the cache, in its documented layout.

    The library's own hf_hub_download cannot resume: since version 1.18 it deletes a partial file
    when it fails, and Xet, its preferred protocol, starts again as well.
    """
    from huggingface_hub import constants, errors, get_hf_file_metadata, hf_hub_url

    cache, name = Path(constants.HF_HUB_CACHE), f"models--{repo.replace('/', '--')}"
    commit = ""
    for file in _files(repo):
        url = hf_hub_url(repo, file, revision=commit or None)
        try:
            facts = get_hf_file_metadata(url, token=False, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        except errors.RemoteEntryNotFoundError:
            if file != TOKENIZER_FILE:
                raise
            missing = cache / name / ".no_exist" / commit / file  # the library's own
            missing.parent.mkdir(parents=True, exist_ok=True)
            missing.touch()
            continue
        commit, etag, size = commit or facts.commit_hash or "", facts.etag or "", facts.size
        is_hub = re.fullmatch(r"[0-9a-f]{40}", commit) and re.fullmatch(ETAGS[file], etag)
        if not is_hub or size is None:
            raise ValueError(
                f"{constants.ENDPOINT} did not answer as the hub does: a sign-in page of this "
                f"network may have answered. {how_to_get(repo)}"
            )
        blob, pointer = cache / name / "blobs" / etag, cache / name / "snapshots" / commit / file
        if pointer.exists():
            continue
        lock = cache / ".locks" / name / f"{etag}.lock"  # the library's own
        for path in (blob, pointer, lock):
            path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(lock, timeout=1, mode=0o664):
            if not blob.exists():
                # Our own name: partial files of older library versions may have holes.
                part = blob.with_name(f"{etag}.gpt-lab.incomplete")
                is_small = file != WEIGHTS_FILE
                _fetch(url, part, size, *((None, None) if is_small else (report, stop)))
                _check(part, f"{file} of {repo}", size, etag)
                part.replace(blob)
            pointer.unlink(missing_ok=True)  # it may be a dangling link
            try:
                pointer.symlink_to(Path("..", "..", "blobs", etag))
            except OSError:  # as the library does where Windows allows no symbolic links
                blob.replace(pointer)
    main = cache / name / "refs" / "main"
    main.parent.mkdir(exist_ok=True)
    new = main.with_name("main.gpt-lab.tmp")
    new.write_text(commit, encoding="utf-8")
    new.replace(main)
    return pointer.parent


def _fetch(url: str, part: Path, size: int, report: Report | None, stop: Stop | None) -> None:
    """Download the rest of a file, from where it ends."""
    import httpx2
    from huggingface_hub import constants, get_session

    def so_far() -> str:
        return f"{done / 1e6:,.1f} of {size / 1e6:,.1f} MB"

    def tell() -> None:
        if report is not None:
            report(done, size)
        if stop is not None and stop():
            raise DownloadStopped(f"Stopped at {so_far()}: the next download continues from there.")

    with part.open("ab") as file:
        done = file.tell() if file.tell() <= size else file.truncate(0)
        if (free := shutil.disk_usage(part.parent).free) < size - done:
            needed = f"{(size - done) / 1e6:,.1f} MB are needed"
            raise OSError(errno.ENOSPC, f"{needed}, and {free / 1e6:,.1f} MB are free")
        tell()
        if done == size:
            return
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
        timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
        try:
            with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
                response.raise_for_status()
                if done and response.status_code != httpx2.codes.PARTIAL_CONTENT:
                    done = file.truncate(0)
                for piece in response.iter_bytes():
                    done += file.write(piece)
                    tell()
        except httpx2.TransportError as error:
            if not done:
                raise
            raise ValueError(
                f"The download broke off at {so_far()} ({_words(error)}): start it again, and it "
                "continues from there."
            ) from error


def _check(part: Path, what: str, size: int, etag: str) -> None:
    """Delete a file and raise ValueError if its size or SHA-256 is not the hub's."""
    with part.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if part.stat().st_size != size or (len(etag) == len(sha256) and etag != sha256):
        part.unlink()
        raise ValueError(f"{what} arrived damaged (wrong SHA-256) and was deleted: try again.")
