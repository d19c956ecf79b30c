"""What the exit code says, and which error gives which."""

from enum import IntEnum

from evalbus.errors import EvalbusError, Invalid, TransientError, WrongSettings
from evalbus_schemas.jobs import Job, JobStatus


class Exit(IntEnum):
    OK = 0
    REFUSED = 1
    """Refused, not found, or the job ended in error or was cancelled."""
    WRONG_ARGUMENTS = 2
    """Or a wrong benchmark file."""
    FAILED_ROWS = 3
    """The job completed, with failed rows."""
    UNREACHABLE = 69
    WRONG_SETTINGS = 78


class Stopped(Exception):
    """A signal ended the command after it had cleaned up; the exit code is 128 plus the signal's number."""

    def __init__(self, signal: int) -> None:
        super().__init__(f"stopped by signal {signal}")
        self.code = 128 + signal


def exit_of_error(error: EvalbusError) -> Exit:
    match error:
        case TransientError():
            return Exit.UNREACHABLE
        case WrongSettings():
            return Exit.WRONG_SETTINGS
        case Invalid():
            return Exit.WRONG_ARGUMENTS
        case _:
            return Exit.REFUSED


def exit_of_job(job: Job) -> Exit:
    """For whoever waited until the job ended."""
    if job.status is not JobStatus.COMPLETED:
        return Exit.REFUSED
    return Exit.FAILED_ROWS if job.failed_rows else Exit.OK
