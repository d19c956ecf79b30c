"""What ROUGE-Lsum counts: the words of a reference that are in a longest common subsequence with some line."""

from collections.abc import Iterator, Mapping, Sequence

Line = Sequence[int]
"""A line of text as a number for each word."""


def union_lcs(reference: Sequence[Line], candidate: Sequence[Line]) -> Iterator[int]:
    """The words of every reference line that its longest common subsequences with the candidate's lines hold.

    Of several longest ones it is that of the rouge-score package, because the union depends on it.
    """
    candidates = [(line, frozenset(line)) for line in candidate]
    for line in reference:
        where = _places_by_word(line)
        places: set[int] = set()
        for other, words in candidates:
            if not words.isdisjoint(where):
                places.update(_lcs_places(line, where, other))
        yield from (line[place] for place in places)


def _places_by_word(line: Line) -> dict[int, int]:
    """For each word an integer whose bits are the places where it stands."""
    where: dict[int, int] = {}
    for place, word in enumerate(line):
        where[word] = where.get(word, 0) | 1 << place
    return where


def _lcs_places(left: Line, where: Mapping[int, int], right: Line) -> Iterator[int]:
    """The places in `left` of one longest common subsequence, from the last to the first.

    The table of lengths is kept by columns, one bit for each step (Hyyrö, Bit-parallel LCS-length computation
    revisited, 2004): a bit is 0 where the length grows by one.
    """
    everywhere = (1 << len(left)) - 1
    column, columns = everywhere, list[int]()
    for word in right:
        if places := where.get(word):
            matched = column & places
            column = ((column + matched) | (column - matched)) & everywhere
        columns.append(column)
    rest = everywhere
    for word, column in zip(reversed(right), reversed(columns), strict=True):
        # Up to the next place that has the word or cannot be left out; in the latter case on with the next word.
        place = (rest & (where.get(word, 0) | ~column)).bit_length() - 1
        if place < 0:
            return
        if left[place] == word:
            yield place
            rest = (1 << place) - 1
        else:
            rest = (2 << place) - 1
