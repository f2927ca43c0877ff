"""Does with the official Python library what it is told: a line of JSON in, a line of JSON out.

A line names a way from the client (`["calls", ["CA…"], "recordings"]`: names are attributes, lists are calls), the
method at its end, and the method's arguments. An instance comes back as its properties, a failure as its class, status
and code. `["http", url]` fetches as any HTTP client does, with the account's credentials; with `pieces`, piece by piece
while it comes, so many bytes each.
"""

import base64
import datetime
import decimal
import json
import os
import sys
import types

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

account, token, box = os.environ["ACCOUNT"], os.environ["TOKEN"], os.environ["BOX"]


def client(token):
    made = Client(account, token)
    for product in (made.api, made.taskrouter, made.voice):
        product.base_url = box
    return made


def plain(value):
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, types.GeneratorType)):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "_version"):
        # What Python keeps for itself is written with an underscore: `from`.
        shown = {"from" if name == "_from" else name: inner for name, inner in vars(value).items()}
        return {name: plain(inner) for name, inner in shown.items() if not name.startswith("_")}
    return str(value)


def arguments(given):
    made = {}
    for name, value in given.items():
        is_moment = isinstance(value, str) and value.startswith("@")
        value = datetime.datetime.fromisoformat(value[1:]) if is_moment else value
        made["from_" if name == "from" else name] = value
    return made


def done(order):
    way = order["way"]
    if way[0] == "http":
        headers = dict(order["with"])
        size = headers.pop("pieces", None)
        answer = requests.get(way[1], auth=(account, token), headers=headers, timeout=10, stream=True)
        pieces = list(answer.iter_content(size or 1 << 20))
        return {
            "status": answer.status_code,
            "type": answer.headers.get("Content-Type"),
            "pieces": len(pieces),
            "body": base64.b64encode(b"".join(pieces)).decode(),
        }
    at = client(order.get("token") or token)
    for step in way:
        at = at(*step) if isinstance(step, list) else getattr(at, step)
    return plain(getattr(at, order["do"])(**arguments(order["with"])))


for line in sys.stdin:
    try:
        told = {"is": done(json.loads(line))}
    except TwilioRestException as error:
        told = {"error": type(error).__name__, "status": error.status, "code": error.code}
    except TwilioException as error:
        told = {"error": type(error).__name__, "text": str(error)}
    print(json.dumps(told), flush=True)
