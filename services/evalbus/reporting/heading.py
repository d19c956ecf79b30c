"""What was run, when, and how much of it there is; of a job without a result, that first of all."""

from collections.abc import Sequence
from datetime import datetime

from evalbus.reporting.lines import Line, grouped
from evalbus.reporting.material import Material
from evalbus.reporting.parts import Part, figures, sentences
from evalbus.writing.tables import Cell, Table
from evalbus.writing.times import duration, moment
from evalbus_schemas.jobs import Job, JobStatus


def notice(material: Material) -> str | None:
    """Why this is not a whole report; None where it is one."""
    job = material.job
    if job is None:
        return "The job was deleted with its rows: this is what its result says."
    rows = (
        f"{job.rows} of {job.rows_total} rows" if job.rows_total is not None else f"{job.rows} rows"
    )
    match job.status:
        case JobStatus.COMPLETED:
            if material.result:
                return None
            return "The job completed, but its result was deleted: this is what its rows say."
        case JobStatus.ERROR:
            cause = f"{job.error.message} ({job.error.code})" if job.error else "no cause is known"
            return (
                f"PARTIAL: the job ended in error: {cause}. It has no result; {rows} were scored."
            )
        case JobStatus.CANCELLED:
            return f"PARTIAL: the job was cancelled. It has no result; {rows} were scored."
        case _:
            return f"PARTIAL: the job is {job.status.value}. It has no result yet; {rows} were scored so far."


def facts(material: Material) -> Sequence[Part]:
    job, result = material.job, material.result
    known = result or job
    assert known, "there is a job, a result, or both"
    rows: list[tuple[Cell, ...]] = [
        ("benchmark", known.benchmark),
        ("about", _about(material)),
        ("status", job.status.value if job else "completed"),
        ("started", _utc(known.started_at)),
        ("finished", _utc(known.finished_at)),
        ("took", _took(known.started_at, known.finished_at)),
        ("rows", _rows(job, known.rows)),
        ("failed", _failed(known.failed_rows, known.rows)),
        ("labels", ", ".join(f"{name}={value}" for name, value in known.labels.items())),
    ]
    said = [row for row in rows if row[1]]
    return figures("The run", Table(columns=("", material.name), rows=said))


def summary(material: Material, lines: Sequence[Line]) -> Sequence[Part]:
    """A sentence for each dataset."""
    texts: list[str] = []
    for dataset in dict.fromkeys(line.dataset for line in lines):
        of = [line for line in lines if line.dataset == dataset]
        models = len({line.model for line in of})
        rows = max(line.rows for line in of)
        best = "; ".join(filter(None, (_best(group) for group in grouped(of))))
        scored = f"{dataset}: {rows} rows" + (f" for each of {models} models" if models > 1 else "")
        texts.append(f"{scored}. {best}." if best else f"{scored}.")
    return sentences(*texts)


def _best(group: Sequence[Line]) -> str:
    """Which models are ahead in a score, if one is better than another; else what each has."""
    name, direction = group[0].name, group[0].direction
    known = [(line.score.mean, line.model) for line in group if line.score.mean is not None]
    if not known:
        return f"{name} has no value"
    if len(group) == 1:
        return f"{name} is {known[0][0]:.4f}"
    if direction == "none":
        return f"{name} is {_values(known)}"
    best = max(known)[0] if direction == "higher" else min(known)[0]
    ahead = " and ".join(model for mean, model in known if mean == best)
    rest = [(mean, model) for mean, model in known if mean != best]
    others = f" (others: {_values(rest)})" if rest else ""
    return f"{name} is best for {ahead} with {best:.4f}{others}"


def _values(known: Sequence[tuple[float, str]]) -> str:
    return ", ".join(f"{mean:.4f} for {model}" for mean, model in known)


def _about(material: Material) -> str | None:
    return material.head.benchmark_metadata.description if material.head else None


def _utc(when: datetime | None) -> str | None:
    return None if when is None else f"{moment(when)} UTC"


def _took(start: datetime | None, end: datetime | None) -> str | None:
    return None if start is None or end is None else duration((end - start).total_seconds())


def _rows(job: Job | None, rows: int) -> str:
    if job and job.rows_total is not None and job.rows_total != rows:
        return f"{rows} of {job.rows_total}, counted once for each model"
    return f"{rows}, counted once for each model"


def _failed(failed: int, rows: int) -> str:
    return f"{failed} ({failed * 100 / rows:.2g} %)" if rows and failed else str(failed)
