"""`shadow addon`: where the script for a mitmproxy of one's own is."""

from importlib.util import find_spec

import click


@click.command()
def addon() -> None:
    """Print the path of the addon for a mitmdump of your own.

    Use it as mitmdump -s "$(shadow addon)" --set shadow_socket=PATH, with `shadow listen` at the same PATH.
    """
    spec = find_spec("shadow.run.mitm_script")  # found, not imported: mitmproxy takes seconds
    assert spec is not None
    click.echo(spec.origin)
