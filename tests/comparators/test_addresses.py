"""Fields that hold addresses, and the lifetime of cookies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparators import compare
from comparators._addresses import address
from shadow.judge.noise import Noise, NoiseSettings
from shadow.model import Response


def answer(name: str, value: str) -> Response:
    return Response(302, headers=((name.encode(), value.encode("utf-8")),))


def told(name: str, left: str, right: str) -> list[str]:
    return [f"{each.where} {each.change}" for each in compare(answer(name, left), answer(name, right))]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param("/a?x=1&y=2", "/a?y=2&x=1", [], id="order of parameters"),
        pytest.param("/a%7eb%2f", "/a~b%2F", [], id="escapes"),
        pytest.param("HTTP://Host:80/a", "http://host/a", [], id="letter case, usual port"),
        pytest.param("http://host", "http://host/", [], id="no path"),
        pytest.param("/a?q=x+y", "/a?q=x%20y", [], id="spaces"),
        pytest.param("login", "/app/login", [], id="a relative path"),
        pytest.param("../x/1", "/app/x/1", [], id="a relative path upwards"),
        pytest.param("/a", "/b", ["header:location value"], id="path"),
        pytest.param("/a/", "/a", ["header:location value"], id="a slash at the end"),
        pytest.param("/a", "//evil/a", ["header:location.origin value"], id="another host"),
        pytest.param("http://h/a", "https://h/a", ["header:location.origin value"], id="another scheme"),
        pytest.param(
            "http://h/a", "http://u@h/a", ["header:location.origin value"], id="a user before the host"
        ),
        pytest.param("/a?next=/x", "/a?next=/y", ["header:location.next value"], id="value of a parameter"),
        pytest.param("/a?next=/x", "/a", ["header:location.next missing"], id="parameter gone"),
        pytest.param("/a", "/a?e=1", ["header:location.e added"], id="parameter came"),
        pytest.param("/a#b", "/a#c", ["header:location[fragment] value"], id="fragment"),
        pytest.param("http://[", "/a", ["header:location value"], id="no address"),
        pytest.param("mailto:a@b", "mailto:a@c", ["header:location value"], id="mail"),
    ],
)
def test_where_an_answer_leads_is_compared_by_parts(left: str, right: str, expected: list[str]) -> None:
    assert told("Location", left, right) == expected


@pytest.mark.parametrize(
    ("name", "left", "right", "expected"),
    [
        pytest.param(
            "Link",
            '</a?p=2>; rel="next", </z>; rel=last',
            '</z>; rel="last",</a?p=2>;rel=next',
            [],
            id="links",
        ),
        pytest.param(
            "Link",
            "</a?p=2>; rel=next",
            "</a?p=3>; rel=next",
            ["header:link[next].p value"],
            id="link to another page",
        ),
        pytest.param(
            "Link",
            "</a>; rel=next, </b>; rel=last",
            "</a>; rel=next",
            ["header:link[last] missing"],
            id="link gone",
        ),
        pytest.param(
            "Link",
            '</a>; rel=next; title="a, b"',
            "</a>; rel=next; title=c",
            ["header:link[next].title value"],
            id="title of a link",
        ),
        pytest.param("Refresh", "5; url=/a", '5;URL="/a"', [], id="refresh"),
        pytest.param("Refresh", ".; url=/a", "1.2.3; /a", ["header:refresh value"], id="no seconds"),
        pytest.param("Refresh", "5; url=/a", "6; url=/a", ["header:refresh.seconds value"], id="seconds"),
        pytest.param(
            "Content-Disposition",
            'attachment; filename="a b.txt"',
            "attachment; filename*=UTF-8''a%20b.txt",
            [],
            id="name of a file",
        ),
        pytest.param(
            "Content-Disposition",
            "attachment; filename=a.txt",
            "attachment; filename=b.txt",
            ["header:content-disposition[filename] value"],
            id="another name of a file",
        ),
        pytest.param(
            "Set-Cookie",
            "s=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "s=1; path=/; Max-Age=0",
            [],
            id="two ways to delete",
        ),
        pytest.param(
            "Set-Cookie",
            "s=1; Max-Age=60",
            "s=1; Expires=Wed, 21 Oct 2099 07:28:00 GMT",
            [],
            id="two ways to keep",
        ),
        pytest.param(
            "Set-Cookie",
            "s=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "s=1; Expires=Wed, 21 Oct 2099 07:28:00 GMT",
            ["header:set-cookie[s].lifetime value"],
            id="deleted no more",
        ),
        pytest.param(
            "Set-Cookie",
            "s=1; Max-Age=60",
            "s=1",
            ["header:set-cookie[s].lifetime value"],
            id="for the session alone",
        ),
        pytest.param(
            "Set-Cookie",
            "s=1; Max-Age=60",
            "s=1; Max-Age=90",
            ["header:set-cookie[s].max-age value"],
            id="for longer",
        ),
        pytest.param("Set-Cookie", "s=1; Domain=.a.b", "s=1; domain=A.b", [], id="domain"),
    ],
)
def test_other_fields_are_compared_by_what_they_mean(
    name: str, left: str, right: str, expected: list[str]
) -> None:
    assert told(name, left, right) == expected


@pytest.mark.parametrize(
    ("left", "right", "is_noise"),
    [
        pytest.param("http://live:80/a", "http://127.0.0.1:9/a", True, id="each names itself"),
        pytest.param("http://live/a", "/a", True, id="one leaves itself out"),
        pytest.param("http://live/a", "http://evil/a", False, id="another host"),
        pytest.param("/a", "//evil/a", False, id="another host, where none was named"),
        pytest.param("http://live/a", "https://127.0.0.1:9/a", False, id="another scheme"),
    ],
)
def test_only_own_hosts_stand_for_each_other(left: str, right: str, *, is_noise: bool) -> None:
    noise = Noise(NoiseSettings(own=("live:80", "127.0.0.1:9")))
    found = compare(answer("Location", left), answer("Location", right))
    assert (noise.without("GET /", found) == ()) is is_noise


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_texts_can_be_compared_as_addresses(left: str, right: str) -> None:
    for name in ("Location", "Link", "Refresh", "Set-Cookie", "Content-Disposition"):
        assert told(name, left, left) == []
        assert len(told(name, left, right)) == len(told(name, right, left))


@given(st.text("ab/?&=%;+.:#@[", max_size=30))
def test_what_has_one_form_is_in_it_already(text: str) -> None:
    found = address(text)
    assert found is None or address(found.path) is not None
