"""A terminal trains, the app of another runs directory receives: real processes on both sides."""

import signal
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gpt_core.store import RunStore
from tests.browser.conftest import Server, start_server
from tests.support.published import SMALL, TOKEN, rows_in, start_terminal, steps_in, wait_until
from tests.support.tcp_proxy import Proxy

pytestmark = pytest.mark.slow

LONG = ("--epochs", "400", "--eval-freq", "20", "--sample-tokens", "3")  # 3,600 steps


def start_app(folder: Path) -> Server:
    return start_server(folder, GPT_LAB_PUBLISH_TOKEN=TOKEN)


def port_of(server: Server) -> int:
    return int(urlsplit(server.url).port or 0)


def test_all_rows_arrive_once_though_the_line_is_cut_and_the_app_is_killed(tmp_path: Path) -> None:
    server = start_app(tmp_path / "app")
    proxy = Proxy(port_of(server))
    here, there, url = tmp_path / "runs", server.runs_dir, f"http://127.0.0.1:{proxy.port}"
    process = start_terminal(
        *("train", *SMALL, *LONG, "--runs-dir", str(here), "--run-id", "far", "--publish", url)
    )
    wait_until(lambda: steps_in(there, "far") >= 20)
    with closing(RunStore(there)) as store:
        run = store.run("far")
        assert run is not None
        assert (run.state, run.owner) == ("running", "local")
        assert run.origin
    proxy.cut()
    sent, done = steps_in(there, "far"), steps_in(here, "far")
    wait_until(lambda: steps_in(here, "far") >= done + 100)
    assert steps_in(there, "far") == sent  # training did not wait, and nothing came
    proxy.restore()
    wait_until(lambda: steps_in(there, "far") > sent)
    server.end(signal.SIGKILL)
    server = start_app(tmp_path / "app")
    proxy.target = port_of(server)
    before = steps_in(there, "far")
    wait_until(lambda: steps_in(there, "far") > before)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert err.count("takes no rows at this moment") >= 1
    assert f"{url} answers again" in err
    assert f"All of run far is at {url}." in err
    assert rows_in(there, "far") == rows_in(here, "far")
    assert rows_in(there, "far")["transitions"][-1]["state"] == "interrupted"
    assert server.end() == 0
    assert "Traceback" not in server.log.read_text()


def test_a_run_that_could_not_be_sent_is_sent_later(tmp_path: Path) -> None:
    server = start_app(tmp_path / "app")
    proxy = Proxy(port_of(server))
    proxy.cut()  # the app is never there while it trains
    here, url = tmp_path / "runs", f"http://127.0.0.1:{proxy.port}"
    process = start_terminal(
        *("train", *SMALL, "--epochs", "2", "--runs-dir", str(here), "--run-id", "far"),
        *("--publish", url),
    )
    assert process.stderr is not None
    assert any("takes no rows at this moment" in line for line in process.stderr)
    assert any(line.startswith("Waiting up to") for line in process.stderr)
    process.send_signal(signal.SIGINT)  # its user waits no longer
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err  # the run has finished; that nothing was sent fails nothing
    command = f"publish far --to {url} --runs-dir {here}"
    assert f"rows of run far are not at {url}. Send what is missing later with: " in err
    assert command in err
    proxy.restore()
    for _ in range(2):  # the second time nothing is missing
        process = start_terminal(*command.split())
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert f"All of run far is at {url}." in err
        assert rows_in(server.runs_dir, "far") == rows_in(here, "far")
    with closing(RunStore(server.runs_dir)) as there, closing(RunStore(here)) as origin:
        [received], [run] = there.runs(), origin.runs()
        assert (received.state, received.model_config) == ("finished", run.model_config)
        assert (received.setup, received.created_at) == (run.setup, run.created_at)
    server.end()


def test_a_refusal_is_a_sentence_and_the_run_trains_on(tmp_path: Path) -> None:
    server = start_app(tmp_path / "app")
    here = tmp_path / "runs"
    settings = (*SMALL, "--epochs", "1", "--runs-dir", str(here), "--publish", server.url)
    process = start_terminal("train", *settings, GPT_LAB_PUBLISH_TOKEN="of another app altogether")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert f"The run is not published to {server.url}: The token is not this app's" in err
    assert "rows of run" in err
    with closing(RunStore(here)) as store:
        [run] = store.runs()
        assert run.state == "finished"
    process = start_terminal("train", *settings, GPT_LAB_PUBLISH_TOKEN="")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err.startswith("Publishing needs the app's token")
    server.end()


def test_a_run_that_trains_already_is_published_by_another_terminal_until_it_ends(
    tmp_path: Path,
) -> None:
    server = start_app(tmp_path / "app")
    here = tmp_path / "runs"
    settings = ("--runs-dir", str(here))
    training = start_terminal("train", *SMALL, *LONG, *settings, "--run-id", "far")
    wait_until(lambda: steps_in(here, "far") >= 5)
    publishing = start_terminal("publish", "far", "--to", server.url, *settings)
    wait_until(lambda: steps_in(server.runs_dir, "far") >= 50)
    training.send_signal(signal.SIGINT)
    _, err = training.communicate(timeout=60)
    assert training.returncode == 130, err
    _, err = publishing.communicate(timeout=60)
    assert publishing.returncode == 0, err
    assert f"All of run far is at {server.url}." in err
    training = start_terminal("resume", "far", *settings, "--publish", server.url)
    ended = len(rows_in(here, "far")["transitions"])
    wait_until(lambda: len(rows_in(server.runs_dir, "far")["transitions"]) > ended)
    training.kill()  # it says nothing of its end
    training.communicate()
    publishing = start_terminal("publish", "far", "--to", server.url, *settings)
    _, err = publishing.communicate(timeout=60)
    assert publishing.returncode == 0, err
    assert rows_in(server.runs_dir, "far") == rows_in(here, "far")
    assert rows_in(here, "far")["transitions"][-1]["message"].startswith("The process")
    server.end()
