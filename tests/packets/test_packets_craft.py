from ipaddress import IPv4Network
from random import Random

import pytest

from shadow.packets.craft import Ends, craft, recipes_for, singular
from shadow.packets.seeds import Seed

SEEDS = [Seed("dns", b""), Seed("udp", b"hello"), Seed("udp", b""), Seed("tcp", b"GET / HTTP/1.1\r\n\r\n")]
ENDS = Ends("127.0.0.1", "127.0.0.2", 5300)


@pytest.mark.parametrize("seed", SEEDS, ids=["dns", "udp", "empty", "tcp"])
def test_every_recipe_goes_to_the_target_alone_and_is_the_same_each_time(seed: Seed) -> None:
    for recipe in recipes_for(seed, ENDS):
        for number in range(12):
            made = craft([seed], ENDS, number, run_seed=1, recipe=recipe)
            assert made == craft([seed], ENDS, number, run_seed=1, recipe=recipe)
            assert made.recipe == recipe
            assert made.packets
            for packet in made.packets:
                if len(packet) >= 20:
                    assert packet[16:20] == bytes([127, 0, 0, 2])
                    assert packet[12:16] == bytes([127, 0, 0, 1])


def test_another_seed_makes_other_packets_and_the_same_seed_the_same() -> None:
    runs = [[craft(SEEDS, ENDS, number, run_seed=seed) for number in range(50)] for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_sources_are_made_up_only_where_that_is_allowed() -> None:
    networks = (IPv4Network("10.0.0.0/29"),)
    assert "spoofed_source" not in recipes_for(SEEDS[0], ENDS)
    ends = Ends("127.0.0.1", "127.0.0.2", 5300, networks)
    for number in range(40):
        packet = craft(SEEDS, ends, number, run_seed=1, recipe="spoofed_source").packets[0]
        assert int.from_bytes(packet[12:16]) - int.from_bytes(bytes([10, 0, 0, 0])) in range(8)


def test_what_the_system_would_mend_is_not_made() -> None:
    ends = Ends("127.0.0.1", "127.0.0.2", 5300, is_mended=True)
    assert "ip_checksum" not in recipes_for(SEEDS[0], ends)
    said = {craft(SEEDS, ends, number, run_seed=1, recipe="ip_field").what for number in range(200)}
    assert not any(each.startswith("IP len") for each in said)


def test_a_recipe_that_is_known_to_kill_is_left_out() -> None:
    without = frozenset({"dns_edns", "ttl"})
    made = [craft([SEEDS[0]], ENDS, number, run_seed=1, without=without) for number in range(200)]
    assert without.isdisjoint(each.recipe for each in made)


def test_the_same_can_be_made_for_another_target() -> None:
    other = Ends("127.0.0.1", "127.0.0.3", 53)
    for number in range(100):
        made = craft([SEEDS[0]], ENDS, number, run_seed=1)
        again = craft([SEEDS[0]], other, number, run_seed=1, recipe=made.recipe)
        assert (again.recipe, len(again.packets)) == (made.recipe, len(made.packets))
        if made.recipe.startswith("dns_"):
            assert again.packets[0][28:] == made.packets[0][28:]


def test_overlapping_fragments_differ_where_they_overlap() -> None:
    made = (craft([SEEDS[1]], ENDS, number, run_seed=1, recipe="fragments") for number in range(100))
    overlapping = [each for each in made if "overlapping" in each.what]
    assert overlapping
    for each in overlapping:
        places: dict[int, set[int]] = {}
        for packet in each.packets:
            at = (int.from_bytes(packet[6:8]) & 0x1FFF) * 8
            for offset, byte in enumerate(packet[20:]):
                places.setdefault(at + offset, set()).add(byte)
        assert max(map(len, places.values())) > 1


@pytest.mark.parametrize(
    ("bits", "expected"), [(1, {0, 1}), (3, {0, 1, 3, 4, 6, 7}), (16, {0, 1, 32767, 32768, 65534, 65535})]
)
def test_singular_values_are_those_at_the_ends_and_the_middle(bits: int, expected: set[int]) -> None:
    dice = Random(1)
    assert {singular(bits, dice) for _ in range(500)} == expected
