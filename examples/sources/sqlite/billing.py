#!/usr/bin/env python3
"""A data source for retcon: the customers in billing's SQLite database.

    billing.py DATABASE create | read KEY | update KEY | delete KEY | list
    billing.py DATABASE setup       makes the tables where they are not there yet

The table has three columns, so this source holds a part of the document: give it `fields = ["/name", "/email", "/phone"]`.
"""

import hashlib
import json
import os
import sqlite3
import sys
import traceback
from pathlib import Path

COLUMNS = ("name", "email", "phone")

# AUTOINCREMENT: the number of a customer who is gone is never given to a new one.
# `operations` says which create made which customer, so that a create that is repeated makes no second one.
SETUP = """
CREATE TABLE IF NOT EXISTS customers (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, email TEXT, phone TEXT);
CREATE TABLE IF NOT EXISTS operations (id TEXT PRIMARY KEY, customer INTEGER NOT NULL);
"""

# Compared as text: "007" is not another name of customer 7.
HERE = "id = CAST(:key AS INTEGER) AND CAST(id AS TEXT) = :key"

UNREACHABLE, MISSING, REFUSED = 1, 2, 3  # what the contract names
CHANGED, USAGE, BUG = 4, 64, 70  # ours: any status beyond 3 means that nobody knows, look again


class Failure(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Number(str):
    """A number as it was written: as a float, 12345678901234567890.10 would lose digits and 1e400 would be infinite."""


def no_number(text):
    raise ValueError(f"{text} is no JSON")


def from_json(text):
    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=no_number)


def to_json(value):
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {to_json(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_json, value)) + "]"
    return json.dumps(value)


def to_row(document):
    """Strings become text. What a text column cannot hold (12, null, {}, half a surrogate pair) becomes a blob with its JSON."""
    more = sorted(document.keys() - set(COLUMNS))
    if more:
        raise Failure(REFUSED, f"customers have no {', '.join(more)}")  # to leave it out would look like an edit
    return {column: to_cell(document[column]) if column in document else None for column in COLUMNS}


def to_cell(value):
    plain = type(value) is str and not any("\ud800" <= letter <= "\udfff" for letter in value)
    return value if plain else to_json(value).encode()


def to_document(row):
    cells = zip(COLUMNS, row)
    return {column: from_json(cell) if isinstance(cell, bytes) else cell for column, cell in cells if cell is not None}


def from_stdin():
    try:
        document = from_json(sys.stdin.buffer.read())
    except ValueError as error:  # cut off, or not UTF-8
        raise Failure(REFUSED, f"cannot read the document on stdin: {error}") from error
    if not isinstance(document, dict):
        raise Failure(REFUSED, "a customer is an object")
    return document


def create(database, _):
    operation = os.environ.get("RETCON_OPERATION_ID")
    row = to_row(from_stdin())
    database.execute("BEGIN IMMEDIATE")
    made = database.execute("SELECT customer FROM operations WHERE id = ?", [operation]).fetchone()
    if made:
        customer = made[0]
    else:
        customer = database.execute("INSERT INTO customers (name, email, phone) VALUES (:name, :email, :phone)", row).lastrowid
        if operation:
            database.execute("INSERT INTO operations (id, customer) VALUES (?, ?)", [operation, customer])
    database.execute("COMMIT")
    return f"{customer}\n"


def read(database, key):
    row = database.execute(f"SELECT name, email, phone FROM customers WHERE {HERE}", {"key": key}).fetchone()
    if row is None:
        raise Failure(MISSING, f"there is no customer {key}")
    return to_json(to_document(row)) + "\n"


def update(database, key):
    row = to_row(from_stdin())
    database.execute("BEGIN IMMEDIATE")
    must_be_as_read(database, key)
    database.execute(f"UPDATE customers SET name = :name, email = :email, phone = :phone WHERE {HERE}", {**row, "key": key})
    database.execute("COMMIT")
    return ""


def delete(database, key):
    database.execute("BEGIN IMMEDIATE")
    must_be_as_read(database, key)
    database.execute(f"DELETE FROM customers WHERE {HERE}", {"key": key})
    database.execute("COMMIT")
    return ""


def must_be_as_read(database, key):
    """Retcon says on which reading a change rests. If somebody was faster, nothing is done, and it will look again."""
    expected = os.environ.get("RETCON_EXPECTED_SHA256")
    found = hashlib.sha256(read(database, key).encode()).hexdigest()
    if expected and expected != found:
        raise Failure(CHANGED, f"customer {key} has changed meanwhile, nothing was done")


def list_keys(database, _):
    return "".join(f"{customer}\n" for (customer,) in database.execute("SELECT id FROM customers ORDER BY id"))


OPERATIONS = {"create": create, "read": read, "update": update, "delete": delete, "list": list_keys}
ON_A_KEY = ("read", "update", "delete")


def run(arguments):
    if arguments[1:] == ["setup"]:
        sqlite3.connect(arguments[0]).executescript(SETUP)
        return ""
    operation = OPERATIONS.get(arguments[1]) if len(arguments) > 1 else None
    if not operation or len(arguments) != (3 if arguments[1] in ON_A_KEY else 2):
        raise Failure(USAGE, "use: billing.py DATABASE create | read KEY | update KEY | delete KEY | list | setup")
    # mode=rw: a database that is not there is unreachable, not new and empty (then every customer would be missing).
    place = Path(arguments[0]).absolute().as_uri() + "?mode=rw"
    database = sqlite3.connect(place, uri=True, isolation_level=None, timeout=20)
    return operation(database, arguments[2] if len(arguments) == 3 else None)


def main(arguments):
    try:
        sys.stdout.write(run(arguments))
        sys.stdout.flush()
        return 0
    except Failure as failure:
        status, message = failure.status, failure
    except sqlite3.IntegrityError as error:
        status, message = REFUSED, error
    except sqlite3.Error as error:
        status, message = UNREACHABLE, f"cannot use {arguments[0]}: {error}"
    except Exception:  # Python would end with 1, but a slip of ours is not an outage
        status, message = BUG, traceback.format_exc()
    print(f"billing.py: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
