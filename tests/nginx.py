"""A real nginx with the configuration that is shipped for mirroring."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

SHIPPED = Path(__file__).parents[1] / "deploy" / "nginx" / "mirror.conf"
_AROUND = """
{user} daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 64m; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  include {folder}/mirror.conf;
}}
"""


def nginx_path() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert found, "nginx is missing: install it"
    return found


def write_configuration(folder: Path, *, live: str, shadow: str) -> int:
    """The shipped configuration for services at these addresses, in `folder`; the port that clients use."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    text = SHIPPED.read_text(encoding="utf-8")
    for shipped, here in (("8000", live), ("8090", shadow), ("8080", f"127.0.0.1:{port}")):
        assert text.count(f"127.0.0.1:{shipped}") == 1 + (shipped == "8090")  # the remark names it too
        text = text.replace(f"127.0.0.1:{shipped}", here)
    (folder / "mirror.conf").write_text(text, encoding="utf-8")
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_AROUND.format(folder=folder, user=user), encoding="utf-8")
    return port


@asynccontextmanager
async def mirroring_nginx(folder: Path, *, live: str, shadow: str) -> AsyncIterator[int]:
    """Its port, once it listens."""
    port = write_configuration(folder, live=live, shadow=shadow)
    async with running_nginx(folder, folder / "nginx.conf", port):
        yield port


@asynccontextmanager
async def running_nginx(folder: Path, configuration: Path, port: int) -> AsyncIterator[None]:
    """It runs, and listens at `port`."""
    process = await asyncio.create_subprocess_exec(
        nginx_path(), "-p", folder, "-c", configuration, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(10):
            while not await _listens(port):
                assert process.returncode is None, (await process.communicate())[1].decode()
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
