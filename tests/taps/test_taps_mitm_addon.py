"""The tap among other addons, as in a mitmproxy of a user's own."""

import warnings

from shadow.model import Exchange
from tests.taps.proxies import PATIENCE_SECONDS, Taken

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from mitmproxy.flow import Error
    from mitmproxy.http import HTTPFlow, Response
    from mitmproxy.test import tflow

    from shadow.taps.mitm import MitmTap


def _flow() -> HTTPFlow:
    """As it begins."""
    flow = tflow.tflow()
    assert isinstance(flow, HTTPFlow)
    flow.live = True
    flow.request.data.timestamp_end = None
    return flow


def _answer(flow: HTTPFlow) -> None:
    flow.response = Response.make(200, b"fine")
    flow.response.data.content = None
    flow.response.data.timestamp_end = None


def _pass(tap: MitmTap, flow: HTTPFlow) -> None:
    tap.requestheaders(flow)
    flow.request.data.timestamp_end = flow.request.data.timestamp_start + 1
    tap.request(flow)
    _answer(flow)
    tap.responseheaders(flow)
    assert flow.response is not None
    flow.response.data.content = b"fine"
    tap.response(flow)


def test_bodies_are_left_to_other_addons_unless_told_otherwise() -> None:
    tap, flow = MitmTap(Taken(), is_alone=False, streams=False), _flow()
    _pass(tap, flow)
    assert flow.response is not None
    assert (flow.request.stream, flow.response.stream) == (False, False)


def test_bodies_that_mitmproxy_streams_anyway_are_copied() -> None:
    taken = Taken()
    tap, flow = MitmTap(taken, is_alone=False, streams=False), _flow()
    flow.request.stream = True
    tap.requestheaders(flow)
    assert callable(flow.request.stream)
    assert flow.request.stream(b"said") == b"said"
    flow.request.data.content = None
    flow.request.data.timestamp_end = 1.0
    _answer(flow)
    assert flow.response is not None
    flow.response.stream = True
    tap.responseheaders(flow)
    assert callable(flow.response.stream)
    assert flow.response.stream(b"answered") == b"answered"
    tap.response(flow)
    exchange = taken.all.get_nowait()
    assert isinstance(exchange, Exchange)
    assert exchange.request.body == b"said"
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (b"answered", True)


def test_bodies_that_passed_unseen_are_no_empty_ones() -> None:
    """mitmproxy may begin to stream in the middle of a body, of which it tells nobody."""
    taken = Taken()
    tap = MitmTap(taken, is_alone=False, streams=False)
    asked, answered = _flow(), _flow()
    for flow in (asked, answered):
        tap.requestheaders(flow)
        flow.request.data.timestamp_end = 1.0
        _answer(flow)
        tap.responseheaders(flow)
    asked.request.stream, asked.request.data.content = True, None
    assert answered.response is not None
    answered.response.stream = True
    tap.response(asked)
    tap.response(answered)
    assert taken.all.get_nowait() == "too_large"
    exchange = taken.all.get_nowait()
    assert isinstance(exchange, Exchange)
    assert exchange.response is not None
    assert not exchange.response.is_complete


def test_a_flow_that_is_sent_again_is_a_new_exchange() -> None:
    taken = Taken()
    tap, flow = MitmTap(taken, is_alone=False, streams=False), _flow()
    flow.request.data.timestamp_start = 1.0
    _pass(tap, flow)
    flow.is_replay = "request"
    _pass(tap, flow)
    first, second = taken.all.get_nowait(), taken.all.get_nowait()
    assert isinstance(first, Exchange)
    assert isinstance(second, Exchange)
    assert second.index > first.index
    assert first.seen_at == 1.0
    assert second.seen_at > 1e9
    assert second.latency_seconds is not None
    assert second.latency_seconds < PATIENCE_SECONDS


def test_a_flow_that_is_killed_is_counted_once() -> None:
    taken = Taken()
    tap, flow = MitmTap(taken, is_alone=False), _flow()
    tap.requestheaders(flow)
    flow.error = Error(Error.KILLED_MESSAGE)
    tap.error(flow)
    tap.error(flow)
    assert taken.all.get_nowait() == "killed"
    assert taken.all.empty()
    assert tap.open_count == 0


def test_flows_that_the_filter_leaves_out_are_not_counted() -> None:
    taken = Taken()
    tap = MitmTap(taken, is_alone=False, only=lambda flow: flow.id == "wanted")
    for name in ("unwanted", "wanted"):
        flow = _flow()
        flow.id = name
        _pass(tap, flow)
    raw = tflow.ttcpflow()
    tap.tcp_start(raw)
    tap.tcp_message(raw)
    tap.tcp_end(raw)
    assert isinstance(taken.all.get_nowait(), Exchange)
    assert taken.all.empty()
    assert tap.open_count == 0


def test_what_is_remembered_of_a_flow_is_not_written_with_it() -> None:
    tap, flow = MitmTap(Taken(), is_alone=False), _flow()
    before = flow.get_state().keys()
    tap.requestheaders(flow)
    assert flow.get_state().keys() == before
    assert flow.metadata == {}
