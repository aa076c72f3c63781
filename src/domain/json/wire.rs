//! How JSON values pass through `serde` and `serde_json` without losing anything.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use super::Json;

/// Serializes through `serde_json`'s raw values: only for `serde_json`, and never inside `flatten` or an untagged enum.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// Reads the raw text with [`Json::parse`], so that what it refuses is refused here too.
impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Json::parse(raw.get().as_bytes()).map_err(D::Error::custom)
    }
}

/// Deserializes a member that may be left out and that may be `null`, which is not the same.
///
/// For `#[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]`.
///
/// # Errors
/// As for [`Json`] itself.
pub fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl Json {
    /// Returns the value as `serde_json` has it; `None` if it holds a lone surrogate, which that cannot.
    pub fn to_serde(&self) -> Option<serde_json::Value> {
        match self {
            Self::Null => Some(serde_json::Value::Null),
            Self::Bool(value) => Some((*value).into()),
            Self::Number(number) => number.as_str().parse().ok().map(serde_json::Value::Number),
            Self::String(text) => text.as_str().map(Into::into),
            Self::Array(elements) => elements.iter().map(Self::to_serde).collect::<Option<Vec<_>>>().map(Into::into),
            Self::Object(members) => {
                let members = members.iter().map(|(name, value)| Some((name.as_str()?.to_owned(), value.to_serde()?)));
                members.collect::<Option<serde_json::Map<_, _>>>().map(Into::into)
            }
        }
    }
}
