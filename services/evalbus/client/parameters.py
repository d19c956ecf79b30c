"""What a caller gave, as the parameters of a method: refused here already when it cannot be right."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from evalbus.errors import Invalid
from evalbus.validation import describe

T = TypeVar("T", bound=BaseModel)


def parameters(model: type[T], given: Mapping[str, object]) -> T:
    """Raises Invalid in the words that the service would use; what is None takes the default."""
    present = {key: value for key, value in given.items() if value is not None}
    try:
        return model.model_validate_json(to_json(present))
    except PydanticSerializationError as error:
        raise Invalid(f"what was given cannot be written as JSON: {error}") from None
    except ValidationError as error:
        raise Invalid("; ".join(describe(error, model))) from None
