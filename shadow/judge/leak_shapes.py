"""How inner details look in answers: traces, errors of databases, dumps of settings, secrets.

Each pattern comes with literals of which a text that it matches holds one, so that most texts are searched
for literals alone. Every repetition is bounded, and the product of nested ones too, so that no text makes one
search long: bodies of the candidate may be built for that.
"""

import re
from enum import StrEnum

import msgspec

from shadow.content.secret_shapes import SHAPES


class Leak(StrEnum):
    """Kinds of inner details."""

    TRACE = "a stack trace"
    DEBUG = "a page for developers"
    SQL = "an error in a query"
    DATABASE = "a database error"
    DIRECTORY = "an error of a directory or of XPath"
    SETTINGS = "environment variables or settings"
    SOURCE = "source code or the path of a file"
    ADDRESS = "an internal address"
    KEY = "a private key"
    CREDENTIAL = "a credential"
    HASH = "a password hash"
    CONNECTION = "an address with a password"
    TOKEN = "a token"  # noqa: S105  # what it is called
    OTHERS = "another's data"


FAULTS: dict[Leak, str] = dict.fromkeys(Leak, "F209") | {
    Leak.SQL: "F200",
    Leak.SOURCE: "inner-detail",
    Leak.ADDRESS: "inner-detail",
    Leak.KEY: "secret-leak",
    Leak.CREDENTIAL: "secret-leak",
    Leak.HASH: "secret-leak",
    Leak.CONNECTION: "secret-leak",
    Leak.TOKEN: "secret-leak",
    Leak.OTHERS: "F206",
}
"""What a mutant that shows one is told as."""


class Shape(msgspec.Struct, frozen=True):
    """What shows one kind."""

    leak: Leak
    literals: tuple[bytes, ...]
    """One of these stands in all that matches."""
    pattern: re.Pattern[bytes]


# a line of a trace begins after the end of a line: as it is, as JSON writes it, or as a page does
_LINE = rb"(?:\n|\\n|>|&nbsp;|\A)[ \t]{0,40}"


def _shape(leak: Leak, literals: str, pattern: bytes) -> Shape:
    """`literals` are separated by two spaces."""
    return Shape(leak, tuple(each.encode() for each in literals.split("  ")), re.compile(pattern))


def _words(leak: Leak, *literals: str) -> Shape:
    """Of literals alone, longest first."""
    raw = sorted((each.encode() for each in literals), key=len, reverse=True)
    return Shape(leak, tuple(raw), re.compile(b"|".join(map(re.escape, raw))))


_TRACES = (
    _words(
        Leak.TRACE,
        *(
            "Traceback (most recent call last)",
            "Exception in thread ",
            "panic: runtime error:",
            "</b> on line <b>",
        ),
        *("runtime error: index out of range", "invalid memory address or nil pointer dereference"),
        *(
            "PHP Fatal error:",
            "Fatal error: Uncaught",
            "Stack trace:\n#0 ",
            "Stack trace:\\n#0 ",
            "stack traceback:",
        ),
        *("--- End of inner exception stack trace ---", "stack backtrace:", "CallStack (from HasCallStack):"),
        *("terminate called after throwing", "AddressSanitizer:", "ActionView::Template::Error"),
        *("ActionController::RoutingError", "(elixir ", "Server Error in '/' Application", "RUST_BACKTRACE"),
        *("Unhandled exception. System.", "node:internal/", "<b>Fatal error</b>:", "<b>Parse error</b>:"),
    ),
    _shape(Leak.TRACE, 'File "  File \\"', rb"File \\?\"[^\"\r\n]{1,200}\\?\", line \d{1,7}, in "),
    _shape(
        Leak.TRACE,
        ".java:  .kt:  .scala:  .groovy:  .clj:  (Native Method)  (Unknown Source)",
        rb"at [\w$.<>/@-]{1,200}"
        rb"\((?:[\w$]{1,100}\.(?:java|kt|scala|groovy|clj):\d{1,7}|Native Method|Unknown Source)\)",
    ),
    _shape(
        Leak.TRACE,
        "Exception  Error",
        rb"\b(?:java|javax|jakarta|kotlin|scala|org\.(?:springframework|hibernate|apache)|com\.fasterxml)"
        rb"\.[\w.$]{1,120}(?:Exception|Error)\b",
    ),
    _shape(
        Leak.TRACE,
        " (/  (file:  (node:  :\\",
        _LINE + rb"at [^\r\n(<]{1,120} \((?:/|file:|node:|[A-Z]:\\)[^\r\n)<]{1,200}:\d{1,7}:\d{1,7}\)",
    ),
    _shape(
        Leak.TRACE,
        "at /  at file:  at async ",
        _LINE + rb"at (?:async )?(?:/|file:///)[^\r\n()<\"\\]{1,200}:\d{1,7}:\d{1,7}",
    ),
    _shape(
        Leak.TRACE,
        ":line ",
        rb"at [\w.`<>\[\],+]{1,200}\([^)\r\n]{0,200}\) in [^\r\n]{1,200}:line \d",
    ),
    _shape(Leak.TRACE, "Exception:", rb"\b(?:System|Microsoft)\.[\w.]{1,120}Exception:"),
    _shape(Leak.TRACE, "goroutine ", rb"goroutine \d{1,9} \["),
    _shape(Leak.TRACE, ".go:", rb"\.go:\d{1,7} \+0x[0-9a-f]"),
    _shape(Leak.TRACE, "panicked at", rb"thread '[^'\r\n]{1,80}' (?:\(\d{1,9}\) )?panicked at"),
    _shape(Leak.TRACE, ".rb:", rb"\.rb:\d{1,7}:in [`'\\]"),
    _shape(
        Leak.TRACE,
        "undefined method",
        rb"undefined method [`'&\\]?[^\r\n]{1,60} for (?:nil|an instance of|#<)",
    ),
    _shape(Leak.TRACE, ".php(", rb"#\d{1,3} [^\r\n(]{1,200}\.php\(\d{1,7}\): "),
    _shape(Leak.TRACE, ".php", rb"\.php(?:</b>)? on line (?:<b>)?\d|\.php\"?,\"line\":\d"),
    _shape(Leak.TRACE, "** (", rb"\*\* \((?:[A-Z]\w{0,40}\.){0,6}\w{1,60}Error\)"),
    _shape(Leak.TRACE, ".ex:  .exs:", rb"\.exs?:\d{1,7}: [\w.]{1,100}"),
    _shape(Leak.TRACE, ".pl line  .pm line", rb" at [^ \r\n]{1,200}\.p[lm] line \d"),
    _shape(Leak.TRACE, ".lua:", rb"\.lua:\d{1,7}: (?:in |attempt )"),
    _shape(
        Leak.TRACE, ".dart:", rb"#\d{1,3}\s{1,12}[^\r\n(]{1,120}\([^\r\n)]{1,200}\.dart:\d{1,7}:\d{1,7}\)"
    ),
    _words(
        Leak.DEBUG,
        *("Werkzeug Debugger", "The debugger caught an exception in your WSGI application", "__debugger__"),
        *(
            "You're seeing this error because you have <code>DEBUG = True</code>",
            "Using the URLconf defined in",
        ),
        *(
            "Whoops! There was an error.",
            "Action Controller: Exception caught",
            "BetterErrors",
            "Rails.root:",
        ),
        *("Phoenix.Router.NoRouteError", "An unhandled exception occurred while processing the request."),
        *(
            "Microsoft.AspNetCore.Diagnostics.DeveloperExceptionPage",
            "Symfony Exception",
            "Illuminate\\\\Foundation",
        ),
        *("window.ignite(", "Ignition\\\\", "<title>phpinfo()</title>", "Spatie\\\\LaravelIgnition"),
    ),
)
_DATABASES = (
    _shape(
        Leak.SQL, "syntax error", rb"near \\?\"[^\"\r\n]{0,80}\\?\": syntax error|syntax error at or near"
    ),
    _words(
        Leak.SQL,
        *(
            "You have an error in your SQL syntax",
            "unrecognized token: ",
            "unterminated quoted string at or near",
        ),
        *("quoted string not properly terminated", "Unclosed quotation mark", "Incorrect syntax near"),
        *("SQL command not properly ended", "SQLSyntaxErrorException", "ER_PARSE_ERROR", "SQLSTATE[42000]"),
        *("unterminated string literal at or near", "unexpected end of SQL", 'incomplete input")'),
    ),
    _shape(
        Leak.DATABASE,
        "sqlite",
        rb"sqlite3?\.(?:Operational|Integrity|Programming|Interface|Database)Error",
    ),
    _shape(Leak.DATABASE, "ORA-  PLS-", rb"\b(?:ORA|PLS)-\d{5}\b"),
    _shape(Leak.DATABASE, "Unknown column '", rb"Unknown column '[^'\r\n]{1,80}' in '"),
    _shape(Leak.DATABASE, "does not exist", rb"(?:relation|column) \\?\"[^\"\r\n]{1,80}\\?\" does not exist"),
    _shape(Leak.DATABASE, "no such ", rb"no such (?:table|column): \w"),
    _shape(
        Leak.DATABASE, " constraint failed: ", rb"(?:UNIQUE|NOT NULL|CHECK|FOREIGN KEY) constraint failed: "
    ),
    _shape(
        Leak.DATABASE,
        "violates ",
        rb"violates (?:unique|foreign key|not-null|check|exclusion) constraint",
    ),
    _shape(Leak.DATABASE, "invalid input syntax for ", rb"invalid input syntax for (?:type )?\w{2,20}: "),
    _shape(Leak.DATABASE, "SQLCODE", rb"SQLCODE\s?[=:]\s?-\d"),
    _shape(Leak.DATABASE, "ActiveRecord::", rb"ActiveRecord::\w{2,40}(?:Error|Invalid|NotFound|Violation)?"),
    _shape(Leak.DATABASE, "Prisma", rb"PrismaClient\w{1,40}Error"),
    _shape(Leak.DATABASE, "Cast to ", rb"Cast to \w{2,20} failed for value"),
    _shape(
        Leak.DATABASE, "viable alternative", rb"line \d{1,5}:\d{1,5} (?:no|mismatched) viable alternative"
    ),
    _words(
        Leak.DATABASE,
        *("SQLSTATE[", "PG::", "psycopg.errors", "psycopg2.errors", "asyncpg.exceptions", "PSQLException"),
        *(
            "com.mysql.jdbc",
            "com.mysql.cj",
            "pymysql.err.",
            "mysql.connector.errors",
            "MySQLdb.",
            "ER_BAD_FIELD_ERROR",
        ),
        *(
            "SQLITE_ERROR",
            "SQLITE_CONSTRAINT",
            "SQLite3::",
            "SqliteError",
            "[Microsoft][ODBC",
            "Microsoft OLE DB",
        ),
        *("SqlException", "Conversion failed when converting", "DB2 SQL error", "org.h2.jdbc", "org.hsqldb."),
        *("sqlalchemy.exc.", "SequelizeDatabaseError", "SequelizeUniqueConstraintError", "QueryFailedError"),
        *("TypeORMError", "Doctrine\\DBAL\\", "Doctrine\\\\DBAL\\\\", "Illuminate\\Database\\QueryException"),
        *(
            "Illuminate\\\\Database\\\\QueryException",
            "django.db.utils.",
            "Postgrex.Error",
            "peewee.",
            "ODBC Driver",
        ),
        *(
            "MongoServerError",
            "MongoError",
            "BSONError",
            "BSONTypeError",
            "E11000 duplicate key",
            "pymongo.errors",
        ),
        *(
            "WRONGTYPE Operation against a key",
            "ERR wrong number of arguments for",
            "NOAUTH Authentication required",
        ),
        *("com.datastax.", "com.couchbase.", "search_phase_execution_exception", "x_content_parse_exception"),
        *("Neo.ClientError.", "redis.exceptions.", "JDBCException", "pq: ", "InfluxDBClientError"),
    ),
    _words(
        Leak.DIRECTORY,
        *("javax.naming.", "LDAPException", "Bad search filter", "invalid DN syntax", "LdapErr: DSID-"),
        *("supplied argument is not a valid ldap", "ldap.FILTER_ERROR", "LDAPInvalidFilterError"),
        *("XPathException", "XPathEvalError", "MS.Internal.Xml.", "Expression must evaluate to a node-set"),
        *("SimpleXMLElement::xpath()", "lxml.etree.XPath", "xmlXPathEval", "org.xml.sax."),
    ),
)
_INSIDE = (
    _shape(
        Leak.SETTINGS,
        "AWS_SECRET_ACCESS_KEY  DATABASE_URL  SECRET_KEY  KUBERNETES_SERVICE_HOST  DJANGO_SETTINGS_MODULE"
        "  APP_KEY  DB_PASSWORD  POSTGRES_PASSWORD  MYSQL_ROOT_PASSWORD  JWT_SECRET  REDIS_PASSWORD",
        rb"\b(?:AWS_SECRET_ACCESS_KEY|DATABASE_URL|SECRET_KEY|KUBERNETES_SERVICE_HOST|DJANGO_SETTINGS_MODULE"
        rb"|APP_KEY|DB_PASSWORD|POSTGRES_PASSWORD|MYSQL_ROOT_PASSWORD|JWT_SECRET|REDIS_PASSWORD)"
        rb"\\?[\"']?(?:\s{0,8}(?:[=:]|=>)\s{0,8}|</t[dh]>)",
    ),
    _shape(Leak.SETTINGS, "PATH", rb"\bPATH\\?\"?\s{0,4}[=:]\s{0,4}\\?\"?/(?:usr|bin|sbin|opt|home)"),
    _words(
        Leak.SETTINGS,
        '"propertySources":[',
        '"systemProperties":{',
        "java.runtime.version",
        "PHP Version </td>",
    ),
    _words(Leak.SOURCE, "<?php ", "#!/usr/bin/", "#!/bin/"),
    _shape(
        Leak.SOURCE,
        "/home/  /var/www/  /usr/  /opt/  /srv/  /root/  /app/  /workspace/",
        rb"(?<![\w.:/-])/(?:home|var/www|usr/(?:src|local|lib)|opt|srv|root|app|workspace)/[\w./@-]{1,200}?"
        rb"\.(?:py|rb|java|go|cs|exs?|rs|pl|pm|conf|ini|env|log|pem|key|sqlite3?|db)\b(?!/)",
    ),
    _shape(
        Leak.SOURCE,
        ":\\",
        rb"\b[A-Z]:\\{1,2}(?:inetpub|Users|Windows|Program Files|www|wwwroot)\\{1,2}[\w. ]{1,80}\\",
    ),
    _shape(
        Leak.ADDRESS,
        "10.  192.168.  172.",
        rb"(?:://|dial tcp |onnect(?:ing|ion)? (?:to|refused:?) |ECONNREFUSED |[Hh]ost[ =:\"']{1,4})"
        rb"(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}\b",
    ),
    _shape(
        Leak.ADDRESS,
        ".internal  .svc.cluster.local  .local:  .lan  .corp  .intranet",
        rb"\b[\w-]{1,63}(?:\.[\w-]{1,63}){0,4}\.(?:internal|svc\.cluster\.local|local:\d{2,5}|lan|corp|intranet)\b"
        rb"(?![\w-]{0,63}\.)",
    ),
)
_KINDS = {
    b"eyJ": (
        Leak.TOKEN,
        rb"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,4096}\.[A-Za-z0-9_-]{4,4096}\.[A-Za-z0-9_-]{8,4096}",
    ),
    b"PRIVATE KEY": (Leak.KEY, rb"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY[A-Z ]{0,16}-----"),
}
"""Of the shapes that redaction knows, those that are bounded otherwise here; it may mask what never ends."""
_LEFT = frozenset({b"earer", b"EARER", b"://", b"$2", b"$argon2", b"$6$", b"$5$", b"pbkdf2"})
_SECRETS = (
    *(Shape(leak, (literal,), re.compile(pattern)) for literal, (leak, pattern) in _KINDS.items()),
    *(
        Shape(Leak.CREDENTIAL, (literal,), re.compile(pattern.pattern.replace(b",}", b",200}")))
        for literal, pattern in SHAPES
        if literal not in _LEFT and literal not in _KINDS
    ),
    _shape(
        Leak.CREDENTIAL,
        "github_pat_  glpat-  npm_",
        rb"\b(?:github_pat_\w{20,120}|glpat-[\w-]{20,60}|npm_\w{36})",
    ),
    _shape(Leak.CREDENTIAL, "SG.", rb"\bSG\.[\w-]{20,24}\.[\w-]{40,46}"),
    _shape(Leak.CREDENTIAL, "sk-", rb"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,200}"),
    _shape(Leak.CREDENTIAL, "ya29.", rb"\bya29\.[\w-]{20,200}"),
    _shape(Leak.HASH, "$2", rb"\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}"),
    _shape(Leak.HASH, "$argon2", rb"\$argon2(?:id|i|d)\$v=\d{1,3}\$m="),
    _shape(
        Leak.HASH,
        "$1$  $5$  $6$  $y$  $7$  $apr1$",
        rb"\$(?:1|5|6|y|7|apr1)\$[^$\s\"]{1,80}\$[./A-Za-z0-9]{20,120}",
    ),
    _shape(
        Leak.HASH, "$", rb"\b(?:pbkdf2_sha(?:1|256|512)|bcrypt_sha256|argon2|scrypt)\$[\w$./+=,-]{20,200}"
    ),
    _shape(Leak.HASH, "scrypt:  pbkdf2:", rb"\b(?:scrypt|pbkdf2):[\w:]{1,40}\$\w{1,64}\$[0-9a-f]{32}"),
    _shape(Leak.HASH, "SHA}  SHA256}  SHA512}", rb"\{S?SHA(?:256|512)?\}[A-Za-z0-9+/]{27}"),
    _shape(
        Leak.CONNECTION,
        "://",
        rb"\b(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|s?ftp|smb|ldaps?|clickhouse"
        rb"|nats|kafka|smtps?)(?:\+\w{1,20})?://[^\s:/@\"'<>]{0,64}:[^\s/@\"'<>*]{1,128}@",
    ),
    _shape(
        Leak.CONNECTION,
        "assword=  wd=",
        rb"(?i)(?:server|data source|host)=[^;\"\r\n]{1,120};[^\"\r\n]{0,200}"
        rb"(?:password|pwd)=[^;\"\r\n*]{1,64}",
    ),
    _shape(
        Leak.CREDENTIAL,
        "assw  ecret  rivate  pi_  piK",
        rb"\\?\"(?i:[a-z]{0,16}_?password_?(?:hash|digest)?|passwd|passphrase|(?:client|api|app|shared)_?secret"
        rb"|secret_?(?:access_?)?key|private_?key)\\?\"\s{0,4}:\s{0,4}\\?\"[^\"*<\\\s]{4,200}\\?\"",
    ),
)
LEAK_SHAPES: tuple[Shape, ...] = (*_TRACES, *_DATABASES, *_SECRETS, *_INSIDE)
"""The worst first."""
