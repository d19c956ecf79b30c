"""The two kinds of contract: what people and callers write (closed), and what services tell each other (open)."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue


class Closed(BaseModel):
    """Frozen and strict; an unknown field is an error, because a typing mistake must not pass in silence."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, validate_by_name=True
    )


class Open(BaseModel):
    """Frozen and strict; an unknown field is ignored, so that services of different age run side by side."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", allow_inf_nan=False, validate_by_name=True
    )


Moment = AwareDatetime
LabelText = Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x1f]*$")]
Labels = Annotated[
    dict[Annotated[LabelText, Field(min_length=1, max_length=63)], LabelText],
    Field(max_length=32),
]
JsonObject = dict[str, JsonValue]
