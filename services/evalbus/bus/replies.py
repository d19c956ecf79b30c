"""Answers to whoever asked, and to nobody else."""

import re
from dataclasses import replace

from evalbus.bus.base import Message, Outgoing
from evalbus.bus.topology import REPLY_TO_PATTERN

_ADDRESS = re.compile(REPLY_TO_PATTERN.strip("^$"))


def reply(request: Message, answer: Message) -> Outgoing | None:
    """The answer on its way back; None when nobody asked for one.

    None as well for an address that is not made for replies: it could name a queue of the system.
    """
    if request.reply_to is None or not is_reply_address(request.reply_to):
        return None
    return Outgoing(
        message=replace(answer, correlation_id=request.correlation_id or request.id),
        exchange="",
        key=request.reply_to,
        is_mandatory=False,
    )


def is_reply_address(address: str) -> bool:
    return len(address) <= 255 and _ADDRESS.fullmatch(address) is not None
