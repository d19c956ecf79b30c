"""What was stored a moment ago is remembered for as many uses as it will have, within a limit."""

from evalbus.store.postgres.recent_lines import RecentLines


def test_lines_are_forgotten_with_their_last_use() -> None:
    recent = RecentLines()
    recent.put(b"lines", job_no=1, dataset_no=0, first_row=0, uses=2)

    found = [recent.take(job_no=1, dataset_no=0, first_row=0) for _ in range(3)]

    assert found == [b"lines", b"lines", None]


def test_lines_of_another_job_dataset_or_row_are_not_found() -> None:
    recent = RecentLines()
    recent.put(b"lines", job_no=1, dataset_no=0, first_row=0, uses=1)

    assert recent.take(job_no=2, dataset_no=0, first_row=0) is None
    assert recent.take(job_no=1, dataset_no=1, first_row=0) is None
    assert recent.take(job_no=1, dataset_no=0, first_row=1) is None


def test_the_oldest_go_when_there_are_too_many_bytes() -> None:
    recent = RecentLines(bytes_max=25)
    for first_row in range(4):
        recent.put(b"x" * 10, job_no=1, dataset_no=0, first_row=first_row, uses=1)

    found = [recent.take(job_no=1, dataset_no=0, first_row=i) is not None for i in range(4)]

    assert found == [False, False, True, True]


def test_room_is_given_back_with_the_last_use() -> None:
    recent = RecentLines(bytes_max=25)
    for first_row in range(10):
        recent.put(b"x" * 20, job_no=1, dataset_no=0, first_row=first_row, uses=1)

        assert recent.take(job_no=1, dataset_no=0, first_row=first_row) is not None


def test_lines_larger_than_the_limit_are_not_kept() -> None:
    recent = RecentLines(bytes_max=25)
    recent.put(b"small", job_no=1, dataset_no=0, first_row=0, uses=1)

    recent.put(b"x" * 26, job_no=1, dataset_no=0, first_row=1, uses=1)

    assert recent.take(job_no=1, dataset_no=0, first_row=1) is None
    assert recent.take(job_no=1, dataset_no=0, first_row=0) == b"small"
