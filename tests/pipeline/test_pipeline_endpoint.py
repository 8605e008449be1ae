import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shadow.model import Request
from shadow.pipeline.endpoint import OTHER, Endpoints


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (b"/", "GET /"),
        (b"", "GET /"),
        (b"/v1/instances", "GET /v1/instances"),
        (b"/v1/instances?limit=3", "GET /v1/instances"),
        (b"/v1/instances/42/start", "GET /v1/instances/{id}/start"),
        (b"/v2/x/550e8400-e29b-41d4-a716-446655440000", "GET /v2/x/{id}"),
        (b"/x/i-0a1b2c3d4e", "GET /x/{id}"),
        (b"/x/0xdeadbeef01", "GET /x/{id}"),
        (b"/x/deadbeefcafe", "GET /x/deadbeefcafe"),
        (b"/users/a@b.example", "GET /users/{id}"),
        (b"/files/a%20b", "GET /files/{id}"),
        (b"http://live.example:80/v1/x/7?q=1", "GET /v1/x/{id}"),
        (b"http://live.example", "GET /"),
        (b"*", "GET /*"),
    ],
)
def test_endpoint_is_named_by_its_template(target: bytes, name: str) -> None:
    assert Endpoints().name(Request(b"GET", target)) == name


def test_free_text_in_a_segment_becomes_one_endpoint() -> None:
    endpoints = Endpoints(fan_out=5)
    names = {
        endpoints.name(Request(b"GET", f"/users/{name}".encode()))
        for name in map(str.lower, "ABCDEFGHIJKLMN")
    }
    assert "GET /users/{id}" in names
    assert len(names) <= 6


def test_ten_thousand_paths_make_a_bounded_number_of_names() -> None:
    endpoints = Endpoints(limit=100)
    names = {endpoints.name(Request(b"GET", f"/p{n}q/x".encode())) for n in range(10_000)}
    assert len(names) <= 101
    names |= {endpoints.name(Request(f"M{n}".encode(), b"/")) for n in range(1000)}
    assert len(names) <= 101
    assert OTHER in names


@given(st.binary(max_size=60), st.binary(max_size=200))
@example(b"M" * 60, b"1")
@example(b"M" * 60, b"1/2/3")
def test_no_request_line_makes_naming_raise(method: bytes, target: bytes) -> None:
    name = Endpoints().name(Request(method, target))
    assert len(name) <= 21 + 2.5 * len(b"/" + target)  # where each "/1" becomes "/{id}"


def test_method_of_grpc_is_never_a_word_among_many() -> None:
    endpoints = Endpoints(fan_out=2)
    kind = ((b"content-type", b"application/grpc+proto"),)
    names = [endpoints.name(Request(b"POST", b"/shop.v1.Shop/Get%d" % at, headers=kind)) for at in range(40)]
    assert names == [f"POST /shop.v1.Shop/Get{at}" for at in range(40)]
