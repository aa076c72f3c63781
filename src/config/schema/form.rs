//! Texts of a certain form.

use std::str::FromStr;

use crate::config::address::Address;
use crate::config::suggestion::did_you_mean;
use crate::domain::name::{EntityName, SourceName};
use crate::domain::pointer::Pointer;
use crate::domain::rules::MergePolicy;

/// What a text has to look like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// What is expected, for people.
    pub(crate) expected: &'static str,
    accepts: fn(&str) -> bool,
    /// Words that are likely to have been meant.
    words: &'static [&'static str],
    /// The text is never shown.
    secret: bool,
}

impl Form {
    const fn new(expected: &'static str, accepts: fn(&str) -> bool) -> Self {
        Self { expected, accepts, words: &[], secret: false }
    }

    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    const fn or_words(self, words: &'static [&'static str]) -> Self {
        Self { words, ..self }
    }

    /// Returns what is wrong with `text`.
    pub(crate) fn problem(&self, text: &str) -> Option<String> {
        if (self.accepts)(text) {
            return None;
        }
        let found =
            if self.secret { "something else (it may be secret and is not shown)".to_owned() } else { quote(text) };
        let head = text.split(':').next().unwrap_or_default();
        let guess = did_you_mean(head, self.words.iter().copied().filter(|word| *word != head));
        Some(format!("expected {}, found {found}{guess}", self.expected))
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.secret
    }
}

/// Returns `text` in quotes, on one line, cut off after 60 characters.
pub(crate) fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

pub(crate) const TEXT: Form = Form::new("a text without NUL", no_nul);
pub(crate) const PATH: Form = Form::new("a path", |text| no_nul(text) && !text.is_empty());
pub(crate) const OPTIONAL_PATH: Form = Form::new("a path, or \"\"", no_nul);
pub(crate) const LISTEN: Form =
    Form::new("HOST:PORT such as \"127.0.0.1:8470\" or \"[::1]:8470\", or \"\" for none", is_listen);
pub(crate) const HOST: Form = Form::new("a host name such as \"retcon.example.com\"", is_host);
pub(crate) const DATABASE_URL: Form =
    Form::new("\"embedded\" or postgres://USER:PASSWORD@HOST:PORT/DATABASE", is_database_url)
        .secret()
        .or_words(&["embedded"]);
pub(crate) const ENTITY_NAME: Form = Form::new("a name (1 to 64 of A-Z a-z 0-9 _ -)", parses::<EntityName>);
pub(crate) const SOURCE_NAME: Form = Form::new("a name (1 to 64 of A-Z a-z 0-9 _ -)", parses::<SourceName>);
pub(crate) const OPTIONAL_SOURCE_NAME: Form =
    Form::new("a name (1 to 64 of A-Z a-z 0-9 _ -), or \"\"", |text| text.is_empty() || parses::<SourceName>(text));
pub(crate) const POINTER: Form =
    Form::new("a JSON pointer (\"\", or \"/\" before each name, ~ as ~0 and / as ~1)", parses::<Pointer>);
pub(crate) const MERGE_POLICY: Form = Form::new(
    "ignore-conflicts, accept-all, reject-all, trust-only:SOURCE or prefer:SOURCE,SOURCE,...",
    parses::<MergePolicy>,
)
.or_words(&["ignore-conflicts", "accept-all", "reject-all", "trust-only", "prefer"]);
pub(crate) const MEMBER: Form = Form::new("the name of a member", |text| !text.is_empty());
pub(crate) const VARIABLE_NAME: Form =
    Form::new("the name of an environment variable that retcon does not set itself", is_variable_name);
pub(crate) const VARIABLE_VALUE: Form = Form::new("a text without NUL", no_nul).secret();

fn parses<T: FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

fn no_nul(text: &str) -> bool {
    !text.contains('\0')
}

fn is_listen(text: &str) -> bool {
    let host_and_port =
        |(host, port): (&str, &str)| is_host(host) && !host.contains(':') && port.parse::<u16>().is_ok();
    text.is_empty() || text.parse::<std::net::SocketAddr>().is_ok() || text.rsplit_once(':').is_some_and(host_and_port)
}

fn is_host(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.:[]".contains(c);
    !text.is_empty() && text.chars().all(good)
}

fn is_database_url(text: &str) -> bool {
    let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
    // What else is wrong with it is told when the configuration is put together.
    text == "embedded" || is_url && !Address::parse(text).is_err_and(|error| error.names_no_database())
}

/// The variables that retcon sets for each run of a source (docs/data-sources.md) are refused: they would be overwritten.
fn is_variable_name(text: &str) -> bool {
    const OURS: [&str; 8] = [
        "RETCON_ENTITY",
        "RETCON_SOURCE",
        "RETCON_OPERATION",
        "RETCON_KEY",
        "RETCON_INTERNAL_KEY",
        "RETCON_OPERATION_ID",
        "RETCON_EXPECTED_SHA256",
        "RETCON_RUN_ID",
    ];
    !text.is_empty() && !text.contains(['=', '\0']) && !OURS.contains(&text)
}
