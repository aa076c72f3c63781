//! Names that an operator writes in the configuration.

use std::fmt;
use std::str::FromStr;

/// What is wrong with a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 64 of A-Z a-z 0-9 _ - and {found:?} is not")]
pub struct InvalidName {
    found: String,
}

fn check(text: &str) -> Result<(), InvalidName> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=64).contains(&text.len()) && text.bytes().all(good) {
        return Ok(());
    }
    Err(InvalidName { found: text.chars().take(80).collect() })
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// Returns the name as it stands in the configuration, case kept.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// The name of an entity, such as `customer`.
    EntityName
}

name! {
    /// The name of a data source within its entity, such as `crm`.
    SourceName
}

name! {
    /// The name of a token, such as `crm-webhook`: that of whoever bears it.
    TokenName
}

name! {
    /// The name of a webhook, such as `crm`: that of whoever signs.
    WebhookName
}
