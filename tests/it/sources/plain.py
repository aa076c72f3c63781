#!/usr/bin/env python3
"""A data source by docs/data-sources.md alone: a directory, one file an item. plain.py DIRECTORY OPERATION [KEY]

A file `refuse` in the directory has it refuse every change, a file `rekey` has it change the key at every update.
Its stderr says what it does.
"""

import os
import sys
from pathlib import Path

system = Path(sys.argv[1])
operation = sys.argv[2]
key = sys.argv[3] if len(sys.argv) > 3 else None


def end(status, message):
    print(f"plain.py: {message}", file=sys.stderr)
    sys.exit(status)


def place(key):
    return system / "items" / f"{key}.json"


def new_key():
    counter = system / "next"
    number = int(counter.read_text()) if counter.exists() else 1
    counter.write_text(str(number + 1))
    return f"py {number}"


def store(key, document):
    new = place(f"{key}.new")
    new.write_bytes(document)
    os.replace(new, place(key))


def refusing():
    if (system / "refuse").exists():
        end(3, f"{operation} refused")


if not (system / "items").is_dir():
    end(1, "nobody at home")
if key is not None and not os.path.exists(place(key)):
    end(2, f"no item {key}")
print(f"plain.py: {operation}", file=sys.stderr)
if operation == "create":
    refusing()
    key = new_key()
    store(key, sys.stdin.buffer.read())
    print(key)
elif operation == "read":
    sys.stdout.buffer.write(place(key).read_bytes())
elif operation == "update":
    refusing()
    store(key, sys.stdin.buffer.read())
    if (system / "rekey").exists():
        new = new_key()
        os.replace(place(key), place(new))
        print(new)
elif operation == "delete":
    refusing()
    place(key).unlink()
elif operation == "list":
    for item in sorted((system / "items").glob("*.json")):
        print(item.name.removesuffix(".json"))
