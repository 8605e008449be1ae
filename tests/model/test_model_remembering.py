from shadow.model import Headers
from shadow.model.remembering import by_headers


def test_what_was_worked_out_once_is_remembered_for_the_latest() -> None:
    asked: list[Headers] = []

    def count(headers: Headers) -> int:
        asked.append(headers)
        return len(headers)

    remembered = by_headers(count, entries=2)
    lines: list[Headers] = [((b"a", b"%d" % n),) for n in range(3)]
    assert [remembered(each) for each in (lines[0], lines[0], lines[1], lines[2], lines[1], lines[0])] == [
        1
    ] * 6
    assert asked == [lines[0], lines[1], lines[2], lines[0]]


def test_long_fields_are_worked_out_each_time() -> None:
    asked: list[Headers] = []
    remembered = by_headers(asked.append)
    long: Headers = ((b"a", b"x" * 5000),)
    remembered(long)
    remembered(long)
    assert asked == [long, long]
