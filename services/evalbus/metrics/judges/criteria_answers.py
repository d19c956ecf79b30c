"""A judge's answer about a list of criteria: which of them are met, and why."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from evalbus.characters import whole
from evalbus.metrics.base import UNPARSABLE
from evalbus.metrics.json_path import JsonPath
from evalbus.metrics.judges.answer_schema import EXPLANATION, closed_object
from evalbus.metrics.judges.parsers import Said
from evalbus.metrics.judges.verdicts import Unclear, beginning
from evalbus_schemas.base import JsonObject

CRITERIA_SCHEMA: Final[JsonObject] = closed_object(
    {
        "criteria": {
            "type": "array",
            "items": closed_object(
                {
                    "number": {"type": "integer"},
                    EXPLANATION: {"type": "string"},
                    "met": {"type": "boolean"},
                }
            ),
        }
    }
)
"""`{"criteria": [{"number": 1, "explanation": "…", "met": true}, …]}`"""

_CRITERIA: Final = JsonPath.parse("$.criteria")

_WORDS: Final = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a judge says of one criterion."""

    is_met: bool
    explanation: str = ""


def findings_in(said: Said, n_criteria: int) -> Sequence[Finding]:
    """One for each criterion, in their order.

    Raises Unclear unless the judge decided about every one of them, and about no other; a criterion may stand there
    twice if the judge says the same of it.
    """
    entries = said.value_at(_CRITERIA)
    if not isinstance(entries, list):
        raise Unclear(UNPARSABLE, "criteria in its JSON is no list")
    findings: dict[int, Finding] = {}
    for entry in entries:
        number, finding = _finding(entry)
        if findings.setdefault(number, finding).is_met != finding.is_met:
            raise Unclear(UNPARSABLE, f"criterion {number} is both met and not met")
    wanted = range(1, n_criteria + 1)
    if findings.keys() != set(wanted):
        missing = [str(number) for number in wanted if number not in findings]
        raise Unclear(
            UNPARSABLE,
            f"nothing about criterion {', '.join(missing)}"
            if missing
            else f"there are {n_criteria} criteria, and it decided about others as well",
        )
    return [findings[number] for number in wanted]


def _finding(entry: JsonValue) -> tuple[int, Finding]:
    if not isinstance(entry, dict):
        raise Unclear(UNPARSABLE, "an entry of its criteria is no object")
    explanation = entry.get(EXPLANATION)
    return _number(entry.get("number")), Finding(
        is_met=_decision(entry.get("met")),
        explanation=whole(explanation) if isinstance(explanation, str) else "",
    )


def _number(found: JsonValue) -> int:
    """Also one that is written as text."""
    if isinstance(found, str) and re.fullmatch(r"[0-9]{1,2}", found):
        return int(found)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    raise Unclear(UNPARSABLE, f"no number of a criterion: {beginning(repr(found))}")


def _decision(found: JsonValue) -> bool:
    """True or false, or a word for it."""
    decided = _WORDS.get(found.strip().casefold()) if isinstance(found, str) else found
    if not isinstance(decided, bool):
        raise Unclear(UNPARSABLE, f"neither met nor not: {beginning(repr(found))}")
    return decided
