//! Documents of users: every value that one writes is written by nobody else, ever.

use serde_json::{Map, Value, json};

use crate::chance::Chance;

/// The members that users edit.
pub const POINTERS: [&str; 4] = ["/a", "/b", "/n/x", "/c"];

/// What nobody touches: it must come out digit for digit. Each is parsed as it stands.
const UNTOUCHED: [&str; 6] = [
    "123456789012345678901234567890",
    "0.1000000000000000055511151231257827",
    "1e400",
    "-0",
    "[1.10,1.1,{\"deep\":[\"\\ud83d\\ude00\",null]}]",
    "\"\\u0000\\ttab \\\"quoted\\\" \\\\\"",
];

/// Makes values.
#[derive(Debug)]
pub struct Values {
    owner: String,
    count: u64,
}

impl Values {
    /// Begins the values of one who writes.
    pub fn of(owner: &str) -> Self {
        Self { owner: owner.to_owned(), count: 0 }
    }

    /// Gives a value that nobody wrote before: text, now and then with blanks around it, or a long number.
    pub fn fresh(&mut self, chance: &mut Chance) -> Value {
        self.count += 1;
        let (owner, count) = (&self.owner, self.count);
        match chance.below(12) {
            0 => json!(format!("v:{owner}:{count} ")),
            1 => {
                let text =
                    format!("{count}00000000000000000000.{}5", owner.replace(|c: char| !c.is_ascii_digit(), "7"));
                serde_json::from_str(&text).unwrap_or(Value::Null)
            }
            _ => json!(format!("v:{owner}:{count}")),
        }
    }

    /// Gives a new item.
    pub fn item(&mut self, chance: &mut Chance) -> Value {
        self.count += 1;
        let mut members = Map::new();
        members.insert("id".to_owned(), json!(format!("i:{}:{}", self.owner, self.count)));
        members.insert("a".to_owned(), self.fresh(chance));
        members.insert("b".to_owned(), self.fresh(chance));
        members.insert("n".to_owned(), json!({"x": self.fresh(chance)}));
        let untouched = chance.pick(&UNTOUCHED).and_then(|text| serde_json::from_str(text).ok());
        members.insert("z".to_owned(), untouched.unwrap_or(Value::Null));
        Value::Object(members)
    }
}

/// Writes a value, and gives what stood there.
pub fn put(document: &mut Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    if document.pointer(parent).is_none_or(|parent| !parent.is_object()) {
        put(document, parent, json!({}));
    }
    let parent = document.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.and_then(|parent| parent.insert(name.to_owned(), value)).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_made_twice() {
        let mut chance = Chance::new(1, "values");
        let mut made: Vec<String> = Vec::new();
        for owner in ["u1", "u2", "u12"] {
            let mut values = Values::of(owner);
            made.extend((0..300).map(|_| values.fresh(&mut chance).to_string()));
        }
        made.sort();
        made.dedup();
        assert_eq!(made.len(), 900);
    }

    #[test]
    fn what_is_put_below_nothing_makes_what_is_above_it() {
        let mut document = json!({"id": 1});
        assert_eq!(put(&mut document, "/n/x", json!("new")), Value::Null);
        assert_eq!(put(&mut document, "/n/x", json!("newer")), json!("new"));
        assert_eq!(document, json!({"id": 1, "n": {"x": "newer"}}));
    }
}
