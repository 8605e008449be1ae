"""The database: SQLite in write-ahead mode, one connection, statements that last microseconds."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TEXT = "TEXT NOT NULL CHECK (instr(CAST({0} AS BLOB), x'00') = 0)"

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS accounts (
    address TEXT PRIMARY KEY, name {_TEXT.format("name")}, role TEXT NOT NULL, tenant TEXT NOT NULL,
    created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, algorithm TEXT NOT NULL, verifier BLOB NOT NULL,
    status TEXT NOT NULL, not_after INTEGER, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS nonces (
    key TEXT NOT NULL, nonce TEXT NOT NULL, seen_at REAL NOT NULL, PRIMARY KEY (key, nonce)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS nonces_by_time ON nonces (seen_at);
CREATE TABLE IF NOT EXISTS instances (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL,
    name {_TEXT.format("name")}, status TEXT NOT NULL, vcpus INTEGER NOT NULL, memory_mb INTEGER NOT NULL,
    disk_gb INTEGER NOT NULL, image {_TEXT.format("image")}, formfile {_TEXT.format("formfile")},
    max_price_hour REAL, price_hour TEXT NOT NULL, version INTEGER NOT NULL,
    created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS instances_by_owner ON instances (owner, seq);
CREATE TABLE IF NOT EXISTS tags (
    instance TEXT NOT NULL, tag {_TEXT.format("tag")}, PRIMARY KEY (instance, tag)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS snapshots (
    id TEXT PRIMARY KEY, instance TEXT NOT NULL, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS grants (
    instance TEXT NOT NULL, address TEXT NOT NULL, level TEXT NOT NULL, created_at REAL NOT NULL,
    PRIMARY KEY (instance, address)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS grants_by_address ON grants (address, instance);
CREATE TABLE IF NOT EXISTS transfers (
    id TEXT PRIMARY KEY, instance TEXT NOT NULL, sender TEXT NOT NULL, receiver TEXT NOT NULL,
    status TEXT NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS transfers_by_instance ON transfers (instance, status);
CREATE TABLE IF NOT EXISTS idempotency (
    account TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, instance TEXT NOT NULL,
    answer TEXT NOT NULL, PRIMARY KEY (account, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS operations (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, tool TEXT NOT NULL, status TEXT NOT NULL,
    result TEXT NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS dns_records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL,
    name TEXT NOT NULL, type TEXT NOT NULL, value TEXT NOT NULL, ttl INTEGER NOT NULL,
    created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS dns_by_tenant ON dns_records (tenant, seq);
CREATE TABLE IF NOT EXISTS audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
    subject TEXT NOT NULL);
"""


class Store:
    """One open database. Close it when done."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        # What a crash may lose is a demonstration's last second; the speed is wanted.
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "temp_store=MEMORY"):
            self._connection.execute(f"PRAGMA {pragma}").close()
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        self._connection.close()

    def one(self, sql: str, *values: object) -> sqlite3.Row | None:
        """The first row, or None."""
        row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: object) -> list[sqlite3.Row]:
        return self._connection.execute(sql, values).fetchall()

    def run(self, sql: str, *values: object) -> int:
        """How many rows the statement wrote."""
        return self._connection.execute(sql, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block's statements are kept, or, when it raises, none. Not to be nested."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
