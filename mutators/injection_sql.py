"""SQL in any place that holds text. Conditions and delays are asked in pairs: with the answers to its twins a
probe tells a database that obeys from a service that ignores the value, reads its beginning, or refuses it.
"""

from random import Random

from mutators._contract import mutator
from mutators._places import Place, asked, draw, injected
from shadow.model import Edit, Expect, Level, Request

_QUOTES = ("'", '"', "`", "')", "'))", "\\", "';", "'\"", "%27", "\u02bc", "''", "'||'")
_ORDERS = (
    " desc",
    ",1",
    ",(select 1)",
    " limit 0",
    " union select null--",
    ",(case when 1=1 then 1 else 2 end)",
    ")--",
)
_STATEMENTS = (
    "'; select 1-- ",
    "' union select null-- ",
    "'||'",
    "' or '1'='1",
    "/**/",
    " order by 99-- ",
    "'+'",
)
_CLOSINGS = (
    ("') and ('{}'{}'{}", "') nad ('{}'{}'{}"),
    ('" and "{}"{}"{}', '" nad "{}"{}"{}'),
    ("' and '{}'{}'{}'-- ", "' nad '{}'{}'{}'-- "),
    ("') and '{}'{}'{}'-- ", "') nad '{}'{}'{}'-- "),
    ("')) and '{}'{}'{}'-- ", "')) nad '{}'{}'{}'-- "),
    ("%') and '{}'{}'{}'-- ", "%') nad '{}'{}'{}'-- "),
)
_SLEEPS = (
    "' and sleep({0})='0",
    "' and (select 1 from pg_sleep({0}))=1-- ",
    "'; select pg_sleep({0})-- ",
    "'; waitfor delay '0:0:{0}'-- ",
    "' and dbms_pipe.receive_message('a',{0})=1-- ",
    " and sleep({0})=0",
    " and (select 1 from pg_sleep({0}))=1",
    "; select pg_sleep({0})",
    "; waitfor delay '0:0:{0}'",
)
_EVALUATED = "a condition put into {} is evaluated as part of a database query"
_DELAY_SECONDS = 1
"""Long against what any answer takes, short enough to be waited for twice in each round."""


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def break_sql_string(request: Request, rng: Random) -> Edit | None:
    """A quote is text: an error of the database in its place means that text is glued into SQL (CWE-89,
    WFC F200).
    """
    piece = rng.choice(_QUOTES)
    return injected(request, rng, lambda text: text + piece, f"put {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def ask_sql_string(request: Request, rng: Random) -> Edit | None:
    """A condition after a quote is text. Evaluated, a true one is answered as without it and a false one of
    the same words otherwise, and so is one that is no SQL (CWE-89, WFC F200; ZAP's and EvoMaster's pairs).
    """
    return _conditions(request, rng, "' and '{}'{}'{}", "' nad '{}'{}'{}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def ask_sql_pattern(request: Request, rng: Random) -> Edit | None:
    """As `ask_sql_string`, where the text ends up between the per cent signs of a LIKE (CWE-89, WFC F200)."""
    place = _place(request, rng)
    if place is None:
        return None
    one, other = _numbers(rng)
    texts = [
        (f"{place.text}%' and '{one}' like '{one}", True, 0.0),
        (f"{place.text}%' nad '{one}' like '{one}", False, 0.0),
        (f"{place.text}%' and '{one}' not like '{one}", False, 0.0),
        (f"{place.text}%' and '{one}' not like '{other}", True, 0.0),
        (f"{place.text}%' and '{one}' like '{other}", False, 0.0),
    ]
    return asked(place, "F200", _EVALUATED, texts, "asked by a condition in")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def ask_sql_number(request: Request, rng: Random) -> Edit | None:
    """As `ask_sql_string`, where a number is glued into SQL without quotes (CWE-89, WFC F200)."""
    place = _place(request, rng)
    if place is None or not place.text.lstrip("-").isdigit():
        return None
    return _conditions_in(place, rng, " and {}{}{}", " nad {}{}{}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def ask_sql_closing(request: Request, rng: Random) -> Edit | None:
    """As `ask_sql_string`, where brackets or other quotes are to be closed first, or what follows is to
    be commented out (CWE-89, WFC F200).
    """
    return _conditions(request, rng, *rng.choice(_CLOSINGS))


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def ask_sql_delay(request: Request, rng: Random) -> Edit | None:
    """A delay is text. Obeyed, it holds the answer up; twice as long a one twice as long, and none not at
    all (CWE-89, WFC F200).
    """
    place = draw(request, rng)
    if place is None:
        return None
    form = rng.choice(_SLEEPS)
    seconds = (_DELAY_SECONDS, 0, 2 * _DELAY_SECONDS)
    texts = [(place.text + form.format(each), False, float(each)) for each in seconds]
    what = "a delay put into {} is waited for, as part of a database query"
    return asked(place, "F200", what, texts, f"put the delay {form.format(_DELAY_SECONDS)!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def occupy_database(request: Request, rng: Random) -> Edit | None:
    """SQLite has no sleep, but can be kept busy: as text it costs nothing (CWE-89)."""
    piece = rng.choice(("' or randomblob(300000000) is not null-- ", " or randomblob(300000000) is not null"))
    return injected(request, rng, lambda text: text + piece, f"put {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_sql_order(request: Request, rng: Random) -> Edit | None:
    """Where a column is named (sort, order) no placeholder helps, and names must come from a list
    (CWE-89).
    """
    piece = rng.choice(_ORDERS)
    return injected(request, rng, lambda text: text + piece, f"put {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_sql_statement(request: Request, rng: Random) -> Edit | None:
    """Statements, unions and comments are text: refused or not found, in both releases alike (CWE-89)."""
    piece = rng.choice(_STATEMENTS)
    return injected(request, rng, lambda text: text + piece, f"put {piece!r} into")


def _place(request: Request, rng: Random) -> Place | None:
    """A drawn place whose text is no query itself: there, conditions are what the service is for."""
    place = draw(request, rng)
    return None if place is None or any(sign in place.text for sign in "'\"=") else place


def _conditions(request: Request, rng: Random, form: str, odd: str) -> Edit | None:
    place = _place(request, rng)
    return None if place is None or not place.text else _conditions_in(place, rng, form, odd)


def _conditions_in(place: Place, rng: Random, form: str, odd: str) -> Edit:
    """Two true conditions and two false ones, each made of the same words as one of the other kind, so that
    nothing but their truth tells them apart; and one that is no condition.
    """
    one, other = _numbers(rng)
    texts = [
        (place.text + form.format(one, "=", one), True, 0.0),
        (place.text + odd.format(one, "=", one), False, 0.0),
        (place.text + form.format(one, "!=", one), False, 0.0),
        (place.text + form.format(one, "!=", other), True, 0.0),
        (place.text + form.format(one, "=", other), False, 0.0),
    ]
    return asked(place, "F200", _EVALUATED, texts, "asked by a condition in")


def _numbers(rng: Random) -> tuple[int, int]:
    one = rng.randrange(1_000, 9_000)
    return one, one + rng.randrange(1, 999)
