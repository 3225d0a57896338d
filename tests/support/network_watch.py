"""A Python program put before another one, that writes down each attempt to reach a machine.

Python's own audit events, which no library can go around, are watched from the first line on:
as ``sitecustomize.py`` on the PYTHONPATH of a process. Its log is the file $NETWORK_LOG.
"""

from pathlib import Path

PROGRAM = """
import ipaddress, os, sys

def is_local(host):
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

def watch(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if not is_local(host):
        with open(os.environ["NETWORK_LOG"], "a") as log:
            log.write(f"{event} {host}\\n")

sys.addaudithook(watch)
if "ALSO_RUN" in os.environ:  # a test's own program
    exec(open(os.environ["ALSO_RUN"]).read())
"""


def watched_environment(folder: Path) -> tuple[dict[str, str], Path]:
    """Return what to add to a process's environment, and the log, empty if all is well."""
    (folder / "sitecustomize.py").write_text(PROGRAM)
    log = folder / "network.log"
    log.touch()
    return {"PYTHONPATH": str(folder), "NETWORK_LOG": str(log)}, log
