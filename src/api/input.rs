//! Reading requests strictly: what is missing, unknown, twice, or of the wrong type is refused by its place.

use actix_web::web;

use super::problem::{Code, Refused};
use crate::domain::json::{Json, Object};
use crate::domain::key::ForeignKey;
use crate::domain::name::{EntityName, SourceName};

/// Refuses a request as malformed.
pub(super) fn malformed(detail: impl std::fmt::Display) -> Refused {
    Refused::new(Code::Malformed, detail)
}

/// Refuses what is not known by its name, and says what is.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> Refused {
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    malformed(format_args!("unknown {what} {name:?}; known here: {known}"))
}

/// A value in a request body, and where it stands.
pub(super) struct Node<'a> {
    value: &'a Json,
    place: String,
}

/// The members of an object in a request body, all of them known by name.
pub(super) struct Members<'a> {
    members: &'a Object,
    place: String,
}

/// Parses a request body.
pub(super) fn parse(body: &[u8]) -> Result<Json, Refused> {
    if body.is_empty() {
        return Err(malformed("the body is empty, and should be a JSON object"));
    }
    Json::parse(body).map_err(|error| malformed(format_args!("the body is no JSON: {error}")))
}

impl<'a> Node<'a> {
    /// Begins at the top of a body.
    pub(super) fn top(value: &'a Json) -> Self {
        Self { value, place: String::new() }
    }

    /// Reads an object that has no other members than these.
    pub(super) fn object(&self, known: &[&str]) -> Result<Members<'a>, Refused> {
        let Json::Object(members) = self.value else { return Err(self.wrong("an object")) };
        let stranger = members.keys().find(|name| !known.iter().any(|known| name.as_str() == Some(known)));
        if let Some(name) = stranger {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let detail = format!("unknown member {name} in {}; known are {known}", self.spoken());
            return Err(self.refuse(detail));
        }
        Ok(Members { members, place: self.place.clone() })
    }

    /// Reads an object that may have any members.
    pub(super) fn members(&self) -> Result<Members<'a>, Refused> {
        let Json::Object(members) = self.value else { return Err(self.wrong("an object")) };
        Ok(Members { members, place: self.place.clone() })
    }

    pub(super) fn array(&self) -> Result<Vec<Node<'a>>, Refused> {
        let Json::Array(elements) = self.value else { return Err(self.wrong("an array")) };
        let element = |(n, value)| Node { value, place: format!("{}/{n}", self.place) };
        Ok(elements.iter().enumerate().map(element).collect())
    }

    /// Reads a string; one with a lone surrogate is refused, since no name or key holds any.
    pub(super) fn string(&self) -> Result<&'a str, Refused> {
        let Json::String(text) = self.value else { return Err(self.wrong("a string")) };
        text.as_str().ok_or_else(|| self.refuse(format!("{} holds a lone surrogate", self.spoken())))
    }

    pub(super) fn integer(&self) -> Result<i64, Refused> {
        let Json::Number(number) = self.value else { return Err(self.wrong("a whole number")) };
        number
            .whole()
            .ok_or_else(|| self.refuse(format!("{} should be a whole number, and is {number}", self.spoken())))
    }

    /// Reads a member that says something only by being `true`.
    pub(super) fn truth(&self) -> Result<(), Refused> {
        match self.value {
            Json::Bool(true) => Ok(()),
            Json::Bool(false) | Json::Null | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => {
                Err(self.wrong("true"))
            }
        }
    }

    pub(super) fn json(&self) -> &'a Json {
        self.value
    }

    /// Refuses the value, by its place.
    pub(super) fn refuse(&self, detail: String) -> Refused {
        refuse_at(&self.place, detail)
    }

    /// Adds the value's place to a refusal of what it says.
    pub(super) fn locate(&self, refused: Refused) -> Refused {
        refused.with(|problem| problem.place = Some(self.place.clone()))
    }

    fn wrong(&self, expected: &str) -> Refused {
        let found = match self.value {
            Json::Null => "null",
            Json::Bool(true) => "true",
            Json::Bool(false) => "false",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        };
        self.refuse(format!("{} should be {expected}, and is {found}", self.spoken()))
    }

    fn spoken(&self) -> String {
        spoken(&self.place)
    }
}

impl<'a> Members<'a> {
    pub(super) fn required(&self, name: &str) -> Result<Node<'a>, Refused> {
        let missing = || refuse_at(&self.place, format!("member {name:?} is missing in {}", spoken(&self.place)));
        self.optional(name).ok_or_else(missing)
    }

    pub(super) fn optional(&self, name: &str) -> Option<Node<'a>> {
        let value = self.members.get(&name.into())?;
        Some(Node { value, place: format!("{}/{name}", self.place) })
    }
}

fn refuse_at(place: &str, detail: String) -> Refused {
    malformed(detail).with(|problem| problem.place = Some(place.to_owned()))
}

fn spoken(place: &str) -> String {
    if place.is_empty() { "the body".to_owned() } else { place.to_owned() }
}

/// The parameters of a query, all of them known by name, each at most once; one without a value says nothing.
pub(super) struct Query(Vec<(String, String)>);

/// The part of a list that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) after: i64,
    pub(super) limit: i64,
}

impl Query {
    pub(super) fn parse(text: &str, known: &[&str]) -> Result<Self, Refused> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(text)
            .map_err(|error| malformed(format_args!("the query cannot be read: {error}")))?
            .into_inner();
        for (n, (name, value)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                return Err(unknown("query parameter", name, known));
            }
            if pairs.iter().skip(n + 1).any(|(other, _)| other == name) {
                return Err(malformed(format_args!("query parameter {name:?} stands twice")));
            }
            if value.contains('\0') {
                return Err(malformed(format_args!("query parameter {name:?} holds the character NUL")));
            }
        }
        Ok(Self(pairs))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    /// Reads `limit` (100 by default, clamped to 1,000) and `after`.
    pub(super) fn window(&self) -> Result<Window, Refused> {
        let limit = match self.get("limit") {
            None => 100,
            Some(text) => clamped(text)
                .ok_or_else(|| malformed(format_args!("limit should be a number from 1, and is {text:?}")))?,
        };
        let after = match self.get("after") {
            None => 0,
            Some(text) => number(text).ok_or_else(|| {
                malformed(format_args!("after should be the `next` of an earlier answer, and is {text:?}"))
            })?,
        };
        Ok(Window { after, limit })
    }
}

/// Reads a limit, however many digits it has.
fn clamped(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = digits.then(|| text.parse().unwrap_or(i64::MAX).min(1_000))?;
    (limit > 0).then_some(limit)
}

/// Reads a number that names something: plain digits.
fn number(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// Reads the number of a thing in the path.
pub(super) fn id(text: &str, what: &str) -> Result<i64, Refused> {
    number(text).ok_or_else(|| malformed(format_args!("{what} is named by a number, and {text:?} is none")))
}

/// Reads the name of an entity; what can be no name is the name of none.
pub(super) fn entity(text: &str) -> Result<EntityName, Refused> {
    text.parse().map_err(|_| Refused::new(Code::UnknownEntity, format_args!("no entity is named {text:?}")))
}

/// Reads the name of a source of `entity`.
pub(super) fn source(text: &str, entity: &EntityName) -> Result<SourceName, Refused> {
    text.parse().map_err(|_| {
        Refused::new(Code::UnknownSource, format_args!("the entity {entity} has no source named {text:?}"))
    })
}

/// Reads a foreign key.
pub(super) fn key(text: &str) -> Result<ForeignKey, Refused> {
    text.parse().map_err(|error| Refused::new(Code::InvalidForeignKey, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(query: &str) -> Result<Window, String> {
        let query = Query::parse(query, &["limit", "after"]).map_err(|refused| refused.to_string())?;
        query.window().map_err(|refused| refused.to_string())
    }

    #[test]
    fn a_limit_is_100_by_default_and_clamped_to_1000() {
        assert_eq!(window(""), Ok(Window { after: 0, limit: 100 }));
        assert_eq!(window("limit=&after="), Ok(Window { after: 0, limit: 100 }));
        assert_eq!(window("limit=1&after=7"), Ok(Window { after: 7, limit: 1 }));
        for great in ["1000", "1001", "99999999999999999999999999"] {
            assert_eq!(window(&format!("limit={great}")), Ok(Window { after: 0, limit: 1000 }));
        }
    }

    #[test]
    fn a_bad_window_is_refused_by_name() {
        for bad in [
            "limit=0",
            "limit=-1",
            "limit=%2B5",
            "limit=ten",
            "limit=1&limit=1",
            "limit=%00",
            "after=x",
            "after=-1",
            "before=1",
        ] {
            let refusal = window(bad).expect_err(bad);
            let name = bad.split('=').next().unwrap_or_default();
            assert!(refusal.starts_with("malformed: ") && refusal.contains(name), "{bad}: {refusal}");
        }
    }
}
