"""Benchmarks whose rows have published fields: question answering, summarization, annotation."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from evalbus.client.decoding import decoded
from evalbus.client.mapped_benchmark import MappedBenchmark
from evalbus.client.sample_fields import Transform
from evalbus.client.samples import Sample

if TYPE_CHECKING:
    from evalbus.client.synchronous import Client

_LIKED = {
    "like": True,
    "true": True,
    "dislike": False,
    "false": False,
    "not provided": None,
    "": None,
}


def points_by_description(rubrics: object) -> object:
    """`{"criteria": [{"description": d, "points": p}]}` as `{d: p}`, which may be there already."""
    found = decoded(rubrics)
    if (criteria := _criteria(found)) is None:
        return found
    points: dict[str, object] = {}
    for criterion in criteria:
        description = str(criterion["description"])
        if description in points:
            raise ValueError(f"two criteria are described as {description!r}")
        points[description] = criterion["points"]
    return points


def _criteria(rubrics: object) -> list[dict[str, object]] | None:
    if not isinstance(rubrics, dict):
        return None
    return cast("dict[str, list[dict[str, object]]]", rubrics).get("criteria")


def is_liked(said: object) -> bool | None:
    """What a person said, as a truth value; None when they did not."""
    if said is None or isinstance(said, bool):
        return said
    word = str(said).strip().lower()
    if word not in _LIKED:
        known = ", ".join(repr(each) for each in _LIKED if each)
        raise ValueError(f"{said!r} is neither like nor dislike (known: {known})")
    return _LIKED[word]


class _PublishedBenchmark(MappedBenchmark):
    """What a class of these says of its fields is the same for all of its benchmarks."""

    INPUTS: ClassVar[Sequence[str]]
    EXTRAS: ClassVar[Sequence[str]]
    NEW_NAMES: ClassVar[Mapping[str, str]] = {}
    TRANSFORMS: ClassVar[Mapping[str, Transform]] = {}

    def __init__(
        self,
        benchmark_id: str | int,
        *,
        samples: Sequence[Sample] | None = None,
        client: "Client | None" = None,
        **additional_info: object,
    ) -> None:
        super().__init__(
            benchmark_id,
            self.NEW_NAMES,
            self.TRANSFORMS,
            self.INPUTS,
            self.EXTRAS,
            samples=samples,
            client=client,
        )
        self.additional_info = dict(additional_info)


class QuestionAnsweringBenchmark(_PublishedBenchmark):
    """Inputs: `question`. Extras: `rubrics`, points by description, and `std_answer`."""

    INPUTS = ("question",)
    EXTRAS = ("rubrics", "std_answer")
    TRANSFORMS = {"rubrics": points_by_description}


class SummarizationBenchmark(_PublishedBenchmark):
    """Inputs: `source`. Extras: `key_facts`, `style_rubrics`, `format_rubrics`.

    The rows call the first two `source_text` and `source_keyfacts`; the rubrics may be shared by all rows.
    """

    INPUTS = ("source_text",)
    EXTRAS = ("source_keyfacts", "style_rubrics", "format_rubrics")
    NEW_NAMES = {"source_text": "source", "source_keyfacts": "key_facts"}


class AnnotationBenchmark(_PublishedBenchmark):
    """Inputs: `all_inputs`. Extras: `previous_outputs`, `desired_outputs`, `feedback`, `liked`, `simulation_config`.

    `liked` is True, False, or None where nobody said. Text that is JSON, or a value as Python writes it, is taken apart.
    """

    INPUTS = ("agent_inputs",)
    EXTRAS = (
        "agent_outputs",
        "desired_outputs",
        "feedback",
        "liked",
        "serialized_simulation_config",
    )
    NEW_NAMES = {
        "agent_inputs": "all_inputs",
        "agent_outputs": "previous_outputs",
        "serialized_simulation_config": "simulation_config",
    }
    TRANSFORMS = {
        "agent_inputs": decoded,
        "agent_outputs": decoded,
        "desired_outputs": decoded,
        "liked": is_liked,
        "serialized_simulation_config": decoded,
    }
