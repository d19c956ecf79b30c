"""The messages that the bus itself makes of others: delayed ones, dead letters, answers, arrived ones."""

import pytest

from evalbus.bus.arrival import BODY_BYTES_KEPT, arrived
from evalbus.bus.detours import come_back, dead_letter, note_of
from evalbus.bus.policy import SetAside
from evalbus.bus.replies import is_reply_address, reply
from evalbus.bus.topology import DEAD_QUEUE, SCORED_QUEUE, START_QUEUE, TIERS
from tests.buses import a_message


def test_a_dead_letter_says_where_it_came_from_and_why() -> None:
    message = a_message(headers={"tenant": "north"}, routing_key="benchmark.start", attempt=3)

    outgoing = dead_letter(message, START_QUEUE, SetAside(reason="invalid", detail="no name"))
    letter = arrived(outgoing.message, DEAD_QUEUE, key=outgoing.key, body_bytes_max=1000)

    note = note_of(letter)
    assert (note.queue, note.reason, note.detail) == ("evalbus.commands", "invalid", "no name")
    assert letter.headers["tenant"] == "north"
    assert (letter.routing_key, letter.attempt) == ("benchmark.start", 3)


def test_a_dead_letter_without_a_note_is_read_all_the_same() -> None:
    note = note_of(a_message())

    assert (note.queue, note.reason, note.detail) == ("", "unknown", "")


def test_the_true_size_of_a_cut_body_survives_every_detour() -> None:
    once = arrived(a_message(b"x" * 200_000), START_QUEUE, key="k", body_bytes_max=100_000)

    delayed = come_back(once, START_QUEUE, TIERS[0], attempt=2)
    again = arrived(delayed.message, START_QUEUE, key=delayed.key, body_bytes_max=100_000)
    aside = dead_letter(again, START_QUEUE, SetAside(reason="too_large", detail=""))
    letter = arrived(aside.message, DEAD_QUEUE, key=aside.key, body_bytes_max=100_000)

    assert len(once.body) == BODY_BYTES_KEPT
    assert (once.body_bytes, again.body_bytes, letter.body_bytes) == (200_000,) * 3


@pytest.mark.parametrize("claimed", ["", "-1", "many", "１２", "9" * 100, "0"])
def test_a_size_that_makes_no_sense_is_not_believed(claimed: str) -> None:
    message = arrived(
        a_message(b"four", headers={"evalbus-body-bytes": claimed}),
        START_QUEUE,
        key="k",
        body_bytes_max=1000,
    )

    assert message.body_bytes == 4


def test_what_is_sent_on_a_detour_does_not_expire() -> None:
    message = a_message(expires_seconds=0.1, is_persistent=False)

    delayed = come_back(message, START_QUEUE, TIERS[1], attempt=2).message
    aside = dead_letter(message, START_QUEUE, SetAside(reason="invalid", detail="")).message

    for sent in (delayed, aside):
        assert sent.expires_seconds is None
        assert sent.is_persistent


@pytest.mark.parametrize(
    "address",
    [
        "amq.rabbitmq.reply-to.g1h2AA5y==.abc==",
        "amq.gen-Xa2",
        "amq_0123456789abcdef0123456789abcdef",
        "evalbus.reply.7",
    ],
)
def test_an_answer_goes_to_an_address_made_for_answers(address: str) -> None:
    request = a_message(reply_to=address, correlation_id="question-1")

    outgoing = reply(request, a_message(b"answer"))

    assert outgoing is not None
    assert (outgoing.exchange, outgoing.key) == ("", address)
    assert not outgoing.is_mandatory
    assert outgoing.message.correlation_id == "question-1"


@pytest.mark.parametrize(
    "address",
    [
        SCORED_QUEUE.name,
        "amq_xyz",
        "amq_0123456789ABCDEF0123456789ABCDEF",
        "amq_0123456789abcdef0123456789abcdef ",
        "amq_0123456789abcdef0123456789abcdef\n",
        "evalbus.reply.",
        "xevalbus.reply.7",
        "evalbus.reply." + "7" * 250,
        "",
    ],
)
def test_an_answer_goes_nowhere_else(address: str) -> None:
    outgoing = reply(a_message(reply_to=address), a_message(b"answer"))

    assert outgoing is None
    assert not is_reply_address(address)


def test_who_asked_without_a_correlation_id_is_answered_under_the_message_id() -> None:
    request = a_message(reply_to="evalbus.reply.7")

    outgoing = reply(request, a_message())

    assert outgoing is not None
    assert outgoing.message.correlation_id == request.id


def test_nobody_is_answered_who_did_not_ask() -> None:
    assert reply(a_message(), a_message()) is None
