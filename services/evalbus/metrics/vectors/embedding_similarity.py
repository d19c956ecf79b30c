"""How alike two texts are to a model that turns texts into vectors."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from pydantic import Field, JsonValue

from evalbus.errors import Invalid
from evalbus.metrics.base import (
    UNPARSABLE,
    Batch,
    Columns,
    LiveMetric,
    Note,
    ScoreDeclaration,
    missing_notes,
    with_gaps,
)
from evalbus.metrics.remote.requests import sendable
from evalbus.metrics.vectors.cosine import Vector, cosine, read_vector
from evalbus.models.answers import Garbage, tokens
from evalbus.models.base import CacheMode, Call, Price, Reach, Reply, Respondent
from evalbus.models.call_logs import logged_call, logged_object
from evalbus.models.http_service import HttpService, UrlText
from evalbus.models.parameters import PricePerMillion
from evalbus.outside.secret_names import SecretName
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits

EMPTY_TEXT: Final = "empty_text"

PATH: Final = "/embeddings"
LOGGED_CHARACTERS: Final = 200
"""Of an answer: the rest is digits of vectors that nobody reads."""


class EmbeddingPrice(Closed):
    """What a million tokens cost; an embedding has none of its own."""

    input_per_million: PricePerMillion


class EmbeddingModel(Closed):
    """An OpenAI-compatible endpoint, and which of its models."""

    url: Annotated[
        UrlText,
        Field(
            description="The base URL, to which /embeddings is added.",
            examples=["http://127.0.0.1:8000/v1"],
        ),
    ]
    model: Annotated[
        str, Field(min_length=1, max_length=255, description="How the endpoint calls it.")
    ]
    api_key_secret: Annotated[SecretName | None, Field(exclude=True)] = None
    price: Annotated[EmbeddingPrice | None, Field(exclude=True)] = None
    cache: Annotated[
        CacheMode,
        Field(
            exclude=True,
            description="Whether similarities are kept for other jobs and taken from them.",
        ),
    ] = "on"


class EmbeddingSimilarity(LiveMetric):
    """The cosine similarity of answer and reference in the eyes of an embedding model: 1 for the same direction, 0 for none in common.

    Both texts go into one request. A text of nothing but white space has no embedding and is not asked about
    (`empty_text`), nor is null (`no_candidate`, `no_reference`). Vectors of different length are `unparsable`, and one
    of zeros has no direction (`zero_vector`). Values of different models cannot be compared: many models never go
    far below 0.5.

    What is kept of an answer is the similarity, not the vectors.

    >>> from evalbus.testing import score_row
    >>> plugin = {
    ...     "type": "embedding-similarity",
    ...     "model": {"url": "https://models.example/v1", "model": "small-embedding"},
    ...     "reference": "{{ item.answer }}",
    ... }
    >>> score_row(plugin, item={"answer": "Paris"}, output_text="It is Paris.", answers=[{"similarity": 0.8125}])
    {'embedding-similarity': 0.8125}
    """

    formula = (
        "a · b / (|a| |b|) of the two embeddings, the products added without rounding in between."
    )
    source = "The model behind `model.url`; cosine similarity as in Salton, Wong and Yang 1975."

    class Parameters(Closed):
        model: Annotated[
            EmbeddingModel, Field(description="Whom to ask for the embeddings of both texts.")
        ]
        reference: TemplateText
        candidate: TemplateText = "{{ sample.output_text }}"

    scores = (
        ScoreDeclaration(
            name="embedding-similarity", direction="higher", minimum=-1.0, maximum=1.0
        ),
    )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._reference = compile_template(parameters.reference, characters_max=most)
        self._candidate = compile_template(parameters.candidate, characters_max=most)
        self.respondents = (EmbeddingService(parameters.model),)

    def templates(self) -> Mapping[str, Template]:
        return {"reference": self._reference, "candidate": self._candidate}

    def questions(self, batch: Batch) -> Sequence[Sequence[JsonObject | None]]:
        not_asked = self._not_asked(batch)
        references, candidates = batch.texts(self._reference), batch.texts(self._candidate)
        requests: list[JsonObject | None] = [
            None if row in not_asked else {"input": [candidate, reference]}
            for row, (candidate, reference) in enumerate(zip(candidates, references, strict=True))
        ]
        return [(request,) for request in sendable(requests)]

    def score(self, batch: Batch) -> Columns:
        notes = self._not_asked(batch)
        values: list[float] = []
        for row, (answer,) in enumerate(batch.answers):
            found = 0.0 if row in notes else _similarity(answer)
            if isinstance(found, Note):
                notes[row] = found
            values.append(0.0 if isinstance(found, Note) else found)
        return Columns(values=(with_gaps(values, notes),), notes=notes)

    def _not_asked(self, batch: Batch) -> dict[int, Note]:
        """Why there is nothing to ask about some of the rows."""
        references, candidates = batch.texts(self._reference), batch.texts(self._candidate)
        notes = missing_notes(references, candidates)
        for name, texts in (("reference", references), ("candidate", candidates)):
            for row, text in enumerate(texts):
                if text is not None and not text.strip():
                    notes.setdefault(row, Note(code=EMPTY_TEXT, message=f"{name} is empty"))
        return notes


class EmbeddingService(Respondent):
    """The endpoint of `embedding-similarity`; its sample is `{"similarity": …}`, or `{"code": …, "message": …}`."""

    def __init__(self, parameters: EmbeddingModel) -> None:
        """Raises Invalid for a URL that cannot be."""
        try:
            self._service = HttpService.at(
                parameters.url, path=PATH, secret=parameters.api_key_secret
            )
        except Invalid as error:
            raise Invalid(f"model.{error.message}", error.data) from None
        self._model = parameters.model
        self.endpoint = self._service.endpoint
        self.price = (
            None
            if parameters.price is None
            else Price(input_per_million=parameters.price.input_per_million, output_per_million=0.0)
        )
        self.cache = parameters.cache

    def check(self, *, allow_private: bool) -> None:
        self._service.check(allow_private=allow_private)

    def identity(self) -> JsonObject:
        return {
            "type": "embedding-similarity",
            "version": EmbeddingSimilarity.version,
            "url": self._service.url,
            "model": self._model,
        }

    async def ask(self, request: JsonObject, call: Call, reach: Reach) -> Reply:
        body: JsonObject = {"model": self._model, "encoding_format": "float", **request}
        with logged_call(url=self._service.url, body=logged_object(body)) as log:
            response = await self._service.ask(
                body, call, reach, log, logged_characters=LOGGED_CHARACTERS
            )
            return Reply(
                sample=self._sample(response),
                input_tokens=tokens(response.get("usage"), "prompt_tokens"),
                log=log,
            )

    def _sample(self, response: JsonObject) -> JsonObject:
        match response:
            # In any order: it is as far from one to the other as back.
            case {"data": [{"embedding": one}, {"embedding": other}]}:
                found = cosine(self._vector(one), self._vector(other))
            case _:
                raise Garbage(f"{self._service.place} answered with no embeddings of two texts")
        if isinstance(found, Note):
            return {"code": found.code, "message": found.message}
        return {"similarity": found}

    def _vector(self, given: JsonValue) -> Vector:
        found = read_vector(given, name="an embedding")
        if isinstance(found, Note):
            raise Garbage(f"{self._service.place} answered, but {found.message}")
        return found


def _similarity(answer: JsonObject | None) -> float | Note:
    match answer:
        case {"similarity": int() | float() as value}:
            return float(value)
        case {"code": str(code), "message": str(message)}:
            return Note(code=code, message=message)
        case _:
            return Note(code=UNPARSABLE, message="the answer has no similarity")
