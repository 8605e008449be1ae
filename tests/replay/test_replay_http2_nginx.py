"""HTTP/2 with a server that others wrote: nginx, with prior knowledge and by ALPN."""

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shadow.replay._contract import Target
from tests.certificates import write_certificate
from tests.nginx import running_nginx
from tests.replay.conftest import request, response_of, sending
from tests.replay.http2_server import sending_to

_CONFIGURATION = """
{user} daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 64m; keepalive_requests 7; root {folder};
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{plain} http2;
    listen 127.0.0.1:{secure} ssl http2; ssl_certificate {folder}/pem; ssl_certificate_key {folder}/pem;
    location / {{ return 200 "$request_method $request_uri $http_host $server_protocol"; }}
    location /big {{ }}
  }}
}}
"""


@pytest.fixture
async def nginx(tmp_path: Path) -> AsyncIterator[dict[str, Target]]:
    """Targets by scheme."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        plain, secure = one.getsockname()[1], other.getsockname()[1]
    write_certificate(tmp_path / "pem")
    (tmp_path / "big").write_bytes(bytes(2_000_000))
    user = "user root;" if os.geteuid() == 0 else ""
    text = _CONFIGURATION.format(user=user, folder=tmp_path, plain=plain, secure=secure)
    (tmp_path / "conf").write_text(text, encoding="utf-8")
    async with running_nginx(tmp_path, tmp_path / "conf", secure):
        yield {
            "http": Target("candidate", "http", "127.0.0.1", plain),
            "https": Target("candidate", "https", "127.0.0.1", secure),
        }


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_nginx_is_asked_all_there_is_and_says_goaway_on_the_way(
    nginx: dict[str, Target], scheme: str
) -> None:
    async with sending_to(nginx[scheme], verify_tls=False) as transport:
        assert await transport.refusal() == ""
        for at in range(20):  # on every seventh the connection is given up by nginx
            method = (b"GET", b"POST")[at % 2]
            outcome = await transport.send(sending(request(method, b"/x?y=%d" % at, b"q" * at)))
            assert response_of(outcome).body == b"%b /x?y=%d shadow HTTP/2.0" % (method, at)
        big = response_of(await transport.send(sending(request(b"GET", b"/big"))))
        assert (len(big.body), big.is_complete) == (2_000_000, True)
        upload = await transport.send(sending(request(b"POST", b"/x", bytes(300_000))))
        assert response_of(upload).status == 200
        together = await transport.send_together([sending(request(b"POST", b"/r", b"abc"))] * 6)
        assert {response_of(each).status for each in together} == {200}
