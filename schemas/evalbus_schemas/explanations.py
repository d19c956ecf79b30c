"""What the stored rows of a job say about its scores: in words a person can read, and numbers a program can use."""

from evalbus_schemas.base import Open


class DatasetExplanation(Open):
    """What the data says, whatever the metrics."""

    score_id: str
    dataset_id: str


class ScoreExplanation(Open):
    """What goes with low values of one score on one dataset."""

    score_id: str
    dataset_id: str


class Explanations(Open):
    """Computed from the stored rows alone: the same rows give the same explanations."""

    metric_independent: tuple[DatasetExplanation, ...]
    metric_dependent: tuple[ScoreExplanation, ...]
