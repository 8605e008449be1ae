"""One TOML file, and the options that win over it, to frozen settings."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Struct

from shadow.auth.keys import SigningKey, TokenKey
from shadow.config.settings import Settings
from shadow.config.values import parse_address, parse_live, parse_target
from shadow.errors import ConfigError, nearest
from shadow.replay.conditions_reading import read_conditions

_SECRETS = re.compile(
    r"identity($|\[\d+\]\.(headers|bearer|basic|cookie|api_key|match|login)\b)|(signing|tokens)\.keys\[\d+\]\.secret$"
    r"|(reset|probe\[\d+\])\.(headers|body)\b|correlation\.values\b"
)
"""Keys whose values may be secrets: those are not shown, whatever is wrong with them."""


def load(path: Path | None, options: Mapping[str, Any]) -> Settings:
    """Settings of the file at `path` (None for none), with `options` laid over it.

    Raises ConfigError for an unreadable file, TOML that does not parse, a key that is not known (naming the
    nearest) or a value of the wrong kind.
    """
    return _convert(_overlay(_read(path) if path else {}, options), str(path) if path else "the options")


def secrets(settings: Settings) -> dict[str, str]:
    """The secrets that stand in the environment or in files, by key id.

    Raises ConfigError for a variable that is not set, or a file that cannot be read.
    """
    keys: tuple[SigningKey | TokenKey, ...] = (
        *(settings.signing.keys if settings.signing else ()),
        *(settings.tokens.keys if settings.tokens else ()),
    )
    return {key.id: _secret(key) for key in keys if key.secret_env or key.secret_file}


def secret_values(settings: Settings) -> tuple[str, ...]:
    """Every secret that the settings hold or refer to, as text. Raises ConfigError as `secrets` does."""
    schemes = (settings.signing, settings.tokens)
    inline = [key.secret for scheme in schemes if scheme for key in scheme.keys]
    own = [text for each in settings.identity for text in each.secrets()]
    return tuple(text.strip() for text in (*secrets(settings).values(), *inline, *own) if text)


def json_schema() -> dict[str, Any]:
    """JSON Schema of the configuration file."""
    return msgspec.json.schema(Settings)


def _secret(key: SigningKey | TokenKey) -> str:
    if key.secret_env:
        if key.secret_env not in os.environ:
            raise ConfigError(f"key {key.id!r}: the variable {key.secret_env!r} is not set")
        return os.environ[key.secret_env]
    try:
        return Path(key.secret_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"key {key.id!r}: cannot read {key.secret_file!r}: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read configuration {str(path)!r}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {str(path)!r} is no TOML: {error}") from error


def _overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, tables merged, all else replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both_tables = isinstance(value, Mapping) and isinstance(under, Mapping)
        merged[key] = _overlay(under, value) if both_tables else value  # type: ignore[arg-type]  # both_tables
    return merged


def _convert(tree: dict[str, Any], origin: str) -> Settings:
    _check_keys(tree, Settings, "", origin)
    try:
        settings = msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{origin}: {_wrong_value(tree, str(error))}") from error
    _check_values(settings)
    return settings


def _check_keys(tree: Any, kind: Any, path: str, origin: str) -> None:
    """Raises ConfigError for the first key that no settings struct has."""
    struct = _struct_of(kind)
    if struct is None:
        return
    for table in tree if isinstance(tree, list | tuple) else (tree,):
        if not isinstance(table, Mapping):
            continue
        known = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
        for key, value in table.items():
            if key not in known:
                place = f" in [{path}]" if path else ""
                hint = nearest(key, known) or f"; known keys: {', '.join(sorted(known))}"
                raise ConfigError(f"{origin}: unknown key {key!r}{place}{hint}")
            _check_keys(value, known[key], f"{path}.{key}" if path else key, origin)


def _struct_of(kind: Any) -> type[Struct] | None:
    """The settings struct inside a field's type: itself, optional, or the items of a tuple."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind
    return next((found for each in get_args(kind) if (found := _struct_of(each))), None)


def _wrong_value(tree: Any, message: str) -> str:
    """What msgspec says of a value, with its key and itself: ``"mutants is -1: expected `int` >= 0"``.

    Of what may be, or hold, a secret the key alone.
    """
    what, _, place = message.partition(" - at `$.")
    what = what[0].lower() + what[1:]
    key = place.removesuffix("`").removesuffix("[...]")
    for name, index in re.findall(r"\.?(\w+)|\[(\d+)\]", key):
        try:
            tree = tree[name] if name else tree[int(index)]
        except (KeyError, IndexError, TypeError):
            return f"{key}: {what}"
    if choices := _choices(key):
        return f"{key} is {tree!r}: choose one of {choices}"
    is_shown = isinstance(tree, str | int | float) and not _SECRETS.match(key)
    return f"{key} is {tree!r}: {what}" if is_shown else f"{key}: {what}"


def _choices(key: str) -> str:
    """The values that the setting at the dotted `key` may have, where they can be counted."""
    kind: Any = Settings
    for name in key.split("."):
        struct = _struct_of(kind)
        kind = (
            next((each.type for each in msgspec.structs.fields(struct) if each.name == name), None)
            if struct
            else None
        )
    if get_origin(kind) is dict:
        kind = get_args(kind)[1]
    kind = getattr(kind, "__value__", kind)
    return ", ".join(map(repr, get_args(kind))) if get_origin(kind) is Literal else ""


def _check_values(settings: Settings) -> None:
    """Raises ConfigError for values that are of the right type and mean nothing."""
    if not settings.out:
        raise ConfigError("out is '': name the folder that the run is to write to")
    if settings.live:
        parse_live(settings.live)
    for name in ("candidate", "baseline"):
        if url := getattr(settings, name):
            parse_target(name, url)
    for name in ("listen", "metrics", "admin"):
        if address := getattr(settings, name):
            parse_address(name, address)
    for port in settings.scope.protocols:
        if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
            raise ConfigError(f"scope.protocols names {port!r}: a port is a number from 1 to 65535")
    read_conditions(settings.condition)
    if settings.passes is None and settings.duration_seconds is None:
        raise ConfigError(f"loops {settings.loops!r} would never end: give a --duration too")
    _ = settings.duration_seconds, settings.rate_per_second, settings.speed_factor
    by = settings.session.by
    if not re.fullmatch(r"connection|client|identity|token|(header|cookie|query):\S+|body:\$[.\[].+", by):
        raise ConfigError(
            f"session.by {by!r} is not 'connection', 'client', 'identity', 'token', 'header:NAME',"
            " 'cookie:NAME', 'query:NAME' or 'body:$.path'"
        )
