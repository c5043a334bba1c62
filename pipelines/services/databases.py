"""Databases of the servers: SQLite here, or the URLs of settings, checked first."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.errors import UserError, without_passwords

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

#: Variables that the servers read themselves, so no password is on a command line.
PREFECT, MLFLOW = "PREFECT_API_DATABASE_CONNECTION_URL", "MLFLOW_BACKEND_STORE_URI"
FILES = "MLFLOW_ARTIFACTS_DESTINATION"
PREFECT_TOO = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
#: Prefixes of variables that only the servers may have.
SECRET = ("PREFECT_API_DATABASE_", "PREFECT_SERVER_DATABASE_", "PREFECT_SERVER_API_AUTH", "MLFLOW_BACKEND_", "MLFLOW_FLASK_")
SCHEMES = {
    PREFECT: {"postgresql+asyncpg": "timeout", "sqlite+aiosqlite": "timeout"},
    MLFLOW: {"postgresql+psycopg2": "connect_timeout", "sqlite": "timeout"},
}
WORKS = {
    PREFECT: "postgresql+asyncpg://user:password@host:5432/prefect",
    MLFLOW: "postgresql+psycopg2://user:password@host:5432/mlflow",
}
PACKAGES = {"psycopg2": "pip install '.[postgres]'"}
SECONDS, REASON = 10, 300


def check() -> None:
    """Connect once to each database that the environment names.

    Raises:
        UserError: names the variable and why the connection failed, without the password.
    """
    for name, mine in {PREFECT_TOO: PREFECT, PREFECT: PREFECT, MLFLOW: MLFLOW}.items():
        if address := os.environ.get(name):
            _try(name, _with_driver(address) if mine == MLFLOW else address, mine)


def without_secrets(environment: dict[str, str]) -> dict[str, str]:
    """Return ``environment`` without the servers' secrets, since an agent runs its users' code."""
    return {name: value for name, value in environment.items() if not name.startswith(SECRET)}


def stores(environment: dict[str, str]) -> dict[str, str]:
    """Return where MLflow's server stores runs and files: as in ``environment``, or in this clone."""
    runs = environment.get(MLFLOW) or f"sqlite:///{Path('mlflow.db').resolve()}"
    files = environment.get(FILES) or str(Path("mlruns").resolve())
    return {MLFLOW: _with_driver(runs), FILES: files}


def _with_driver(address: str) -> str:
    """Return ``address`` with an explicit driver; from 2.1 on SQLAlchemy's default is another."""
    return re.sub("^postgresql://", "postgresql+psycopg2://", address)


def _try(name: str, address: str, mine: str) -> None:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise UserError(f"{name}: is not a database URL; one that works: {WORKS[mine]}") from None
    if url.drivername not in SCHEMES[mine]:
        known = ", ".join(SCHEMES[mine])
        raise UserError(f"{name}: must begin with one of {known}, got {url.drivername!r}; one that works: {WORKS[mine]}")
    patience = {SCHEMES[mine][url.drivername]: SECONDS}
    try:
        asyncio.run(_connect_async(url, patience)) if "+a" in url.drivername else _connect(url, patience)
    except ModuleNotFoundError as error:
        raise UserError(f"{name}: needs the package {error.name}: {PACKAGES.get(str(error.name), 'install it')}") from None
    except Exception as error:  # each driver raises its own
        shown = url.render_as_string(hide_password=True)
        raise UserError(f"{name}: no connection to {shown}: {_reason(error, url.password)}") from None


def _reason(error: Exception, password: object) -> str:
    first = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    text = without_passwords(" ".join(first.split()))[:REASON]
    return text.replace(str(password), "***") if password else text


def _connect(url: URL, patience: dict[str, int]) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    with create_engine(url, connect_args=patience, poolclass=NullPool).connect():
        pass


async def _connect_async(url: URL, patience: dict[str, int]) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    async with create_async_engine(url, connect_args=patience, poolclass=NullPool).connect():
        pass
