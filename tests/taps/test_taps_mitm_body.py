"""A body's copy gives back every chunk, and keeps no more than it may."""

from hypothesis import given
from hypothesis import strategies as st

from shadow.taps.mitm_body import Allowance, BodyCopy

_chunks = st.lists(st.binary(max_size=20), max_size=12)


@given(_chunks, st.integers(0, 100), st.integers(0, 100))
def test_a_copy_is_a_prefix_within_both_limits(chunks: list[bytes], max_bytes: int, left_bytes: int) -> None:
    allowance = Allowance(left_bytes)
    copy = BodyCopy(allowance, max_bytes)
    assert [copy(chunk) for chunk in chunks] == chunks
    body = b"".join(chunks)
    limit = min(max_bytes, left_bytes)
    assert copy.content() == body[:limit]
    assert copy.is_cut == (len(body) > limit)
    assert allowance.left_bytes == left_bytes - len(copy.content())


@given(_chunks, _chunks)
def test_a_closed_copy_has_given_its_allowance_back_and_takes_no_more(
    chunks: list[bytes], later: list[bytes]
) -> None:
    allowance = Allowance(1000)
    copy = BodyCopy(allowance, 1000)
    for chunk in chunks:
        copy(chunk)
    copy.close()
    copy.close()
    assert [copy(chunk) for chunk in later] == later
    assert (copy.content(), allowance.left_bytes) == (b"", 1000)


@given(_chunks)
def test_a_timed_copy_knows_when_its_parts_came(chunks: list[bytes]) -> None:
    copy = BodyCopy(Allowance(1000), 1000)
    copy.is_timed = True
    times, size = list[float | None](), 0
    for chunk in chunks:
        copy(chunk)
        size += len(chunk)
        times.append(copy.time_of(size) if size else None)
    assert copy.time_of(size + 1) is None
    seen = [time for time in times if time is not None]
    assert len(seen) == len(times) - sum(not any(chunks[: at + 1]) for at in range(len(chunks)))
    assert seen == sorted(seen)


def test_a_chunk_that_cannot_be_kept_still_passes() -> None:
    class Odd(bytes):
        def __len__(self) -> int:
            raise MemoryError

        def __bool__(self) -> bool:
            return True

    chunk = Odd(b"x")
    copy = BodyCopy(Allowance(10), 10)
    assert copy(chunk) is chunk
    assert copy.is_cut
