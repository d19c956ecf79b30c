"""How many failed rows a benchmark bears: one answer, while a job runs and at its end."""


def too_many_failed(*, failed: int, of: int, ratio: float | None) -> str | None:
    """Why the job ends in error, in words; None while `failed` rows of so many are borne, or there is no limit."""
    if ratio is None or failed <= ratio * of:
        return None
    return f"{failed} of {of} rows failed, more than max_row_error_ratio {ratio:g}"
