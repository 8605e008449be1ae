"""DNS messages in a line of JSON, for people: whoever reads the line back takes the bytes beside them."""

from typing import Any

from shadow.model import Message
from shadow.wire.dns_message import DnsMessage, parse
from shadow.wire.dns_records import answers, code_name, flag_names, opcode_name, type_name


def described(messages: tuple[Message, ...]) -> dict[str, Any]:
    """The keys ``"query"`` and ``"answer"``, as far as the messages can be read."""
    described: dict[str, Any] = {}
    for each in messages:
        message = parse(each.body)
        if isinstance(message, DnsMessage):
            key = "answer" if message.is_answer else "query"
            described.setdefault(key, _answer(message, each.body) if message.is_answer else _query(message))
    return described


def _query(message: DnsMessage) -> dict[str, Any]:
    asked = message.questions[0] if message.questions else None
    return {
        "id": message.id,
        "name": asked.name if asked else "",
        "type": type_name(asked.kind) if asked else "",
        "opcode": opcode_name(message),
        "flags": flag_names(message),
    }


def _answer(message: DnsMessage, text: bytes) -> dict[str, Any]:
    return {
        "code": code_name(message, text),
        "flags": flag_names(message),
        "answers": [record._asdict() for record in answers(message, text)],
    }
