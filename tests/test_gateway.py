"""nginx with the configuration that the containers use, on ports of its own."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from config.stack.valkey import free_port

CONF = Path(__file__).resolve().parents[1] / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

if NGINX is None and "CI" not in os.environ:
    pytest.skip("nginx is not installed: make deps", allow_module_level=True)


class Web(BaseHTTPRequestHandler):
    """Answers with the Host it was asked for."""

    def do_GET(self) -> None:
        body = f"{self.headers['Host']} {self.headers['X-Forwarded-For']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an nginx whose `web` is the class above and whose static files are one style sheet."""
    assert NGINX, "CI needs nginx: make deps"
    folder = tmp_path_factory.mktemp("nginx")
    web = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    port = free_port()
    (folder / "static").mkdir()
    (folder / "static" / "sluice.css").write_text("body {}")
    conf = CONF.read_text()
    for old, new in {
        "server web:8000": f"server 127.0.0.1:{web.server_port}",
        "listen 80 ": f"listen 127.0.0.1:{port} ",
        "/data/static/": f"{folder}/static/",
        "include mime.types": "include /etc/nginx/mime.types",
        "pid /tmp/nginx.pid": f"pid {folder}/nginx.pid",
    }.items():
        assert old in conf
        conf = conf.replace(old, new)
    (folder / "nginx.conf").write_text(conf)
    # Started as root, its workers would be a user who may not look into pytest's folder.
    extra = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    nginx = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "nginx.conf", "-g", extra])
    try:
        deadline = time.monotonic() + 10
        while ask(port, "GET", "/")[0] != 200:
            assert nginx.poll() is None
            assert time.monotonic() < deadline
        yield port
    finally:
        nginx.terminate()
        nginx.wait()
        web.shutdown()
        web.server_close()


def ask(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str, str | None]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode(), response.headers["Content-Type"]
    except OSError:
        time.sleep(0.02)
        return 0, "", None
    finally:
        connection.close()


def test_pages_come_from_the_web_with_the_host_the_browser_asked_for(gateway: int) -> None:
    assert ask(gateway, "GET", "/sales/1", Host="shop.example:8000")[:2] == (200, "shop.example:8000 127.0.0.1")


def test_nobody_chooses_their_own_address(gateway: int) -> None:
    headers = {"X-Forwarded-For": "10.0.0.1", "Host": "shop"}

    assert ask(gateway, "GET", "/", **headers)[1] == "shop 127.0.0.1"


def test_static_files_come_from_the_disk(gateway: int) -> None:
    assert ask(gateway, "GET", "/static/sluice.css") == (200, "body {}", "text/css")


def test_a_body_of_a_megabyte_is_refused_before_it_reaches_the_web(gateway: int) -> None:
    assert ask(gateway, "POST", "/api/sales/1/orders", b"x" * 70_000)[0] == 413
