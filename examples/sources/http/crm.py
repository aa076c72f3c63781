#!/usr/bin/env python3
"""A data source for retcon: the customers of a service with a JSON API over HTTP.

    crm.py create | read KEY | update KEY | delete KEY | list

Settings, in the environment (`env` in retcon.toml):
    CRM_URL         where the service is, e.g. https://crm.example.com; or
    CRM_URL_FILE    a file that says so
    CRM_TOKEN       a bearer token, if the service wants one
"""

import http.client
import json
import os
import re
import sys
import traceback
import urllib.error
import urllib.request
from pathlib import Path

DEADLINE = 20  # seconds; less than the source's `timeout`, so that it is us who say what happened

UNREACHABLE, MISSING, REFUSED = 1, 2, 3  # what the contract names
CHANGED, USAGE, BUG = 4, 64, 70  # ours: any status beyond 3 means that nobody knows, look again

TRY_LATER = (408, 425, 429)


class Failure(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def address():
    url = os.environ.get("CRM_URL")
    if not url:
        try:
            url = Path(os.environ["CRM_URL_FILE"]).read_text()
        except KeyError:
            raise Failure(USAGE, "set CRM_URL or CRM_URL_FILE") from None
        except OSError as error:
            raise Failure(UNREACHABLE, f"the service is not running: {error}") from error
    return url.strip().rstrip("/")


def call(method, path, document=None, headers=()):
    """Sends one request and gives the body of the answer; a failure says what it means to retcon."""
    request = urllib.request.Request(address() + path, data=document, method=method, headers=dict(headers))
    if document is not None:
        request.add_header("Content-Type", "application/json")
    if "CRM_TOKEN" in os.environ:
        request.add_header("Authorization", f"Bearer {os.environ['CRM_TOKEN']}")
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise meaning(error, f"{method} {request.full_url}: {error}") from error
    except (OSError, http.client.HTTPException) as error:  # no connection, a time-out, half an answer
        raise Failure(UNREACHABLE, f"cannot reach {request.full_url}: {error}") from error


def meaning(error, message):
    try:
        code = json.load(error)["error"]
    except (ValueError, TypeError, LookupError, OSError, http.client.HTTPException):
        code = None
    if error.code == 404 and code == "no-such-customer":
        return Failure(MISSING, message)
    # A proxy, or a wrong address, says 404 too, and to every customer. Only the service itself knows who is missing.
    if error.code == 404 or error.code >= 500 or error.code in TRY_LATER:
        return Failure(UNREACHABLE, message)
    if error.code == 412:
        return Failure(CHANGED, f"{message}: changed meanwhile, nothing was done")
    return Failure(REFUSED, f"{message} ({code})")


def one(key):
    """The path of a customer. What the service never gave out as an id is missing, and nothing to build a path from."""
    if not re.fullmatch(r"C-[0-9]+", key):
        raise Failure(MISSING, f"there is no customer {key}")
    return f"/customers/{key}"


def as_read():
    """Retcon says on which reading a change rests; the service compares, and does nothing if somebody was faster."""
    expected = os.environ.get("RETCON_EXPECTED_SHA256")
    return {"If-Match": f'"{expected}"'} if expected else {}


def create():
    # The service remembers the key: a create that is repeated, because its answer was lost, makes no second customer.
    operation = os.environ.get("RETCON_OPERATION_ID")
    headers = {"Idempotency-Key": operation} if operation else {}
    answer = json.loads(call("POST", "/customers", sys.stdin.buffer.read(), headers))
    return answer["id"].encode() + b"\n"


def read(key):
    return call("GET", one(key))  # the bytes as they came: what is never parsed is never changed


def update(key):
    call("PUT", one(key), sys.stdin.buffer.read(), as_read())
    return b""


def delete(key):
    call("DELETE", one(key), headers=as_read())
    return b""


def list_keys():
    return "".join(f"{customer}\n" for customer in json.loads(call("GET", "/customers"))["ids"]).encode()


OPERATIONS = {("create", 0): create, ("read", 1): read, ("update", 1): update, ("delete", 1): delete, ("list", 0): list_keys}


def main(arguments):
    try:
        operation = OPERATIONS.get((arguments[0], len(arguments) - 1)) if arguments else None
        if not operation:
            raise Failure(USAGE, "use: crm.py create | read KEY | update KEY | delete KEY | list")
        sys.stdout.buffer.write(operation(*arguments[1:]))
        sys.stdout.flush()
        return 0
    except Failure as failure:
        status, message = failure.status, failure
    except Exception:  # Python would end with 1, but a slip of ours is not an outage
        status, message = BUG, traceback.format_exc()
    print(f"crm.py: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
