"""`--as PORT=PROTOCOL`: ports of which the user says what is spoken there."""

from typing import TYPE_CHECKING, Any, get_args

import click

if TYPE_CHECKING:
    from shadow.wire.protocols import Spoken


class _PortProtocol(click.ParamType[tuple[int, str]]):
    """A port and its protocol."""

    name = "port=protocol"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, str]:
        from shadow.wire.protocols import Spoken

        choices = get_args(Spoken.__value__)
        port, _, protocol = str(value).partition("=")
        if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
            self.fail(f"{value!r} is not PORT=PROTOCOL with a port from 1 to 65535", param, ctx)
        if protocol not in choices:
            self.fail(f"{value!r} names no protocol that can be asked for: {', '.join(choices)}", param, ctx)
        return int(port), protocol


def _by_port(
    ctx: click.Context, param: click.Parameter, value: "tuple[tuple[int, Spoken], ...]"
) -> "dict[int, Spoken]":
    spoken = dict(value)
    if len(spoken) < len(set(value)):
        raise click.BadParameter("a port is given twice, with different protocols", ctx, param)
    return spoken


as_option = click.option(
    "--as",
    "protocols",
    type=_PortProtocol(),
    multiple=True,
    callback=_by_port,
    metavar="PORT=PROTOCOL",
    help="This port speaks tcp, udp or dns.",
)
