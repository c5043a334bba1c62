"""A database server, a browser and a server of HTTP, each a process or a thread of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipelines.flows.prefect_server import free_port

PASSWORD, DATABASES = "not-for-everyone", ("prefect", "mlflow")


@pytest.fixture
def postgres():
    """Start a PostgreSQL server that asks for a password, with two databases; return addresses of them, without a scheme."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    initdb = shutil.which("initdb") or next((str(place / "initdb") for place in reversed(places)), None)
    if initdb is None:
        pytest.fail("no initdb: install the system package 'postgresql', which these tests run the servers on")
    # It refuses to be root, and its user may not enter pytest's folders.
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="winnow-pg-", ignore_cleanup_errors=True) as name:
        folder, port = Path(name), free_port()
        (folder / "password").write_text(PASSWORD)
        for path in (folder, folder / "password") if user else ():
            shutil.chown(path, "postgres", "postgres")
        made = [initdb, "-D", "data", "-U", "winnow", "--auth=scram-sha-256", "--pwfile=password", "--no-sync", "-E", "UTF8"]
        subprocess.run(made, cwd=folder, check=True, capture_output=True, **user)
        command = [str(Path(initdb).parent / "postgres"), "-D", "data", "-k", name, "-p", str(port), "-h", "127.0.0.1", "-F"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **user)
        try:
            address = f"winnow:{PASSWORD}@127.0.0.1:{port}"
            _make_databases(f"postgresql://{address}/postgres", folder / "log")
            yield {database: f"{address}/{database}" for database in DATABASES}
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _make_databases(address, log):
    import psycopg2

    deadline = time.monotonic() + 60
    while True:
        try:
            connection = psycopg2.connect(address)
            break
        except psycopg2.OperationalError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for database in DATABASES:
            cursor.execute(f"create database {database}")
    connection.close()


def _browse(address, folder, *wanted):
    """Run headless Chromium, on nothing but ``address``, and return what it prints."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        pytest.fail("no chromium: install the system package 'chromium', which these tests look at pages with")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", "--no-first-run", "--window-size=1600,900"]
    options += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=30000", *wanted, address]
    return subprocess.run([binary, *options], capture_output=True, text=True, check=True, timeout=180, cwd=folder).stdout


@pytest.fixture(scope="session")
def browse():
    return _browse


@pytest.fixture
def answering():
    """A server of HTTP that asks everybody who they are."""

    class Who(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Who) as listening:
        threading.Thread(target=listening.serve_forever).start()
        yield f"http://127.0.0.1:{listening.server_address[1]}/api"
        listening.shutdown()
