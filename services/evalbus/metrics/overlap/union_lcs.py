"""What ROUGE-Lsum counts: the words of a reference that are in a longest common subsequence with some line."""

from collections.abc import Iterator, Sequence

Line = Sequence[int]
"""A line of text as a number for each word."""


def union_lcs(reference: Sequence[Line], candidate: Sequence[Line]) -> Iterator[int]:
    """The words of every reference line that its longest common subsequences with the candidate's lines hold.

    Of several longest ones it is that of the rouge-score package, because the union depends on it.
    """
    for line in reference:
        places: set[int] = set()
        for other in candidate:
            places.update(_lcs_places(line, other))
        yield from (line[place] for place in places)


def _lcs_places(left: Line, right: Line) -> Iterator[int]:
    """The places in `left` of one longest common subsequence, from the last to the first.

    The table of lengths is kept by columns, one bit for each step (Hyyrö, Bit-parallel LCS-length computation
    revisited, 2004): a bit is 0 where the length grows by one.
    """
    where: dict[int, int] = {}
    for place, word in enumerate(left):
        where[word] = where.get(word, 0) | 1 << place
    everywhere = (1 << len(left)) - 1
    column, columns = everywhere, [everywhere]
    for word in right:
        matched = column & where.get(word, 0)
        column = ((column + matched) | (column - matched)) & everywhere
        columns.append(column)
    i, j = len(left), len(right)
    while i and j:
        if left[i - 1] == right[j - 1]:
            i, j = i - 1, j - 1
            yield i
        elif columns[j] >> (i - 1) & 1:
            i -= 1
        else:
            j -= 1
