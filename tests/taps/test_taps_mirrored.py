"""What mirrors change is undone where that is certain, and their clients are told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.model import Headers
from shadow.taps.mirrored import client_of, without_suffix

ENVOY = (b"X-Envoy-Internal", b"true")


@pytest.mark.parametrize(
    ("host", "live", "more", "found"),
    [
        pytest.param(b"api.test-shadow", b"api.test", (), b"api.test", id="live by name"),
        pytest.param(b"api.test-shadow:81", b"api.test:81", (), b"api.test:81", id="live by name and port"),
        pytest.param(b"api.test-shadow", b"api.test:81", (), b"api.test", id="live has a port, Host none"),
        pytest.param(b"api.test-shadow:81", b"api.test", (), b"api.test:81", id="Host has a port, live none"),
        pytest.param(b"API.test-shadow", b"api.TEST", (), b"API.test", id="in any case"),
        pytest.param(b"other-shadow", b"api.test", (ENVOY,), b"other", id="another name, from Envoy"),
        pytest.param(b"other-shadow", b"", (ENVOY,), b"other", id="live not known, from Envoy"),
        pytest.param(b"a-shadow-shadow", b"a-shadow", (ENVOY,), b"a-shadow", id="only once"),
        pytest.param(b"a-shadow", b"a-shadow", (ENVOY,), b"a-shadow", id="the service's own name"),
        pytest.param(b"other-shadow", b"api.test", (), b"other-shadow", id="another name, from nobody known"),
        pytest.param(b"other-shadow", b"", (), b"other-shadow", id="live not known, from nobody known"),
        pytest.param(b"api.test-shadow:82", b"api.test:81", (), b"api.test-shadow:82", id="another port"),
        pytest.param(b"-shadow", b"", (ENVOY,), b"-shadow", id="nothing but the suffix"),
        pytest.param(b"api.test", b"api.test", (ENVOY,), b"api.test", id="no suffix"),
    ],
)
def test_suffix_of_the_host_is_taken_off_where_envoy_put_it(
    host: bytes, live: bytes, more: Headers, found: bytes
) -> None:
    headers = ((b"A", b"1"), (b"hOsT", host), *more)
    undone = without_suffix(headers, live)
    assert undone == ((b"A", b"1"), (b"hOsT", found), *more)
    assert (undone is headers) is (found == host)


def test_request_without_host_stays_as_it_is() -> None:
    assert without_suffix((ENVOY,), b"api.test") == (ENVOY,)


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        pytest.param(((b"X-Forwarded-For", b"203.0.113.7"),), "203.0.113.7", id="alone"),
        pytest.param(((b"x-forwarded-for", b"203.0.113.7, 10.0.0.1"),), "203.0.113.7", id="first of many"),
        pytest.param(((b"X-Forwarded-For", b"203.0.113.7:4711"),), "203.0.113.7", id="with a port"),
        pytest.param(((b"X-Forwarded-For", b"2001:db8::7"),), "2001:db8::7", id="IPv6"),
        pytest.param(((b"X-Forwarded-For", b"[2001:db8::7]:4711"),), "2001:db8::7", id="IPv6 with a port"),
        pytest.param(((b"X-Forwarded-For", b"unknown"), (b"X-Real-IP", b"10.1.1.1")), "10.1.1.1", id="next"),
        pytest.param(
            ((b"Forwarded", b"for=192.0.2.60;proto=http, for=10.0.0.1"),), "192.0.2.60", id="RFC 7239"
        ),
        pytest.param(((b"Forwarded", b'by=x;For="[2001:db8::7]:4711"'),), "2001:db8::7", id="RFC 7239, IPv6"),
        pytest.param(((b"Forwarded", b"by=10.0.0.1"),), None, id="RFC 7239 without the client"),
        pytest.param(((b"X-Real-IP", b"10.1.1.1"),), "10.1.1.1", id="real IP"),
        pytest.param(((b"X-Forwarded-For", b"<script>"),), None, id="no address"),
        pytest.param(((b"X-Forwarded-For", b""),), None, id="empty"),
        pytest.param((), None, id="none"),
    ],
)
def test_client_is_who_the_mirror_says(headers: Headers, client: str | None) -> None:
    assert client_of(headers) == client


@given(value=st.binary(max_size=60), name=st.sampled_from([b"x-forwarded-for", b"forwarded", b"x-real-ip"]))
def test_no_value_makes_a_client_that_is_no_address(value: bytes, name: bytes) -> None:
    client = client_of(((name, value),))
    assert client is None or set(client) <= set("0123456789abcdefABCDEF.:")
