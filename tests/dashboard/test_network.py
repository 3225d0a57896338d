"""The addresses at which a class reaches this machine."""

import psutil
import pytest

from dashboard.classroom.network import DEFAULT_PORT, PORT, class_port, own_addresses


@pytest.mark.parametrize(("text", "port"), [("8601", 8601), ("0", 0), ("65535", 65535)])
def test_a_port_is_taken_from_the_environment(
    text: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PORT, text)
    assert class_port() == port
    monkeypatch.delenv(PORT)
    assert class_port() == DEFAULT_PORT


@pytest.mark.parametrize("text", ["", "abc", "-1", "8_600", "65536", "9" * 30, "٨٦٠٠", "80.5"])
def test_what_is_no_port_is_refused_by_the_variables_name(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PORT, text)
    with pytest.raises(ValueError, match=f"{PORT}=.* is not a port: choose a number up to 65535"):
        class_port()


def test_addresses_of_virtual_machines_come_last(monkeypatch: pytest.MonkeyPatch) -> None:
    address = type(next(iter(psutil.net_if_addrs().values()))[0])

    def ipv4(text: str):
        return address(2, text, None, None, None)

    cards = {
        "docker0": [ipv4("172.17.0.1")],
        "lo": [ipv4("127.0.0.1")],
        "eth0": [ipv4("192.168.1.5")],
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: cards)
    assert own_addresses() == ["192.168.1.5", "172.17.0.1"]
