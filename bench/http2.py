"""Conversations over HTTP/2 made from nothing: the h2 library writes both sides.

python -m bench.http2 FILE [--exchanges 100000] [--seed 1]    writes a capture of small exchanges
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from random import Random

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived
from h2.settings import SettingCodes

from bench.capture import Packet, Talk, pcap

type Fields = Iterable[tuple[bytes, bytes]]

CLIENT, SERVER = 0, 1
_EXCHANGES_PER_CONNECTION = 200


class Dialogue:
    """Both ends of one connection, and what they said so far.

    Nothing is validated, so that odd fields can be sent, too; but streams and windows are as they must be.
    """

    def __init__(
        self,
        *,
        table_bytes: tuple[int, int] | None = None,
        upgrade: bytes | None = None,
        pushes: bool = False,
    ) -> None:
        """`table_bytes` is what each side, the client first, allows the other for its table of fields.

        `upgrade` is what stands in HTTP2-Settings: the first stream is then open, and its request was sent.
        """
        self.turns: list[tuple[int, bytes]] = []
        """Who said what, in order."""
        self._ends = (_end(is_client=True), _end(is_client=False))
        if upgrade is None:
            for end in self._ends:
                end.initiate_connection()
        else:
            self._ends[CLIENT].initiate_upgrade_connection()
            self._ends[SERVER].initiate_upgrade_connection(upgrade)
        for end, size in zip(self._ends, table_bytes or (4096, 4096), strict=True):
            settings: dict[SettingCodes | int, int] = {
                SettingCodes.MAX_CONCURRENT_STREAMS: 1 << 20,
                SettingCodes.HEADER_TABLE_SIZE: size,
            }
            end.update_settings(settings)
        if not pushes:
            self._ends[CLIENT].update_settings({SettingCodes.ENABLE_PUSH: 0})
        for side in (CLIENT, SERVER, CLIENT, SERVER):
            self.flush(side)

    def ask(self, fields: Fields, body: bytes = b"", trailers: Fields = (), *, is_last: bool = True) -> int:
        """Sends a request; the number of its stream."""
        number = self._ends[CLIENT].get_next_available_stream_id()
        self.send(CLIENT, number, fields, body, trailers, is_last=is_last)
        return number

    def answer(
        self, number: int, fields: Fields, body: bytes = b"", trailers: Fields = (), *, is_last: bool = True
    ) -> None:
        """Sends a response, or a part of one that ends where `is_last`."""
        self.send(SERVER, number, fields, body, trailers, is_last=is_last)

    def push(self, number: int, fields: Fields) -> int:
        """Promises an answer to a request that was not asked; the number of its stream."""
        promised = self._ends[SERVER].get_next_available_stream_id()
        self._ends[SERVER].push_stream(number, promised, list(fields))
        self.flush(SERVER)
        return promised

    def send(
        self, side: int, number: int, fields: Fields, body: bytes, trailers: Fields, *, is_last: bool = True
    ) -> None:
        end, last = self._ends[side], list(trailers)
        if fields:
            end.send_headers(number, list(fields), end_stream=is_last and not body and not last)
        self.data(side, number, body, is_last=is_last and not last)
        if last:
            end.send_headers(number, last, end_stream=True)
        self.flush(side)

    def data(self, side: int, number: int, body: bytes, *, is_last: bool = False) -> None:
        """Sends `body` as far as windows allow, and goes on when they do again."""
        end, at = self._ends[side], 0
        while at < len(body):
            room = min(end.local_flow_control_window(number), end.max_outbound_frame_size)
            piece = body[at : at + room]
            at += len(piece)
            end.send_data(number, piece, end_stream=is_last and at == len(body))
            if end.local_flow_control_window(number) < end.max_outbound_frame_size:
                self.flush(side)
                self.flush(1 - side)

    def reset(self, side: int, number: int, code: int = 8) -> None:
        """Breaks a stream off; code 8 is CANCEL."""
        self._ends[side].reset_stream(number, code)
        self.flush(side)

    def flush(self, side: int) -> None:
        """Lets the other side hear what was sent."""
        text = self._ends[side].data_to_send()
        if not text:
            return
        self.turns.append((side, text))
        other = self._ends[1 - side]
        for event in other.receive_data(text):
            if isinstance(event, DataReceived) and event.flow_controlled_length:
                other.increment_flow_control_window(event.flow_controlled_length)
                other.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def talk(self, talk: Talk, *, mss: int = 1448) -> Talk:
        """All that was said, as packets of `talk`."""
        for side, text in self.turns:
            talk.say(side, text, mss=mss)
        return talk


def request(method: bytes, path: bytes, *more: tuple[bytes, bytes]) -> Fields:
    """The fields of a request to one authority."""
    head = (
        (b":method", method),
        (b":scheme", b"http"),
        (b":authority", b"api.example.com"),
        (b":path", path),
    )
    return (*head, *more)


def response(status: int, *more: tuple[bytes, bytes]) -> Fields:
    """The fields of a response."""
    return ((b":status", b"%d" % status), *more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--exchanges", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = Random(options.seed)
    talks = [_small_exchanges(rng, at) for at in range(options.exchanges // _EXCHANGES_PER_CONNECTION)]
    packets: list[Packet] = sorted(packet for talk in talks for packet in talk.packets)
    options.file.write_bytes(pcap(packets))
    print(f"{options.file}: {len(talks) * _EXCHANGES_PER_CONNECTION} exchanges in {len(packets)} packets")


def _small_exchanges(rng: Random, connection: int) -> Talk:
    """One connection: a path and a request id that are new each time, all other fields alike."""
    talk = Talk((f"10.1.{connection >> 8}.{connection & 255}", 40_000), at=1_700_000_000 + connection).open()
    dialogue = Dialogue()
    token = b"Bearer %032x" % rng.getrandbits(128)
    for _ in range(_EXCHANGES_PER_CONNECTION):
        path = b"/v1/instances/%08x?limit=%d" % (rng.getrandbits(32), rng.randrange(100))
        fields = ((b"user-agent", b"bench/1.0"), (b"accept", b"application/json"), (b"authorization", token))
        number = dialogue.ask(request(b"GET", path, *fields))
        body = b'{"id": %d, "name": "instance"}' % rng.getrandbits(60)
        told = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
        dialogue.answer(number, response(200, (b"server", b"bench"), *told), body)
    return dialogue.talk(talk).close()


def _end(*, is_client: bool) -> H2Connection:
    return H2Connection(
        H2Configuration(
            client_side=is_client,
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=False,
        )
    )


if __name__ == "__main__":
    main()
