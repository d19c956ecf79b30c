"""A private, real Postgres in one folder: for whoever has no database server and should not need one."""

from evalbus.store.embedded.server import EmbeddedPostgres, connect_running, shared

__all__ = ["EmbeddedPostgres", "connect_running", "shared"]
