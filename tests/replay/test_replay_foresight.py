"""The short way through rewriting gives what rewriting gives."""

from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Request, Response
from shadow.replay import Correlation, Target
from shadow.replay.aim import Aim
from shadow.replay.evidence import gather, may_tell
from shadow.replay.evidence_text import Asked as Evidently
from shadow.replay.foresight import Foresight
from shadow.replay.memory import is_notable
from shadow.replay.rewrite import rewrite

TARGET = Target("candidate", "http", "shadow.test", 80)
AIM = Aim(TARGET)
IDS = ("0f1e2d3c-4b5a-4968-8796-a5b4c3d2e1f0", "inst-4f9ac2b17d", "77", "sk9Qw3Zr8Xt2Lp5V")
WORDS = st.sampled_from((*IDS, "v1", "instances", "x", ""))
TARGETS = st.builds(
    lambda words, query: ("/" + "/".join(words) + query).encode(),
    st.lists(WORDS, max_size=4),
    st.sampled_from(
        ("", "?id=77", f"?instance={IDS[1]}&next=/instances/{IDS[0]}", "?u=http://live.test:80/x")
    ),
)
FIELDS = st.lists(
    st.tuples(
        st.sampled_from((b"Authorization", b"Cookie", b"X-Request-Id", b"If-Match", b"Referer", b"Accept")),
        st.one_of(
            st.sampled_from([each.encode() for each in IDS]),
            st.builds(lambda each: b"Bearer " + each.encode(), st.sampled_from(IDS)),
            st.builds(lambda each: b"sid=" + each.encode() + b"; a=b", st.sampled_from(IDS)),
            st.builds(lambda each: b'"' + each.encode() + b'"', st.sampled_from(IDS)),
            st.just(b"http://live.test:80/instances/77"),
        ),
    ),
    max_size=3,
).map(tuple)
REQUESTS = st.builds(Request, st.just(b"GET"), TARGETS, st.just(b"HTTP/1.1"), FIELDS)


class Asked:
    """Knows nothing, and writes down what it was asked."""

    place: tuple[str, object] = ("", "")

    def __init__(self) -> None:
        self.bare: set[str] = set()
        self.asked: set[tuple[str | None, str]] = set()
        self.noted: set[tuple[str | None, str]] = set()

    def find(self, text: str, kind: str | None) -> str | None:
        self.asked.add((kind, text))
        return None

    knows = find

    def find_bare(self, text: str) -> str | None:
        self.bare.add(text)
        return None

    def note(self, text: str, kind: str | None) -> None:
        if is_notable(text, kind):
            self.noted.add((kind, text))


@given(REQUESTS)
def test_what_is_foreseen_is_all_that_rewriting_asks_for(request: Request) -> None:
    foreseen = Foresight(AIM).of(request)
    lookup = Asked()
    made = rewrite(request, lookup, AIM)
    if foreseen is None:
        assert any(name == b"If-Match" for name, _ in request.headers)
        return
    assert made == request
    assert {key for part in foreseen for key in part.found} == lookup.asked
    assert {text for part in foreseen for text in part.bare} == lookup.bare
    assert {key for part in foreseen for key in part.noted} == lookup.noted


def test_what_speaks_of_the_live_service_is_not_foreseen() -> None:
    foresight = Foresight(Aim(TARGET, ("live.test:80",)))
    assert foresight.of(Request(b"GET", b"/", headers=((b"Referer", b"http://live.test/"),))) is None


@given(st.lists(st.tuples(REQUESTS, st.booleans()), max_size=6))
def test_translation_is_the_same_whether_it_was_asked_before_or_not(
    requests: list[tuple[Request, bool]],
) -> None:
    """A body, though an empty object, takes the long way."""
    short, long = Correlation(TARGET, ("live.test:80",)), Correlation(TARGET, ("live.test:80",))
    for number, (request, learns) in enumerate(requests):
        with_body = Request(request.method, request.target, request.version, request.headers, b"{}")
        made, other = short.translate(request, "s"), long.translate(with_body, "s")
        assert (made.target, made.headers) == (other.target, other.headers)
        if learns:
            live, ours = (
                Response(200, body=b'{"id":"%s","instance_id":%d}' % (IDS[0].encode(), n))
                for n in (77, 1000 + number)
            )
            for each in (short, long):
                each.learn(live, ours, "s", request=request)
    assert list(short.explain()) == list(long.explain())


_LINES = st.lists(
    st.sampled_from(
        (
            (b"Date", b"today"),
            (b"Date", b"tomorrow"),
            (b"ETag", b'"abc123"'),
            (b"ETag", b'"abc124"'),
            (b"Set-Cookie", b"sid=abcdef123456"),
            (b"Set-Cookie", b"sid=abcdef123457"),
            (b"X-Token", IDS[3].encode()),
            (b"X-Token", IDS[0].encode()),
            (b"Location", b"/instances/1"),
            (b"Location", b"/instances/2"),
        )
    ),
    max_size=3,
    unique_by=lambda line: line[0],
).map(tuple)
_ANSWERS = st.builds(
    lambda headers, body: Response(200, headers=headers, body=body),
    _LINES,
    st.sampled_from((b"{}", b'{"id":"77"}')),
)


@given(_ANSWERS, _ANSWERS)
def test_answers_that_look_equal_at_a_glance_are_evidence_of_nothing(
    live: Response, shadow: Response
) -> None:
    asked = Evidently(Request(b"GET", b"/instances"), lambda *_: None)
    if not may_tell(live, shadow):
        assert list(gather(live, shadow, asked)) == []
