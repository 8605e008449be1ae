"""Code in any place that holds text: templates, shell commands, scripts. What was run shows as the product of
two numbers in the answer, or as a delay that lasts as long as it says.
"""

from random import Random

from mutators import _strings as strings
from mutators._code import computed, product
from mutators._contract import mutator
from mutators._places import asked, draw, injected
from shadow.model import Edit, Expect, Level, Request

_TEMPLATES = (
    *("{{{{{0}*{1}}}}}${{{0}*{1}}}#{{{0}*{1}}}<%= {0}*{1} %>@({0}*{1})",) * 6,
    "{{{{{0}*{1}}}}}",
    "${{{0}*{1}}}",
    "#{{{0}*{1}}}",
    "<%= {0}*{1} %>",
    "{{{0}*{1}}}",
    "*{{{0}*{1}}}",
    "@({0}*{1})",
    "[[${{{0}*{1}}}]]",
    "%{{{0}*{1}}}",
    "{{{{{0}|times:{1}}}}}",
    "{{{{'{0}'|int*{1}}}}}",
    "<#assign x={0}*{1}>${{x}}",
    "#set($x={0}*{1})$x",
    '{{math equation="{0}*{1}"}}',
)
"""Of several engines in one text; then one by one: Jinja and Twig, expression languages, ERB, Thymeleaf,
Razor, Liquid, FreeMarker, Velocity, Smarty.
"""
_COMMANDS = (
    "; echo $(({0}*{1}))",
    "| echo $(({0}*{1}))",
    "$(echo $(({0}*{1})))",
    "`expr {0} \\* {1}`",
    "\n echo $(({0}*{1}))\n",
    "|| echo $(({0}*{1}))",
    "& echo $(({0}*{1})) &",
    "'; echo $(({0}*{1})); '",
    '"; echo $(({0}*{1})); "',
    "& set /a {0}*{1} &",
)
_SCRIPTS = (
    "'+({0}*{1})+'",
    '"+({0}*{1})+"',
    "'.({0}*{1}).'",
    "'; print({0}*{1}); '",
    "__import__('operator').mul({0},{1})",
    "T(java.lang.Math).multiplyExact({0}L,{1}L)",
)
_SHELL_DELAYS = (
    "; sleep {0}",
    "| sleep {0}",
    "$(sleep {0})",
    "`sleep {0}`",
    "\nsleep {0}\n",
    "|| sleep {0}",
    "&& sleep {0}",
    "'; sleep {0}; '",
    '"; sleep {0}; "',
)
_SCRIPT_DELAYS = (
    "';var d=Date.now()+{0}e3;while(Date.now()<d);'",
    '";var d=Date.now()+{0}e3;while(Date.now()<d);"',
    "'; sleep({0}e3); '",
    "'+__import__('time').sleep({0})+'",
    "__import__('time').sleep({0})",
    "';sleep({0});'",
)
_OTHER_COMMANDS = ("; id", "| id", "$(id)", "& whoami", "-h", "--version", "{{`id`}}")
_DELAY_SECONDS = 1


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_template(request: Request, rng: Random) -> Edit | None:
    """A template is text, never evaluated: the product that it asks for does not come back (CWE-1336)."""
    return _computing(request, rng, _TEMPLATES, "a template", "put the template {!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_command(request: Request, rng: Random) -> Edit | None:
    """Shell syntax is text, never run: the product that it asks for does not come back (CWE-78)."""
    return _computing(request, rng, _COMMANDS, "a shell command", "put the command {!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_script(request: Request, rng: Random) -> Edit | None:
    """An expression of a programming language is text, never evaluated (CWE-94, CWE-95)."""
    return _computing(request, rng, _SCRIPTS, "an expression", "put the expression {!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_other_command(request: Request, rng: Random) -> Edit | None:
    """Commands and options without an output to look for: text, in both releases alike (CWE-78, CWE-88)."""
    piece = rng.choice(_OTHER_COMMANDS)
    return injected(
        request, rng, lambda text: rng.choice((text + piece, piece)), f"put the command {piece!r} into"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def ask_shell_delay(request: Request, rng: Random) -> Edit | None:
    """A delay is text. Run by a shell it holds the answer up; twice as long a one twice as long, and none
    not at all (CWE-78).
    """
    return _delaying(request, rng, _SHELL_DELAYS, "run by a shell")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def ask_script_delay(request: Request, rng: Random) -> Edit | None:
    """As `ask_shell_delay`, in scripting languages, databases' own among them (CWE-94, CWE-943)."""
    return _delaying(request, rng, _SCRIPT_DELAYS, "run as a script")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_slow_pattern(request: Request, rng: Random) -> Edit | None:
    """A run before a misfit, in any place, makes a backtracking pattern exponential (CWE-1333): the answer
    must not hang.
    """
    return injected(request, rng, lambda text: strings.long_run(text, rng), "put a slow run into")


def _computing(request: Request, rng: Random, forms: tuple[str, ...], how: str, what: str) -> Edit | None:
    left, right, word = product(rng)
    piece = rng.choice(forms).format(left, right)
    is_alone = rng.random() < 0.5
    return injected(
        request,
        rng,
        lambda text: piece if is_alone else text + piece,
        what.format(piece),
        lambda place: computed(word, how, place),
    )


def _delaying(request: Request, rng: Random, forms: tuple[str, ...], how: str) -> Edit | None:
    place = draw(request, rng)
    if place is None:
        return None
    form = rng.choice(forms)
    seconds = (_DELAY_SECONDS, 0, 2 * _DELAY_SECONDS)
    texts = [(place.text + form.format(each), False, float(each)) for each in seconds]
    shown = f"put the delay {form.format(_DELAY_SECONDS)!r} into"
    return asked(place, "code-injection", f"a delay put into {{}} is waited for, {how}", texts, shown)
