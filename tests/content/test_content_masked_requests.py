import pytest

from shadow.content.redaction import RedactionSettings, Redactor, is_masked, redact_exchange
from shadow.model import Exchange, Request

SECRET = b"s3cr3t-value-0123456789"


@pytest.mark.parametrize(
    "request_",
    [
        Request(b"GET", b"/", headers=((b"Authorization", b"Bearer " + SECRET),)),
        Request(b"GET", b"/x?token=" + SECRET),
        Request(
            b"POST",
            b"/",
            headers=((b"Content-Type", b"application/json"),),
            body=b'{"password": "' + SECRET + b'"}',
        ),
    ],
    ids=["header", "query", "body"],
)
def test_request_stored_without_its_secrets_is_known_again(request_: Request) -> None:
    redactor = Redactor(RedactionSettings(), b"key")
    stored = redact_exchange(redactor, Exchange(0, "test", "s", 0.0, request_)).request
    assert not is_masked(request_)
    assert is_masked(stored)


def test_request_without_secrets_is_stored_as_it_was() -> None:
    plain = Request(b"GET", b"/x?y=1", headers=((b"Host", b"a"),))
    stored = redact_exchange(Redactor(RedactionSettings(), b"key"), Exchange(0, "t", "s", 0.0, plain)).request
    assert stored == plain
    assert not is_masked(stored)
