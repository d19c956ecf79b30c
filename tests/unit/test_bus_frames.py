"""What crosses the wire to RabbitMQ: our messages whole, and nothing that ends a connection."""

from datetime import UTC, datetime
from typing import cast

import pamqp.frame
from aiormq.abc import AbstractChannel, DeliveredMessage
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from evalbus.bus.base import Message
from evalbus.bus.rabbitmq.guard import UNREADABLE, readable
from evalbus.bus.rabbitmq.wire import fault_of, from_queue, properties_of, read
from evalbus.bus.topology import START_QUEUE
from tests.buses import a_message

HEAD_BYTES = 7


def delivered(frame: bytes, body: bytes) -> DeliveredMessage:
    """The message that a content header frame and its body make."""
    _, _, header = pamqp.frame.unmarshal(frame)
    assert isinstance(header, ContentHeader)
    return DeliveredMessage(
        delivery=Basic.Deliver(routing_key="benchmark.start", delivery_tag=1),
        header=header,
        body=body,
        channel=cast(AbstractChannel, None),  # nothing here looks at it
    )


def framed(properties: Basic.Properties, body_size: int = 0) -> bytes:
    return pamqp.frame.marshal(ContentHeader(body_size=body_size, properties=properties), 7)


def over_the_wire(message: Message) -> Message:
    frame = framed(properties_of(message), len(message.body))
    guarded = readable(frame[:HEAD_BYTES], frame[HEAD_BYTES:])
    return read(delivered(guarded, message.body))


texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)
short_texts = texts.filter(bool)


@settings(deadline=None)
@given(
    id=short_texts,
    type=short_texts,
    source=texts,
    subject=st.none() | texts,
    time=st.none() | st.datetimes(timezones=st.just(UTC)),
    correlation_id=st.none() | short_texts,
    traceparent=st.none() | texts,
    attempt=st.integers(1, 1_000_000),
    is_persistent=st.booleans(),
    content_type=texts,
    headers=st.dictionaries(
        texts.filter(lambda name: name.startswith("h") and len(name.encode()) <= 100), texts
    ),
)
def test_a_message_of_ours_arrives_as_it_was_sent(
    id: str,
    type: str,
    source: str,
    subject: str | None,
    time: datetime | None,
    correlation_id: str | None,
    traceparent: str | None,
    attempt: int,
    is_persistent: bool,
    content_type: str,
    headers: dict[str, str],
) -> None:
    message = Message(
        body=b"body",
        id=id,
        type=type,
        source=source,
        subject=subject,
        time=time,
        correlation_id=correlation_id,
        traceparent=traceparent,
        attempt=attempt,
        is_persistent=is_persistent,
        content_type=content_type,
        headers=headers,
        routing_key="benchmark.start",
        body_bytes=4,
    )

    assert over_the_wire(message) == message


def test_a_header_that_can_be_read_passes_untouched() -> None:
    frame = framed(properties_of(a_message()), 12345)

    assert readable(frame[:HEAD_BYTES], frame[HEAD_BYTES:]) == frame


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, 2**40))
def test_whatever_a_header_holds_the_library_can_read_what_is_passed_on(
    garbage: bytes, body_size: int
) -> None:
    payload = (60).to_bytes(2, "big") + bytes(2) + body_size.to_bytes(8, "big") + garbage
    head = b"\x02" + (7).to_bytes(2, "big") + len(payload).to_bytes(4, "big")

    passed_on = readable(head, payload + b"\xce")

    _, channel, header = pamqp.frame.unmarshal(passed_on)
    assert isinstance(header, ContentHeader)
    assert (channel, header.body_size) == (7, body_size)
    from_queue(delivered(passed_on, b""), START_QUEUE, body_bytes_max=1000)


def test_what_could_not_be_read_says_so_to_whoever_settles_it() -> None:
    payload = (60).to_bytes(2, "big") + bytes(2) + (4).to_bytes(8, "big") + b"\x20"
    head = b"\x02" + (7).to_bytes(2, "big") + len(payload).to_bytes(4, "big")

    message = delivered(readable(head, payload + b"\xce"), b"body")

    fault = fault_of(message)
    assert fault is not None
    assert fault.reason == "unreadable_headers"
    assert UNREADABLE not in read(message).headers


def test_an_expiry_below_a_millisecond_is_still_one() -> None:
    assert properties_of(a_message(expires_seconds=0.0001)).expiration == "1"
