"""Whoever answers JSON with JSON at a URL, be it a model or a metric."""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field

from evalbus.errors import Invalid
from evalbus.models.answers import beginning, json_object
from evalbus.models.base import Call, Reach
from evalbus.models.call_logs import LOGGED_CHARACTERS_MAX
from evalbus.models.statuses import failure_of
from evalbus.outside.addresses import check_url, parse_url
from evalbus.outside.secret_names import SecretName
from evalbus_schemas.base import JsonObject

UrlText = Annotated[str, Field(min_length=1, max_length=2048)]


@dataclass(frozen=True, kw_only=True)
class HttpService:
    """One address that requests are posted to, with the named secret as bearer token."""

    url: str
    place: str
    """Host and port, for sentences."""
    endpoint: str
    """The same for whatever lies on that host: what limits and outages go by."""
    secret: SecretName | None

    @classmethod
    def at(cls, url: str, *, path: str = "", secret: SecretName | None) -> Self:
        """At a path below the URL; raises Invalid for a URL that cannot be, or that says more than a path."""
        try:
            target = parse_url(url)
        except Invalid as error:
            raise Invalid(f"url: {error.message}", error.data) from None
        if target.query_string or target.fragment:
            kind = "base URL" if path else "URL"
            raise Invalid(
                f"url: wanted a {kind} without ? and #: what stands there would be kept with the benchmark"
            )
        return cls(
            url=f"{str(target).rstrip('/')}{path}" if path else str(target),
            place=target.authority,
            endpoint=f"{target.scheme}://{target.host_subcomponent}:{target.port}",
            secret=secret,
        )

    def check(self, *, allow_private: bool) -> None:
        """Raises NotAllowed for an address that may not be reached."""
        check_url(self.url, allow_private=allow_private)

    async def ask(
        self,
        body: JsonObject,
        call: Call,
        reach: Reach,
        log: JsonObject,
        *,
        logged_characters: int = LOGGED_CHARACTERS_MAX,
    ) -> JsonObject:
        """The object that it answers with; so much of it as is said goes into the log, with the status.

        Raises CallFailed for every status but success, and Garbage for what is no object.
        """
        answer = await reach.post(
            self.url, body, secret=self.secret, timeout_seconds=call.timeout_seconds
        )
        log |= {"status": answer.status, "response": beginning(answer.body, logged_characters)}
        if not 200 <= answer.status < 300:
            raise failure_of(answer, place=self.place)
        return json_object(answer.body, place=self.place)
