import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from shadow.errors import ConfigError, TargetError, UnsafeError
from shadow.model import Request
from shadow.replay._contract import Target
from shadow.replay.guard import Guard, GuardSettings, Resolve, is_own, is_own_address, resolve_name

NAMES = {
    "live.test": ["203.0.113.7", "203.0.113.8"],
    "alias.test": ["203.0.113.8"],
    "other.test": ["203.0.113.9"],
    "both.test": ["203.0.113.9", "203.0.113.7"],
    "localhost": ["::1", "127.0.0.1"],
    "mapped.test": ["::ffff:203.0.113.7"],
    "mapped-loopback.test": ["::ffff:127.0.0.1"],
    "six-to-four.test": ["2002:cb00:7107::"],
    "nat64.test": ["64:ff9b::203.0.113.7"],
    "compatible.test": ["::203.0.113.7"],
    "scoped.test": ["fe80::1%3"],
    "scoped-live.test": ["fe80::1%2"],
}


def resolving(names: Mapping[str, list[str]] = NAMES) -> Resolve:
    async def resolve(host: str, port: int) -> list[str]:
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        if host not in names:
            raise OSError(f"no such name {host}")
        return names[host]

    return resolve


def guard(target: Target, **settings: object) -> Guard:
    return Guard(
        GuardSettings(**settings),  # type: ignore[arg-type]  # as the settings take them
        [target],
        resolve=resolving(),
        is_local=lambda ip: ip.is_loopback or ip.is_unspecified or str(ip) == "198.51.100.1",
    )


def at(host: str, port: int = 80) -> Target:
    return Target("candidate", "http", host, port)


@pytest.mark.parametrize(
    ("host", "live"),
    [
        ("live.test", "live.test:80"),
        ("203.0.113.7", "live.test:80"),
        ("alias.test", "live.test:80"),
        ("both.test", "live.test:80"),
        ("alias.test", "203.0.113.8:80"),
        ("mapped.test", "live.test:80"),
        ("live.test", "[::ffff:203.0.113.7]:80"),
        ("six-to-four.test", "live.test:80"),
        ("nat64.test", "live.test:80"),
        ("compatible.test", "live.test:80"),
        ("live.test", "live.test"),
        ("live.test", "http://live.test/v1"),
        ("live.test", "http://live.test:80"),
        ("LIVE.test.", "live.test:80"),
        ("scoped.test", "scoped-live.test:80"),
        ("127.0.0.1", "127.0.0.1:80"),
        ("127.0.0.1", "localhost:80"),
        ("127.0.0.1", "0.0.0.0:80"),
        ("127.0.0.1", "[::]:80"),
        ("127.0.0.2", "127.0.0.1:80"),
        ("0.0.0.0", "127.0.0.1:80"),
        ("::", "127.0.0.1:80"),
        ("::1", "127.0.0.1:80"),
        ("mapped-loopback.test", "[::1]:80"),
        ("198.51.100.1", "127.0.0.1:80"),
        ("198.51.100.1", "0.0.0.0:80"),
        ("localhost", "198.51.100.1:80"),
    ],
)
async def test_a_target_that_is_the_live_service_is_unsafe(host: str, live: str) -> None:
    names = {**NAMES, "LIVE.test.": NAMES["live.test"]}
    checked = Guard(
        GuardSettings(live=(live,)),
        [at(host)],
        resolve=resolving(names),
        is_local=lambda ip: ip.is_loopback or ip.is_unspecified or str(ip) == "198.51.100.1",
    )
    with pytest.raises(UnsafeError, match="is the live one"):
        await checked.check()
    assert "is the live one" in checked.admit()


@pytest.mark.parametrize(
    ("host", "port", "live"),
    [
        ("live.test", 81, "live.test:80"),
        ("other.test", 80, "live.test:80"),
        ("127.0.0.1", 8081, "0.0.0.0:8080"),
        ("203.0.113.9", 80, "0.0.0.0:80"),
        ("other.test", 80, "https://live.test"),
    ],
)
async def test_another_service_is_safe(host: str, port: int, live: str) -> None:
    checked = guard(at(host, port), live=(live,))
    await checked.check()
    assert checked.admit() == ""


@pytest.mark.parametrize(
    ("host", "allow", "is_allowed"),
    [
        ("other.test", ("other.test",), True),
        ("other.test", ("OTHER.test.:80",), True),
        ("other.test", ("other.test:81",), False),
        ("other.test", ("203.0.113.0/28",), True),
        ("other.test", ("203.0.113.0/28:80",), True),
        ("other.test", ("203.0.113.0/28:81",), False),
        ("other.test", ("10.0.0.0/8", "203.0.113.9/32"), True),
        ("both.test", ("203.0.113.9/32",), False),
        ("mapped.test", ("203.0.113.0/24",), True),
        ("mapped.test", ("::/0",), False),
        ("scoped.test", ("[fe80::/10]:80",), True),
        ("other.test", ("live.test",), False),
    ],
)
async def test_the_allow_list_names_hosts_and_networks(
    host: str, allow: tuple[str, ...], is_allowed: bool
) -> None:
    checked = guard(at(host), allow=allow)
    if is_allowed:
        await checked.check()
    else:
        with pytest.raises(UnsafeError, match="not in the allow list"):
            await checked.check()


async def test_without_an_allow_list_only_the_configured_targets_may_be_used() -> None:
    checked = guard(at("other.test"))
    await checked.check()
    with pytest.raises(UnsafeError, match="not a configured target"):
        await checked.addresses(at("other.test", 81))


async def test_a_live_service_whose_name_is_unknown_forbids_all() -> None:
    checked = guard(at("other.test"), live=("nowhere.test:80",))
    with pytest.raises(UnsafeError, match="cannot resolve the live service"):
        await checked.check()


async def test_a_target_whose_name_is_unknown_cannot_be_used() -> None:
    with pytest.raises(TargetError, match=r"nowhere\.test"):
        await guard(at("nowhere.test")).check()


async def test_the_addresses_are_those_that_were_checked() -> None:
    addresses = await guard(at("localhost", 8080)).addresses(at("localhost", 8080))
    assert [(each.ip, each.port, each.family) for each in addresses] == [
        ("::1", 8080, socket.AF_INET6),
        ("127.0.0.1", 8080, socket.AF_INET),
    ]


@pytest.mark.parametrize(
    "text", ["", ":80", "host:0", "host:65536", "host:x", "[::1", "10.0.0.0/99", "[::1]x"]
)
@pytest.mark.parametrize("key", ["live", "allow"])
def test_a_place_that_is_none_is_a_config_error(key: str, text: str) -> None:
    with pytest.raises(ConfigError, match=key):
        guard(at("other.test"), **{key: (text,)})


def test_the_budget_is_counted() -> None:
    checked = guard(at("other.test"), requests_max=2)
    assert [checked.admit() for _ in range(3)] == ["", "", "the budget of 2 requests is spent"]
    assert checked.admitted == 2


def test_the_kill_file_stops_all_for_good(tmp_path: Path) -> None:
    now = [0.0]
    switch = tmp_path / "stop"
    checked = Guard(GuardSettings(kill_file=str(switch)), [at("other.test")], clock=lambda: now[0])
    assert checked.admit() == ""
    switch.touch()
    now[0] = 0.2
    assert "kill switch" in checked.admit()
    switch.unlink()
    now[0] = 10.0
    assert "kill switch" in checked.admit()
    assert checked.admitted == 1


async def test_the_kill_file_stops_what_waits_for_its_turn_too(tmp_path: Path) -> None:
    switch = tmp_path / "stop"
    settings = GuardSettings(kill_file=str(switch), requests_per_second_max=4.0)
    checked = Guard(settings, [at("other.test")])
    assert await checked.turn() == ""
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(checked.turn(), name="turn")
        await asyncio.sleep(0)
        switch.touch()
    assert "kill switch" in waiting.result()
    assert "kill switch" in await checked.turn()
    assert checked.admitted == 1


async def test_what_waits_for_its_turn_is_sent_when_the_budget_is_spent_meanwhile() -> None:
    checked = guard(at("other.test"), requests_max=2, requests_per_second_max=50.0)
    async with asyncio.TaskGroup() as group:
        turns = [group.create_task(checked.turn(), name="turn") for _ in range(3)]
    assert [turn.result() for turn in turns] == ["", "", "the budget of 2 requests is spent"]
    assert checked.admitted == 2


async def test_what_waits_for_its_turn_is_not_sent_once_a_target_turns_out_to_be_live() -> None:
    checked = guard(at("live.test"), live=("live.test:80",), requests_per_second_max=20.0)
    assert await checked.turn() == ""
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(checked.turn(), name="turn")
        await asyncio.sleep(0)
        with pytest.raises(UnsafeError):
            await checked.check()
    assert "is the live one" in waiting.result()


def test_the_ceiling_spaces_requests_and_saves_no_turns_up() -> None:
    now = [100.0]
    checked = Guard(GuardSettings(requests_per_second_max=4.0), [at("other.test")], clock=lambda: now[0])
    assert [checked.wait_seconds() for _ in range(3)] == [0.0, 0.25, 0.5]
    now[0] = 200.0
    assert [checked.wait_seconds() for _ in range(2)] == [0.0, 0.25]


def test_a_marked_request_is_recognised_and_an_unmarked_is_not() -> None:
    plain = Request(b"GET", b"/", headers=((b"Host", b"h"),))
    assert is_own(Request(b"GET", b"/", headers=((b"Host", b"h"), (b"shadow-run", b"r1"))))
    assert not is_own(plain)


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("0.0.0.0", True),
        ("::1", True),
        ("::", True),
        ("192.0.2.1", False),
    ],
)
def test_this_machines_own_addresses_are_known(ip: str, expected: bool) -> None:
    assert is_own_address(ipaddress.ip_address(ip)) is expected


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "127.0.0.1"])
async def test_other_spellings_of_an_address_are_resolved(host: str) -> None:
    assert await resolve_name(host, 80) == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["a" * 70 + ".test", "\ud800", "a..b"])
async def test_what_cannot_be_a_host_name_is_an_os_error(host: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - the resolver's words differ between systems
        await resolve_name(host, 80)
