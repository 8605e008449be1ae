"""The tap for anyone's own mitmproxy: ``mitmdump -s PATH_OF_THIS_FILE --set shadow_socket=PATH``.

docs/mitmdump.md says how. It taps what passes and, unless told to, changes nothing of how it passes.
"""

# mypy: allow-untyped-calls
# (half of mitmproxy's own functions have no types)

import logging
import secrets
from pathlib import Path
from time import time_ns

from mitmproxy import ctx, exceptions, flowfilter
from mitmproxy.addonmanager import Loader

from shadow.errors import FeedError
from shadow.feed.frames import Hello, Ledger
from shadow.feed.link import checked
from shadow.feed.sender import Sender
from shadow.taps.mitm_addon import Chooses, MitmTap
from shadow.taps.mitm_h2c import PriorKnowledge

_TAP = "mitmdump"
OPTIONS: tuple[tuple[str, type, object, str], ...] = (
    ("shadow_socket", str, "", "Where `shadow listen` listens; nothing is tapped without it."),
    ("shadow_live", str, "", "HOST:PORT of the live service; that of each flow where it is empty."),
    ("shadow_filter", str, "", "Tap only flows that this filter expression matches."),
    ("shadow_max_body_bytes", int, 4 << 20, "The most that is kept of a body, or of one conversation."),
    (
        "shadow_stream",
        bool,
        False,
        "Let bodies pass as they come, as event streams and gRPC need; other addons cannot edit them then.",
    ),
    ("shadow_h2c", bool, False, "Let HTTP/2 without TLS pass, as gRPC speaks it; mitmproxy refuses it."),
)
_log = logging.getLogger(__name__)


class ShadowTap:
    """Begins to tap once mitmproxy runs, and ends with it."""

    name = "shadowtap"

    def __init__(self) -> None:
        self.addons: list[object] = []
        """Whom mitmproxy asks besides, while it taps."""
        self._sender: Sender | None = None
        self._tap: MitmTap | None = None

    def load(self, loader: Loader) -> None:
        for name, kind, default, told in OPTIONS:
            loader.add_option(name, kind, default, told)

    def configure(self, updated: set[str]) -> None:
        """Raises OptionsError, of which mitmproxy shows one line."""
        changed = sorted(name for name in updated if name.startswith("shadow_"))
        if changed and self._sender is not None:
            raise exceptions.OptionsError(f"{', '.join(changed)} cannot change while flows are tapped")
        if changed:
            _check()

    def running(self) -> None:
        options = ctx.options
        if not options.shadow_socket:
            # No error: mitmproxy would end, and live traffic with it.
            _log.warning("shadow taps nothing: --set shadow_socket=PATH is missing, see shadow listen --help")
            return
        path = Path(options.shadow_socket).expanduser()
        self._sender = Sender(path, Hello(_TAP, run=secrets.token_hex(6), live=options.shadow_live))
        self._tap = MitmTap(
            self._sender,
            live=options.shadow_live,
            name=_TAP,
            max_body_bytes=options.shadow_max_body_bytes,
            is_alone=False,
            streams=options.shadow_stream,
            only=_filter(options.shadow_filter),
            first_index=time_ns()
            // 1000,  # one pipeline may hear several mitmproxies, and each of their runs
        )
        for addon in (self._tap, *([PriorKnowledge()] if options.shadow_h2c else [])):
            ctx.master.addons.register(addon)
            self.addons.append(addon)
        absent = "" if path.is_socket() else "; nobody listens there yet"
        _log.info("shadow taps to %s%s", path, absent)

    def done(self) -> None:
        """Waits a moment for the pipeline to take what is left."""
        if self._sender is None or self._tap is None:
            return
        self._tap.finish()
        self.addons.clear()
        ledger = self._sender.close()
        self._sender = self._tap = None
        _log.info("shadow tapped %s", _told(ledger))


def _check() -> None:
    """Raises OptionsError for values that mean nothing."""
    options = ctx.options
    try:
        _filter(options.shadow_filter)
        checked(Path(options.shadow_socket).expanduser())
    except (ValueError, FeedError) as error:
        raise exceptions.OptionsError(str(error)) from error
    if "/" in options.shadow_live:
        raise exceptions.OptionsError(f"shadow_live {options.shadow_live!r} is no HOST:PORT")
    if options.shadow_max_body_bytes < 1:
        raise exceptions.OptionsError("shadow_max_body_bytes must be positive")


def _filter(text: str) -> Chooses | None:
    """Raises ValueError where `text` is no filter expression."""
    return flowfilter.parse(text) if text else None


def _told(ledger: Ledger) -> str:
    lost = [f"{count} {why}" for part in (ledger.dropped, ledger.unparsed) for why, count in part.items()]
    return ", ".join([f"{ledger.captured}: {ledger.acknowledged} received", *lost])


addons = [ShadowTap()]
