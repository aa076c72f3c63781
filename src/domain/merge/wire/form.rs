//! The question as `retcon merge` is asked it.

use std::collections::BTreeMap;

use crate::domain::json::Json;
use crate::domain::name::SourceName;
use crate::domain::record::{Base, RecordState};
use crate::domain::rules::{ArrayRule, FieldRule, Fields, Folding, MergePolicy, OnDelete, Rules};
use crate::domain::text::Text;

use super::super::{Copy, Question, Stand};
use super::WireError;
use super::reader::Reader;

const STATES: [(&str, RecordState); 2] = [("live", RecordState::Live), ("deleted", RecordState::Deleted)];
const ON_DELETE: [(&str, OnDelete); 4] = [
    ("propagate", OnDelete::Propagate),
    ("recreate", OnDelete::Recreate),
    ("unlink", OnDelete::Unlink),
    ("hold", OnDelete::Hold),
];
const FOLDINGS: [(&str, Folding); 3] =
    [("trim", Folding::Trim), ("casefold", Folding::Casefold), ("nfc", Folding::Nfc)];
const STANDS: [&str; 5] = ["current", "unreachable", "missing", "unlinked", "detached"];
const POLICY: &str = "ignore-conflicts, accept-all, reject-all, trust-only:SOURCE or prefer:SOURCE,SOURCE,...";

/// The input, read and checked.
#[derive(Debug)]
pub(super) struct Form<'a> {
    state: RecordState,
    rules: Rules,
    agreed: Option<&'a Json>,
    sources: BTreeMap<SourceName, Source<'a>>,
}

#[derive(Debug)]
struct Source<'a> {
    fields: Fields,
    base: Base,
    stand: Standing<'a>,
}

#[derive(Debug)]
enum Standing<'a> {
    Present(&'a Json),
    Unreachable { last: Option<&'a Json> },
    Missing,
    Unlinked,
    Detached,
}

impl<'a> Form<'a> {
    pub(super) fn read(input: &'a Json) -> Result<Self, WireError> {
        let input = Reader::root(input);
        input.known_members(&["state", "merge_policy", "on_delete", "fields", "arrays", "agreed", "sources"])?;
        let agreed = input.member("agreed").map(|agreed| agreed.value);
        let sources = input.member("sources");
        let sources = sources.ok_or_else(|| input.refuse_found("the member \"sources\"", "none".to_owned()))?;
        let source = |(name, source): (&Text, Reader<'a>)| {
            let refused = || sources.refuse_found("members named by sources", format!("the member {name}"));
            let name: SourceName = name.as_str().and_then(|name| name.parse().ok()).ok_or_else(refused)?;
            Ok((name, Source::read(&source, agreed)?))
        };
        Ok(Self {
            state: input.member("state").map_or(Ok(RecordState::Live), |state| state.word(&STATES))?,
            rules: rules(&input)?,
            agreed,
            sources: sources.members()?.map(source).collect::<Result<_, WireError>>()?,
        })
    }

    pub(super) fn question(&self) -> Question<'_> {
        Question {
            state: self.state,
            rules: &self.rules,
            agreed: self.agreed,
            copies: self.sources.iter().map(|(name, source)| (name.clone(), source.copy())).collect(),
            decisions: BTreeMap::new(),
            held: BTreeMap::new(),
        }
    }
}

impl<'a> Source<'a> {
    fn read(source: &Reader<'a>, agreed: Option<&Json>) -> Result<Self, WireError> {
        source.known_members(&[&["shadow", "ack", "owed", "unknown", "fields", "last"], &STANDS[..]].concat())?;
        let value = |name| source.member(name).map(|member| member.value.clone());
        let pointers = |name| source.member(name).map_or(Ok(Vec::new()), |member| member.pointers());
        let base = Base {
            shadow: value("shadow"),
            unknown: pointers("unknown")?,
            ack: value("ack").or_else(|| agreed.cloned()),
            owed: pointers("owed")?,
        };
        let fields = source.member("fields").map(|fields| fields.pointers()).transpose()?;
        Ok(Self { fields, base, stand: Standing::read(source)? })
    }

    fn copy(&self) -> Copy<'_> {
        let base = &self.base;
        let stand = match self.stand {
            Standing::Present(current) => Stand::Present { base, current },
            Standing::Unreachable { last } => Stand::Unreachable { base, last },
            Standing::Missing => Stand::Missing { base },
            Standing::Unlinked => Stand::Unlinked,
            Standing::Detached => Stand::Detached,
        };
        Copy { fields: &self.fields, stand }
    }
}

impl<'a> Standing<'a> {
    /// Reads the one member that says how the source stands to the record.
    fn read(source: &Reader<'a>) -> Result<Self, WireError> {
        let named: Vec<(&str, Reader<'a>)> =
            STANDS.into_iter().filter_map(|word| Some((word, source.member(word)?))).collect();
        let [(word, member)] = &named[..] else {
            let found = named.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(" and ");
            let found = if found.is_empty() { "none of them".to_owned() } else { found };
            let expected = "one of \"current\", \"unreachable\", \"missing\", \"unlinked\" and \"detached\"";
            return Err(source.refuse_found(expected, found));
        };
        let last = source.member("last");
        if *word == "current" {
            return last.map_or(Ok(Self::Present(member.value)), |_| Err(last_alone(source)));
        }
        member.sure()?;
        match (*word, last) {
            ("unreachable", last) => Ok(Self::Unreachable { last: last.map(|last| last.value) }),
            (_, Some(_)) => Err(last_alone(source)),
            ("missing", None) => Ok(Self::Missing),
            ("unlinked", None) => Ok(Self::Unlinked),
            (_, None) => Ok(Self::Detached),
        }
    }
}

fn last_alone(source: &Reader<'_>) -> WireError {
    source.refuse_found("\"last\" beside \"unreachable\" alone", "it beside another".to_owned())
}

fn rules(input: &Reader<'_>) -> Result<Rules, WireError> {
    let mut rules = Rules::default();
    if let Some(policy) = input.member("merge_policy") {
        rules.merge_policy = policy.parse(POLICY)?;
    }
    if let Some(on_delete) = input.member("on_delete") {
        rules.on_delete = on_delete.word(&ON_DELETE)?;
    }
    if let Some(fields) = input.member("fields") {
        for (name, rule) in fields.members()? {
            rules.fields.insert(fields.pointer(name)?, field_rule(&rule)?);
        }
    }
    if let Some(arrays) = input.member("arrays") {
        for (name, rule) in arrays.members()? {
            rules.arrays.insert(arrays.pointer(name)?, array_rule(&rule)?);
        }
    }
    Ok(rules)
}

/// Reads what is said of a place: a policy alone, or an object.
fn field_rule(rule: &Reader<'_>) -> Result<FieldRule, WireError> {
    if matches!(rule.value, Json::String(_)) {
        return Ok(FieldRule { merge_policy: Some(policy(rule)?), ..FieldRule::default() });
    }
    rule.known_members(&["merge_policy", "equal", "atomic"])?;
    let foldings =
        |equal: Reader<'_>| equal.array("an array of foldings")?.map(|folding| folding.word(&FOLDINGS)).collect();
    Ok(FieldRule {
        merge_policy: rule.member("merge_policy").map(|text| policy(&text)).transpose()?,
        equal: rule.member("equal").map(foldings).transpose()?,
        atomic: rule.member("atomic").map_or(Ok(false), |atomic| atomic.boolean())?,
    })
}

fn policy(text: &Reader<'_>) -> Result<MergePolicy, WireError> {
    text.parse(POLICY)
}

fn array_rule(rule: &Reader<'_>) -> Result<ArrayRule, WireError> {
    rule.known_members(&["key", "set"])?;
    match (rule.member("key"), rule.member("set")) {
        (Some(key), None) => {
            let key = key.value.as_text().cloned().ok_or_else(|| key.refuse("the name of a member"))?;
            Ok(ArrayRule::Key(key))
        }
        (None, Some(set)) => set.sure().map(|()| ArrayRule::Set),
        (Some(_), Some(_)) => Err(rule.refuse_found("\"key\" or \"set\"", "both".to_owned())),
        (None, None) => Err(rule.refuse_found("\"key\" or \"set\"", "neither".to_owned())),
    }
}
