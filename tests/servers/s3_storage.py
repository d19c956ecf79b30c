"""S3 as far as moto plays it, behind a door: buckets of the owner's alone, hours without service, slow requests."""

from collections.abc import Callable, Iterable
from threading import Event, Lock, Thread
from typing import Any, Self
from urllib.request import Request, urlopen

import boto3  # type: ignore[import-untyped]  # it has no types
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

KEY, SECRET = "the-key", "the-secret"

Environment = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class S3Storage:
    """On 127.0.0.1; a context manager. Its buckets are those of the process, so one is opened at a time."""

    def __init__(self) -> None:
        self.closed_buckets: set[str] = set()
        """Nobody but the owner may do anything with these."""
        self.breaks_left = 0
        """So many requests are answered with 503."""
        self.holds: Callable[[str, str], bool] = lambda _method, _url: False
        """Which requests wait until `held` is over."""
        self.held = Event()
        self.is_waiting = Event()
        """Somebody does."""
        self.requests: list[str] = []
        """Method, path and query of each."""
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = Lock()

    def __enter__(self) -> Self:
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=MotoRequestHandler
        )
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self._client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.held.set()
        # Whoever comes next in this process begins with nothing.
        urlopen(Request(f"{self.url}/moto-api/reset", method="POST")).close()
        self._client.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def add_bucket(self, name: str, *, is_closed: bool = True) -> None:
        self._client.create_bucket(Bucket=name)
        if is_closed:
            self.closed_buckets.add(name)

    def put(self, bucket: str, name: str, content: bytes) -> None:
        self._client.put_object(Bucket=bucket, Key=name, Body=content)

    def objects(self, bucket: str) -> dict[str, bytes]:
        found = self._client.list_objects_v2(Bucket=bucket).get("Contents", ())
        return {each["Key"]: self._content(bucket, each["Key"]) for each in found}

    def begin(self, bucket: str, name: str) -> str:
        """Parts of an object that nobody goes on with."""
        upload: str = self._client.create_multipart_upload(Bucket=bucket, Key=name)["UploadId"]
        return upload

    def unfinished(self, bucket: str) -> list[str]:
        """The names of the objects that somebody has begun to write."""
        found = self._client.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
        return [each["Key"] for each in found]

    def _content(self, bucket: str, name: str) -> bytes:
        content: bytes = self._client.get_object(Bucket=bucket, Key=name)["Body"].read()
        return content

    def _answer(self, environment: Environment, start: StartResponse) -> Iterable[bytes]:
        url = environment["PATH_INFO"] + "?" + environment["QUERY_STRING"]
        method: str = environment["REQUEST_METHOD"]
        who = environment.get("HTTP_AUTHORIZATION", "")
        self.requests.append(f"{method} {url}")
        if url.split("/")[1] in self.closed_buckets and f"Credential={KEY}/" not in who:
            return _refuse(
                environment, start, "403 Forbidden", "InvalidAccessKeyId" if who else "AccessDenied"
            )
        if self.holds(method, url):
            self.is_waiting.set()
            self.held.wait(60)
        with self._lock:
            is_broken = self.breaks_left > 0
            self.breaks_left -= is_broken
        if is_broken:
            return _refuse(environment, start, "503 Service Unavailable", "ServiceUnavailable")
        answer: Iterable[bytes] = self._moto(environment, start)
        return answer


def _refuse(
    environment: Environment, start: StartResponse, status: str, code: str
) -> Iterable[bytes]:
    # Whoever is answered without being listened to takes it for a broken connection.
    environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0))
    body = f"<Error><Code>{code}</Code><Message>no, {KEY}</Message></Error>".encode()
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]
