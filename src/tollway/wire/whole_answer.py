"""An upstream's answer that came in one piece and is beyond doubt, read without a parser. Pure.

Most short answers are like that, and a parser that calls back for each line costs several times as much. Whatever is in
any way unusual is left to it: None. Never more lenient than that one; a property test holds the two together.
"""

import re
from typing import Final

from tollway.wire.answer_head import BODILESS, EVENT_STREAM, NO_HEAD, AnswerHead

_ORDINARY: Final = re.compile(
    rb"""
    HTTP/1\.1\ (?P<status>[2-5][0-9][0-9])\ [\t\x20-\x7e\x80-\xff]*\r\n
    (?:
        (?:
            (?(2)(?!))  # the second group has matched already: only one length
            (?i:content-length):[ \t]*(?P<length>[0-9]{1,12})
          | (?i:content-type):[ \t]*(?P<type>[\t\x20-\x7e\x80-\xff]*)
          | (?i:date):[ \t]*(?P<date>[\t\x20-\x7e\x80-\xff]*)
          | (?i:request-id):[ \t]*(?P<request_id>[\t\x20-\x7e\x80-\xff]*)
          | (?i:connection):[ \t]*(?i:keep-alive)
          | (?!(?i:content-length|content-type|content-encoding|date|request-id|connection|retry-after|trailer
                  |transfer-encoding|upgrade):)
            [!#$%&'*+.^`|~0-9A-Za-z-]{1,64}:[\t\x20-\x7e\x80-\xff]*
        )\r\n
    )+
    \r\n
    """,
    re.VERBOSE,
).match


def whole_answer(data: bytes, head_bytes_max: int) -> tuple[AnswerHead, bytes] | None:
    """Head and body of `data` if it is exactly one final answer that says its length, is no stream, has no coding, asks
    for no patience, and leaves its connection open."""
    head = _ORDINARY(data)
    if head is None:
        return None
    digits, length, content_type, date, request_id = head.groups()
    end, status = head.end(), int(digits)
    if not length or int(length) != len(data) - end or end > head_bytes_max or status in BODILESS:
        return None
    if content_type is None:
        content_type = NO_HEAD.content_type
    elif content_type[: len(EVENT_STREAM)].lower() == EVENT_STREAM:
        return None
    return AnswerHead(status, content_type, date or b"", None, True, b"", request_id or b""), data[end:]
