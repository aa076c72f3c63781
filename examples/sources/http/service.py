#!/usr/bin/env python3
"""A small customer service to keep in step with others: JSON over HTTP on a port of its own choosing.

    service.py DIRECTORY       keeps its customers in DIRECTORY/customers.db and writes its address to DIRECTORY/url

    POST   /customers          201 and {"id": "C-1"}; the same Idempotency-Key again: the same customer
    GET    /customers          {"ids": ["C-1", ...]}
    GET    /customers/C-1      the document, byte for byte as it was given, and its ETag
    PUT    /customers/C-1      with If-Match: 412 if the document is another one by now
    DELETE /customers/C-1      likewise

It stands for the system that you have already, and it is no part of retcon. It serves this machine only.
"""

import hashlib
import json
import os
import signal
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LARGEST = 16 * 1024 * 1024

# A customer who was deleted keeps the row, without a document: numbers and idempotency keys are never used again.
TABLE = """
CREATE TABLE IF NOT EXISTS customers (id INTEGER PRIMARY KEY, document BLOB, idempotency_key TEXT UNIQUE)
"""


class Refusal(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status = status
        self.code = code


def refuse(constant):
    raise ValueError(f"{constant} is no JSON")


def etag(document):
    return f'"{hashlib.sha256(document).hexdigest()}"'


class Customers:
    def __init__(self, place):
        self.database = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
        self.database.execute(TABLE)
        self.lock = threading.RLock()

    def list(self):
        with self.lock:
            rows = self.database.execute("SELECT id FROM customers WHERE document IS NOT NULL ORDER BY id")
            return [f"C-{number}" for (number,) in rows]

    def create(self, document, idempotency_key):
        with self.lock:
            old = self.database.execute("SELECT id FROM customers WHERE idempotency_key = ?", [idempotency_key]).fetchone()
            if old:
                return f"C-{old[0]}"
            new = "INSERT INTO customers (document, idempotency_key) VALUES (?, ?)"
            return f"C-{self.database.execute(new, [document, idempotency_key]).lastrowid}"

    def get(self, customer, if_match=None):
        with self.lock:
            row = self.database.execute("SELECT document FROM customers WHERE 'C-' || id = ?", [customer]).fetchone()
        if row is None or row[0] is None:
            raise Refusal(404, "no-such-customer")
        if if_match not in (None, etag(row[0])):
            raise Refusal(412, "changed-meanwhile")
        return row[0]

    def put(self, customer, document, if_match):
        with self.lock:
            self.get(customer, if_match)
            self.database.execute("UPDATE customers SET document = ? WHERE 'C-' || id = ?", [document, customer])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    customers: Customers

    def do_GET(self):
        self.answer(self.get)

    def do_POST(self):
        self.answer(self.post)

    def do_PUT(self):
        self.answer(self.put)

    def do_DELETE(self):
        self.answer(self.delete)

    def get(self):
        if self.path == "/customers":
            return 200, json.dumps({"ids": self.customers.list()}).encode()
        return 200, self.customers.get(self.customer())

    def post(self):
        if self.path != "/customers":
            raise Refusal(404, "no-such-page")
        customer = self.customers.create(self.document(), self.headers["Idempotency-Key"])
        return 201, json.dumps({"id": customer}).encode()

    def put(self):
        self.customers.put(self.customer(), self.document(), self.headers["If-Match"])
        return 204, b""

    def delete(self):
        self.customers.put(self.customer(), None, self.headers["If-Match"])
        return 204, b""

    def customer(self):
        _, collection, customer = (self.path.split("/", 2) + ["", ""])[:3]
        if collection != "customers" or not customer:
            raise Refusal(404, "no-such-page")
        return customer

    def document(self):
        try:
            length = int(self.headers["Content-Length"])
        except (TypeError, ValueError):
            raise Refusal(411, "length-required") from None
        if length > LARGEST:
            raise Refusal(413, "too-large")
        document = self.rfile.read(length)
        try:
            # For the check only; numbers as text, since Python refuses very long ones.
            if isinstance(json.loads(document, parse_int=str, parse_float=str, parse_constant=refuse), dict):
                return document
        except (ValueError, RecursionError):
            pass
        raise Refusal(422, "not-a-json-object")

    def answer(self, act):
        try:
            status, body = act()
        except Refusal as refusal:
            self.close_connection = True  # a body may not have been read
            status, body = refusal.status, json.dumps({"error": refusal.code}).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        if status == 200:
            self.send_header("ETag", etag(body))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main(directory):
    Handler.customers = Customers(directory / "customers.db")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Renamed into place: whoever finds the file finds a whole address, of a server that listens.
    fresh = directory / ".url.new"
    fresh.write_text(f"http://127.0.0.1:{server.server_port}\n")
    os.replace(fresh, directory / "url")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("use: service.py DIRECTORY")
    main(Path(sys.argv[1]))
