//! The settings themselves.

use std::time::Duration;

use super::form;
use super::{Key, Kind, Reload, Table};
use crate::config::model::{AlertKind, LogFormat, Mode, ReadBack, Severity};
use crate::config::words::words_of;
use crate::domain::rules::{Folding, OnDelete};

/// The sections that environment variables may override.
pub(crate) const ENVIRONMENT_SECTIONS: [&str; 4] = ["server", "database", "log", "reload"];

const SECOND: u64 = 1;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

const fn setting(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind, default: Some(default), doc }
}

const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, default: None, doc }
}

const fn table(name: &'static str, table: &'static Table, doc: &'static str) -> Key {
    Key { name, kind: Kind::Table(table), default: None, doc }
}

/// From a millisecond up to `max` seconds.
const fn span(max: u64) -> Kind {
    Kind::Duration { min: Duration::from_millis(1), max: Duration::from_secs(max), zero: false, forever: false }
}

/// From a millisecond up to `max` seconds, or nothing.
const fn span_or_zero(max: u64) -> Kind {
    Kind::Duration { min: Duration::from_millis(1), max: Duration::from_secs(max), zero: true, forever: false }
}

const fn lifetime() -> Kind {
    Kind::Duration { min: Duration::from_secs(1), max: Duration::from_secs(100 * YEAR), zero: false, forever: true }
}

pub(crate) static ROOT: Table = Table {
    reload: Reload::AtOnce,
    keys: &[
        table("server", &SERVER, "How the daemon is reached, and where it keeps its files."),
        table("database", &DATABASE, "The PostgreSQL that remembers everything."),
        table("log", &LOG, "What the daemon writes to stderr."),
        table("reload", &RELOAD, "When the configuration is read again, besides SIGHUP and `retcon reload`."),
        table("retention", &RETENTION, "How long what is over is kept; older rows are removed."),
        table("alerts", &ALERTS, "Who is told that a person is needed."),
        optional(
            "entities",
            Kind::Map { keys: form::ENTITY_NAME, values: &Kind::Table(&ENTITY) },
            "The kinds of data that are kept in step, each under a name of your choice.",
        ),
    ],
};

static SERVER: Table = Table {
    reload: Reload::Restart,
    keys: &[
        setting(
            "listen",
            Kind::Text(form::LISTEN),
            "\"127.0.0.1:8470\"",
            "The TCP address of the HTTP API, the web pages and the metrics, as `HOST:PORT`. `\"\"` for none: the unix socket in `state_dir` is always served.",
        ),
        setting(
            "hosts",
            Kind::List(&Kind::Text(form::HOST)),
            "[]",
            "The names by which browsers reach the daemon, besides loopback names and `listen`. A request for another host is refused.",
        ),
        table(
            "tls",
            &TLS,
            "The certificate for `listen`; without it HTTP is served in the clear. Over TCP every request needs a token; beyond loopback nobody listens before there is one.",
        ),
        setting(
            "state_dir",
            Kind::Text(form::PATH),
            "\"state\"",
            "The directory for the unix socket (`retcon.sock`, for the owner only), the locks, and the private PostgreSQL. A unix socket's path is at most 107 bytes long.",
        ),
        setting(
            "grace",
            span_or_zero(HOUR),
            "\"30s\"",
            "How long work in flight may take to finish when the daemon is stopped. `\"0s\"`: no time at all.",
        ),
    ],
};

static TLS: Table = Table {
    reload: Reload::Restart,
    keys: &[
        optional("cert", Kind::Text(form::PATH), "A PEM file with the certificate and those above it. Needs `key`."),
        optional("key", Kind::Text(form::PATH), "A PEM file with the private key. Needs `cert`."),
    ],
};

static DATABASE: Table = Table {
    reload: Reload::Restart,
    keys: &[
        setting(
            "url",
            Kind::Text(form::DATABASE_URL),
            "\"embedded\"",
            "`\"embedded\"` starts a private PostgreSQL in `server.state_dir`; else a `postgres://` URL, of several hosts if you like: the first that accepts writes is taken. `sslmode` is `disable`, `prefer`, `require`, `verify-ca` or `verify-full`; docs/operations.md, \"PostgreSQL\", says what is checked. Special characters in a password are written as `%` and two hexadecimal digits.",
        ),
        setting(
            "bin_dir",
            Kind::Text(form::OPTIONAL_PATH),
            "\"\"",
            "The directory of `initdb` and `postgres`, for `\"embedded\"`. `\"\"`: they are looked for on `PATH`, then where Debian has them.",
        ),
        setting(
            "pool_size",
            Kind::Whole { min: 1, max: 1_000 },
            "8",
            "How many connections to the database are open at most.",
        ),
    ],
};

static LOG: Table = Table {
    reload: Reload::AtOnce,
    keys: &[
        setting(
            "level",
            Kind::Word(words_of::<Severity>),
            "\"info\"",
            "The least severity that is written, of those of syslog.",
        ),
        setting(
            "format",
            Kind::Word(words_of::<LogFormat>),
            "\"auto\"",
            "How a line looks. `\"auto\"`: for the journal where stderr leads there, else for people.",
        ),
    ],
};

static RELOAD: Table = Table {
    reload: Reload::AtOnce,
    keys: &[setting(
        "watch",
        Kind::Flag,
        "true",
        "Whether the configuration is read again as soon as its file changes.",
    )],
};

static RETENTION: Table = Table {
    reload: Reload::AtOnce,
    keys: &[
        setting("work", lifetime(), "\"7d\"", "How long finished work items are kept."),
        setting(
            "history",
            lifetime(),
            "\"forever\"",
            "How long the versions of a record are kept, which `retcon history`, `explain` and `undo` rest on.",
        ),
        setting("events", lifetime(), "\"30d\"", "How long events are kept."),
    ],
};

static ALERTS: Table = Table {
    reload: Reload::AtOnce,
    keys: &[
        setting(
            "command",
            Kind::Command { may_be_empty: true },
            "[]",
            "The program that is run for each alert, with one JSON event on its stdin. `[]`: none.",
        ),
        setting(
            "on",
            Kind::List(&Kind::Word(words_of::<AlertKind>)),
            "[\"conflict\", \"parked\", \"in-doubt\", \"source-down\", \"deletes-held\", \"actor-gave-up\"]",
            "What is worth an alert.",
        ),
    ],
};

static ENTITY: Table = Table {
    reload: Reload::AtOnce,
    keys: &[
        setting("description", Kind::Text(form::TEXT), "\"\"", "For people."),
        setting(
            "schema",
            Kind::Text(form::OPTIONAL_PATH),
            "\"\"",
            "A file with a JSON Schema for the agreed document; what breaks it is one conflict at `\"\"`. `\"\"`: none.",
        ),
        setting(
            "mode",
            Kind::Word(words_of::<Mode>),
            "\"sync\"",
            "`\"observe\"`: look and merge, and write to no source.",
        ),
        setting(
            "merge_policy",
            Kind::Text(form::MERGE_POLICY),
            "\"ignore-conflicts\"",
            "What becomes of a change, and of changes that contradict each other (docs/merging.md): `ignore-conflicts`, `accept-all`, `reject-all`, `trust-only:SOURCE` or `prefer:SOURCE,SOURCE,...`.",
        ),
        setting(
            "match",
            Kind::List(&Kind::Text(form::POINTER)),
            "[]",
            "JSON pointers such as `[\"/email\"]`: a new item that is equal to a record in all of these places is the same record. `[]`: every new item is a new record.",
        ),
        setting(
            "on_delete",
            Kind::Word(words_of::<OnDelete>),
            "\"propagate\"",
            "What an accepted removal does: delete the other copies, create the lost one again, unlink it, or hold it for a person.",
        ),
        setting(
            "delete_after",
            span_or_zero(10 * YEAR),
            "\"0s\"",
            "How long a copy must stay missing before it counts as deleted.",
        ),
        table(
            "max_deletes",
            &MAX_DELETES,
            "The removals that are carried out because a source says that its copy does not exist; more are held until a person approves (`retcon deletes`).",
        ),
        table(
            "max_changes",
            &MAX_CHANGES,
            "The changes from one source, new items included, that are accepted without a person, so that a restored backup does not spread; more are parked, and `retcon retry` is consent.",
        ),
        table("throttle", &THROTTLE, "How hard the sources are worked."),
        table(
            "retry",
            &RETRY,
            "What happens after a source rejected an operation or gave a broken answer. An unreachable source is retried for as long as it takes.",
        ),
        table("reconcile", &RECONCILE, "Looking at every record from time to time."),
        optional(
            "fields",
            Kind::Map { keys: form::POINTER, values: &Kind::Table(&FIELD) },
            "Rules for the place at a JSON pointer and all below it; the longest pointer that sets a rule counts.",
        ),
        optional(
            "arrays",
            Kind::Map { keys: form::POINTER, values: &Kind::Table(&ARRAY) },
            "How the array at a JSON pointer is merged: exactly one of `key` and `set`. An array that is not named here is one value.",
        ),
        optional(
            "sources",
            Kind::Map { keys: form::SOURCE_NAME, values: &Kind::Table(&SOURCE) },
            "The systems that hold copies, each under a name of your choice; at least one.",
        ),
    ],
};

static MAX_DELETES: Table = Table {
    reload: Reload::AtOnce,
    keys: &[
        setting("count", Kind::Whole { min: 0, max: 1_000_000_000 }, "100", "How many; 0 is no limit."),
        setting("per", span(YEAR), "\"1h\"", "In what time before each of them."),
    ],
};

static MAX_CHANGES: Table = Table {
    reload: Reload::AtOnce,
    keys: &[
        setting("count", Kind::Whole { min: 0, max: 1_000_000_000 }, "0", "How many, of each source; 0 is no limit."),
        setting("per", span(YEAR), "\"1h\"", "In what time before each of them."),
    ],
};

static THROTTLE: Table = Table {
    reload: Reload::AtOnce,
    keys: &[
        setting(
            "rate",
            Kind::Number { max: 1_000_000.0 },
            "0.0",
            "Runs of sources a second, all sources of the entity together, whatever they are run for; 0 is no limit.",
        ),
        setting(
            "burst",
            Kind::Whole { min: 1, max: 1_000_000 },
            "1",
            "How many runs may follow each other at once after a pause; when the daemon starts, none are saved up.",
        ),
        setting("in_flight", Kind::Whole { min: 1, max: 10_000 }, "8", "How many records are synced at the same time."),
    ],
};

static RETRY: Table = Table {
    reload: Reload::AtOnce,
    keys: &[
        setting(
            "first",
            span(30 * DAY),
            "\"1s\"",
            "The delay before the first retry; it doubles, with some jitter, from one to the next.",
        ),
        setting("max", span(30 * DAY), "\"5m\"", "The longest delay; not below `first`."),
        setting(
            "attempts",
            Kind::Whole { min: 1, max: 1_000_000 },
            "5",
            "How many times in all, until the work item is parked for a person.",
        ),
    ],
};

static RECONCILE: Table = Table {
    reload: Reload::AtOnce,
    keys: &[
        setting(
            "every",
            span_or_zero(10 * YEAR),
            "\"0s\"",
            "How often. `\"0s\"`: only by hand, with `retcon reconcile`.",
        ),
        setting("mode", Kind::Word(words_of::<Mode>), "\"sync\"", "`\"observe\"`: such a run writes to no source."),
    ],
};

static FIELD: Table = Table {
    reload: Reload::AtOnce,
    keys: &[
        optional(
            "merge_policy",
            Kind::Text(form::MERGE_POLICY),
            "As the entity's. Left out: that of the next shorter pointer.",
        ),
        optional(
            "equal",
            Kind::List(&Kind::Word(words_of::<Folding>)),
            "Spellings that count as the same text: with other white space around it, in other case, in another Unicode form. Left out: those of the next shorter pointer.",
        ),
        setting("atomic", Kind::Flag, "false", "`true`: the object here is decided whole, not member by member."),
    ],
};

static ARRAY: Table = Table {
    reload: Reload::AtOnce,
    keys: &[
        optional("key", Kind::Text(form::MEMBER), "The member by which the elements, objects, are known."),
        setting("set", Kind::Flag, "false", "`true`: the elements are a set; their order does not count."),
    ],
};

static SOURCE: Table = Table {
    reload: Reload::RestartsTheSource,
    keys: &[
        setting("description", Kind::Text(form::TEXT), "\"\"", "For people."),
        optional(
            "command",
            Kind::Command { may_be_empty: false },
            "The program, run as `COMMAND create`, `COMMAND read KEY`, `COMMAND update KEY` and `COMMAND delete KEY`.",
        ),
        optional(
            "create",
            Kind::Command { may_be_empty: false },
            "The command that creates a copy; instead of `command`. It has no key.",
        ),
        optional(
            "read",
            Kind::Command { may_be_empty: false },
            "The command that reads a copy; instead of `command`. Required if there is no `command`.",
        ),
        optional(
            "update",
            Kind::Command { may_be_empty: false },
            "The command that replaces a copy; instead of `command`.",
        ),
        optional(
            "delete",
            Kind::Command { may_be_empty: false },
            "The command that deletes a copy; instead of `command`.",
        ),
        optional(
            "list",
            Kind::Command { may_be_empty: false },
            "An extension: the command that prints the key of every copy, one a line. Only where set.",
        ),
        optional(
            "find",
            Kind::Command { may_be_empty: false },
            "An extension: the command that prints the keys of the copies that equal the document on its stdin in the `match` places, or whole if there are none. Only where set.",
        ),
        setting("timeout", span(DAY), "\"30s\"", "How long one run may take; then its processes are ended."),
        setting("list_timeout", span(7 * DAY), "\"10m\"", "How long a run of `list` may take."),
        optional(
            "fields",
            Kind::List(&Kind::Text(form::POINTER)),
            "JSON pointers to the part of the document that this source holds. Left out: all of it.",
        ),
        setting(
            "read_back",
            Kind::FlagOrWord(|| vec![words_of::<ReadBack>()[0]]),
            "\"auto\"",
            "Whether a copy is read again after a write. `\"auto\"`: where the source may have stored something else than it was sent.",
        ),
        setting(
            "recheck",
            span_or_zero(HOUR),
            "\"250ms\"",
            "How old a reading may be when a write that rests on it begins; an older one is repeated. `\"0s\"`: always.",
        ),
        setting(
            "create_is_idempotent",
            Kind::Flag,
            "false",
            "`true`: a create may be repeated with the same `RETCON_OPERATION_ID`, and makes no second copy.",
        ),
        setting(
            "renamed_from",
            Kind::Text(form::OPTIONAL_SOURCE_NAME),
            "\"\"",
            "The name that this source had in this file before; its copies are kept. `\"\"`: none.",
        ),
        optional(
            "env",
            Kind::Map { keys: form::VARIABLE_NAME, values: &Kind::Text(form::VARIABLE_VALUE) },
            "Environment variables for its programs. The values are never logged or shown, also where a program prints them.",
        ),
    ],
};
