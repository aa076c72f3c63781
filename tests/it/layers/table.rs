//! The layers' table of ARCHITECTURE.md, as the test reads it.

/// What the files of one layer may and must not import.
pub(super) struct Layer {
    pub(super) name: &'static str,
    /// The other layers that it may import.
    pub(super) may: &'static [&'static str],
    /// Paths outside of this crate that it never imports, nor anything below them.
    pub(super) never: &'static [&'static str],
    /// The last names of paths that it never uses: what asks a clock or chance.
    pub(super) never_ends: &'static [&'static str],
    pub(super) may_be_async: bool,
}

const POSTGRES: [&str; 3] = ["tokio_postgres", "deadpool_postgres", "postgres_types"];

pub(super) const LAYERS: [Layer; 11] = [
    Layer {
        name: "points",
        may: &[],
        never: &["tokio", "actix", "actix_rt", "actix_web", "slog", POSTGRES[0], POSTGRES[1], POSTGRES[2], "std::fs"],
        never_ends: &[],
        may_be_async: false,
    },
    Layer {
        name: "domain",
        may: &[],
        never: &[
            "tokio",
            "actix",
            "actix_rt",
            "actix_web",
            "slog",
            "slog_async",
            POSTGRES[0],
            POSTGRES[1],
            POSTGRES[2],
            "config",
            "reqwest",
            "rustix",
            "tempfile",
            "rand",
            "getrandom",
            "futures_util",
            "std::fs",
            "std::net",
            "std::process",
            "std::env",
            "std::thread",
            "std::os",
            "std::future",
            "std::time::Instant",
            "std::time::SystemTime",
        ],
        never_ends: &["now", "now_v7", "new_v4"],
        may_be_async: false,
    },
    Layer {
        name: "config",
        may: &["domain"],
        never: &["tokio", "actix", "actix_rt", "actix_web", POSTGRES[1], "reqwest", "std::process"],
        never_ends: &[],
        may_be_async: false,
    },
    Layer {
        name: "log",
        may: &["domain", "config"],
        never: &["tokio", "actix", "actix_rt", "actix_web", POSTGRES[0], POSTGRES[1], POSTGRES[2], "std::process"],
        never_ends: &[],
        may_be_async: false,
    },
    Layer {
        name: "metrics",
        may: &["domain"],
        never: &["tokio", "actix", "actix_rt", "actix_web", "slog", POSTGRES[0], POSTGRES[1], POSTGRES[2], "std::fs"],
        never_ends: &["now"],
        may_be_async: false,
    },
    Layer {
        name: "source",
        may: &["domain", "config", "log", "metrics", "points"],
        never: &["actix", "actix_rt", "actix_web", POSTGRES[0], POSTGRES[1], POSTGRES[2], "reqwest"],
        never_ends: &[],
        may_be_async: true,
    },
    Layer {
        name: "store",
        may: &["domain", "config", "log", "points"],
        never: &["actix", "actix_rt", "actix_web", "reqwest"],
        never_ends: &[],
        may_be_async: true,
    },
    Layer {
        name: "actor",
        may: &["domain", "config", "log", "metrics", "source", "store", "points"],
        never: &[
            POSTGRES[0],
            POSTGRES[1],
            POSTGRES[2],
            "actix_web",
            "reqwest",
            "rustix",
            "std::process",
            "tokio::process",
            "std::net",
            "tokio::net",
        ],
        never_ends: &[],
        may_be_async: true,
    },
    Layer {
        name: "api",
        may: &["domain", "config", "log", "metrics", "actor"],
        never: &[POSTGRES[0], POSTGRES[1], POSTGRES[2], "std::process", "tokio::process"],
        never_ends: &[],
        may_be_async: true,
    },
    Layer {
        name: "cli",
        may: &["domain", "config", "log", "source", "api"],
        never: &[POSTGRES[0], POSTGRES[1], POSTGRES[2], "actix"],
        never_ends: &[],
        may_be_async: true,
    },
    Layer {
        name: "daemon",
        may: &["domain", "config", "log", "metrics", "source", "store", "actor", "api", "points"],
        never: &[],
        never_ends: &[],
        may_be_async: true,
    },
];

/// Macros stand at the root of the crate, wherever they are written: these are of `log`.
pub(super) const MACROS_OF_LOG: [&str; 3] = ["emerg", "alert", "notice"];
