"""The addresses at which a class reaches this machine."""

import os
import socket
from urllib.parse import urlsplit

import psutil

PROXY_URL = "GPT_LAB_CLASS_URL"  # the environment variable: where a proxy serves the class
PORT = "GPT_LAB_CLASS_PORT"  # the environment variable
DEFAULT_PORT = 8600
HIGHEST_PORT = 65535
VIRTUAL = ("docker", "br-", "veth", "virbr", "vmnet", "vboxnet", "utun", "tun", "tap")


def class_port() -> int:
    """Return the port at which a class is served to the network.

    Raises:
        ValueError: the environment variable holds no port number.
    """
    text = os.environ.get(PORT, str(DEFAULT_PORT))
    if not (text.isascii() and text.isdecimal() and int(text) <= HIGHEST_PORT):
        raise ValueError(f"{PORT}={text!r} is not a port: choose a number up to {HIGHEST_PORT}.")
    return int(text)


def own_addresses() -> list[str]:
    """Return this machine's IPv4 addresses in its networks.

    Those of virtual machines and containers come last: students cannot reach them.
    """
    found = [
        (name.startswith(VIRTUAL), address.address)
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    ]
    return [address for _, address in sorted(found, key=lambda pair: pair[0])]


def proxy_url() -> str | None:
    """Return the address at which a proxy on this machine serves the class; None without one.

    With one, the class listens to this machine alone and believes the X-Forwarded-For and
    X-Forwarded-Proto that come from it.

    Raises:
        ValueError: the environment variable holds no address of a site.
    """
    text = os.environ.get(PROXY_URL)
    if not text:
        return None
    url = urlsplit(text.rstrip("/"))
    if url.scheme not in ("http", "https") or not url.hostname or url.path or url.query:
        raise ValueError(
            f"{PROXY_URL}={text!r} is not the address of a site: write https:// and its name."
        )
    return url.geturl()


def class_urls() -> list[str]:
    """Return the addresses that students open."""
    if proxy := proxy_url():
        return [proxy]
    return [f"http://{address}:{class_port()}" for address in own_addresses()]
