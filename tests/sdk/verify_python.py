"""What the official Python validator says of the box's signatures: one `true` or `false` a line.

Reads JSON from standard input: for each request its URL as a server sees it, its body, and the signature's header.
"""

import json
import sys
from urllib.parse import parse_qsl

from twilio.request_validator import RequestValidator


class Form(dict):
    """A form as web frameworks hand it over: each name with all its values."""

    def getlist(self, name):
        return self[name]


for request in json.load(sys.stdin):
    if request["form"]:
        received = Form()
        for name, value in parse_qsl(request["body"], keep_blank_values=True):
            received.setdefault(name, []).append(value)
    else:
        received = request["body"] or {}
    validator = RequestValidator(request["token"])
    print(json.dumps(bool(validator.validate(request["url"], received, request["signature"]))))
