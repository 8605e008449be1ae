import pytest

from mutators._packet import Ends, Seed
from mutators._packet_catalog import PACKET_CATALOG
from shadow.errors import ConfigError
from shadow.packets.craft import Crafting

SEEDS = [Seed("dns", b""), Seed("udp", b"hello"), Seed("udp", b""), Seed("tcp", b"GET / HTTP/1.1\r\n\r\n")]
ENDS = Ends("127.0.0.1", "127.0.0.2", 5300)


def test_another_seed_makes_other_packets_and_the_same_seed_the_same() -> None:
    craftings = [Crafting(PACKET_CATALOG, SEEDS, ENDS, seed=seed) for seed in (1, 1, 2)]
    runs = [[each.make(number) for number in range(50)] for each in craftings]
    assert runs[0] == runs[1] != runs[2]


def test_a_mutator_that_is_known_to_kill_is_left_out() -> None:
    without = frozenset({"dns_odd_size", "ttl"})
    crafting = Crafting(PACKET_CATALOG, [SEEDS[0]], ENDS, seed=1)
    made = [crafting.make(number, without=without) for number in range(200)]
    assert without.isdisjoint(each.mutator for each in made)


def test_the_same_can_be_made_for_another_target() -> None:
    crafting = Crafting(PACKET_CATALOG, [SEEDS[0]], ENDS, seed=1)
    other = Ends("127.0.0.1", "127.0.0.3", 53)
    for number in range(100):
        made = crafting.make(number)
        again = crafting.make(number, mutator=made.mutator, ends=other)
        assert (again.mutator, len(again.packets)) == (made.mutator, len(made.packets))
        if made.mutator.startswith("dns_"):
            assert again.packets[0][28:] == made.packets[0][28:]


def test_mutators_that_have_nothing_to_edit_are_refused_in_one_line() -> None:
    streams = [each for each in PACKET_CATALOG if each.name in ("stream_hole", "ip6_field")]
    with pytest.raises(ConfigError, match=r"no packet mutator of .* applies to udp over IPv4"):
        Crafting(streams, [SEEDS[1]], ENDS, seed=1)
