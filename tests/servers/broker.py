"""A RabbitMQ as tests see it: an address for each vhost, and the management API to make one for each test."""

import json
import urllib.error
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

API_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Broker:
    """Reached at `host:port` by one user, who may do everything."""

    host: str
    port: int
    user: str
    password: str
    api_url: str
    scheme: str = "amqp"

    @classmethod
    def at(cls, amqp_url: str, api_url: str | None) -> Self:
        """A server somebody else runs; without `api_url` its management is looked for at port 15672."""
        parts = urlsplit(amqp_url)
        if parts.scheme not in ("amqp", "amqps") or parts.hostname is None:
            raise ValueError("EVALBUS_TEST_AMQP_URL: wanted amqp://user:password@host:port/")
        return cls(
            scheme=parts.scheme,
            host=parts.hostname,
            port=parts.port or (5672 if parts.scheme == "amqp" else 5671),
            user=unquote(parts.username or "guest"),
            password=unquote(parts.password or "guest"),
            api_url=(api_url or f"http://{parts.hostname}:15672").rstrip("/"),
        )

    def url(self, vhost: str = "/", *, user: str | None = None, password: str | None = None) -> str:
        name, secret = quote(user or self.user, safe=""), quote(password or self.password, safe="")
        return f"{self.scheme}://{name}:{secret}@{self.host}:{self.port}/{quote(vhost, safe='')}"

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Ask the management API below /api/; raises RuntimeError with what it answered."""
        request = urllib.request.Request(
            f"{self.api_url}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Basic "
                + b64encode(f"{self.user}:{self.password}".encode()).decode(),
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=API_TIMEOUT_SECONDS) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            raise RuntimeError(f"{method} /api/{path}: {error.code} {said}") from None
        return json.loads(text) if text else None

    def make_vhost(self, name: str) -> str:
        """A new vhost that the user may use; its URL is returned."""
        self.api("PUT", f"vhosts/{quote(name, safe='')}")
        self.allow(self.user, name)
        return self.url(name)

    def drop_vhost(self, name: str) -> None:
        self.api("DELETE", f"vhosts/{quote(name, safe='')}")

    def allow(
        self, user: str, vhost: str, *, configure: str = ".*", write: str = ".*", read: str = ".*"
    ) -> None:
        self.api(
            "PUT",
            f"permissions/{quote(vhost, safe='')}/{quote(user, safe='')}",
            {"configure": configure, "write": write, "read": read},
        )

    @property
    def version(self) -> str:
        return str(self.api("GET", "overview")["rabbitmq_version"])
