//! What a plan comes to, for a person who is to approve it; and whether another plan comes to the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::{Fate, Plan, Terms};
use crate::domain::json::Json;
use crate::domain::key::ForeignKey;
use crate::domain::merge::{self, Change, Conflict, Overruled};
use crate::domain::name::SourceName;
use crate::domain::pointer::Pointer;
use crate::domain::record::{Known, LinkState, OperationKind, Reading, Record, RecordState};
use crate::domain::schema::Breach;
use crate::domain::spelling::Place;

/// What a look would come to if it were carried out now.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// As the record is.
    pub record: Record,
    /// As it would be.
    pub next: Record,
    /// What would lead there.
    pub changes: Vec<Change>,
    pub overruled: Vec<Overruled>,
    /// Every configured source.
    pub copies: BTreeMap<SourceName, CopyPreview>,
    /// The conflicts that would be open.
    pub conflicts: Vec<Conflict>,
    /// What would become of the person's will.
    pub fate: Fate,
    /// In which ways the document that would be agreed breaks the entity's schema.
    pub breaches: Vec<Breach>,
    pub warnings: Vec<String>,
    /// Nothing is ever written: retcon only observes this entity.
    pub observes: bool,
    pub shown: Shown,
}

/// What would become of one copy.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyPreview {
    pub key: Option<ForeignKey>,
    /// What it answered; `None`: it was not asked, since it has no copy.
    pub reading: Option<Reading>,
    pub prospect: Prospect,
}

/// What would be done at a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prospect {
    /// Nothing: it holds what it should.
    InStep,
    /// Nothing: it has no copy, and gets none.
    None,
    /// Nothing: it contends in a conflict that would stay open.
    Contends,
    Update {
        document: Json,
        /// What would be another there, place by place.
        changes: Vec<Change>,
    },
    Create(Json),
    Delete,
    /// Something may be owed to it that cannot be known or done now: the reason.
    Later(String),
    /// Nothing, until it is known what became of an earlier write.
    InDoubt,
    /// It is found out first what a create of unknown end has made there.
    Sought,
    /// Nothing: it was unlinked on purpose.
    Detached,
}

/// What a person was shown, as far as it takes to tell whether it is still so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The record's version.
    pub version: i64,
    /// Of what each copy answered.
    readings: BTreeMap<SourceName, Print>,
    /// Of all that would be recorded and written.
    outcome: Print,
}

/// What is another than it was shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moved {
    /// The record has this version by now.
    pub version: Option<i64>,
    /// These copies answer something else.
    pub copies: Vec<SourceName>,
}

/// Tells values apart: equal ones have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print([u8; 16]);

/// What is wrong with a text that should say what was shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this says of no preview what was shown")]
pub struct InvalidShown;

impl Preview {
    /// Says what `plan` comes to; at the sources `sought` it is found out first what is there.
    pub fn of(
        known: &Known,
        readings: &BTreeMap<SourceName, Reading>,
        terms: &Terms,
        sought: &BTreeSet<SourceName>,
        plan: &Plan,
    ) -> Self {
        let copy = |name: &SourceName| CopyPreview {
            key: known.links.get(name).and_then(|link| link.key.clone()),
            reading: readings.get(name).filter(|_| !sought.contains(name)).cloned(),
            prospect: if sought.contains(name) { Prospect::Sought } else { prospect(known, terms, name, plan) },
        };
        let copies: BTreeMap<_, _> = terms.sources.keys().map(|name| (name.clone(), copy(name))).collect();
        let agreed = plan.record.agreed.as_ref().filter(|_| plan.record.state == RecordState::Live);
        let breaches = terms.schema.as_ref().zip(agreed).map(|(schema, agreed)| schema.breaches(agreed));
        Self {
            record: known.record.clone(),
            next: plan.record.clone(),
            changes: plan.changes.clone(),
            overruled: plan.overruled.clone(),
            conflicts: plan.conflicts.clone(),
            fate: plan.fate.clone(),
            breaches: breaches.unwrap_or_default(),
            warnings: plan.warnings.clone(),
            observes: terms.observe,
            shown: Shown {
                version: known.record.version,
                readings: copies.iter().filter_map(|(name, copy)| Some((name.clone(), heard(copy)?))).collect(),
                outcome: outcome(plan, &copies),
            },
            copies,
        }
    }
}

fn prospect(known: &Known, terms: &Terms, name: &SourceName, plan: &Plan) -> Prospect {
    if let Some(write) = plan.writes.get(name) {
        return match (write.kind, &write.document) {
            (OperationKind::Create, Some(document)) => Prospect::Create(document.clone()),
            (OperationKind::Update, Some(document)) => {
                let place = Place::root(&terms.rules);
                let changes = merge::differences(&place, write.basis.as_ref(), Some(document), &[]);
                Prospect::Update { document: document.clone(), changes }
            }
            (OperationKind::Delete, _) | (OperationKind::Create | OperationKind::Update, None) => Prospect::Delete,
        };
    }
    if plan.in_doubt.contains_key(name) {
        return Prospect::InDoubt;
    }
    if let Some(owed) = plan.owed.get(name) {
        return Prospect::Later(owed.reason().unwrap_or_default().to_owned());
    }
    let contends = |conflict: &Conflict| conflict.contenders.iter().any(|contender| contender.sources.contains(name));
    if plan.conflicts.iter().any(contends) {
        return Prospect::Contends;
    }
    let state = plan.links.get(name).or_else(|| known.links.get(name)).map(|link| link.state);
    match state {
        Some(LinkState::Linked) => Prospect::InStep,
        Some(LinkState::Detached) => Prospect::Detached,
        Some(LinkState::Unlinked) | None => Prospect::None,
    }
}

/// The print of what a copy answered; that it did not, and why, tells nothing of it.
fn heard(copy: &CopyPreview) -> Option<Print> {
    Some(match copy.reading.as_ref()? {
        Reading::Present(document) => Print::of(document),
        Reading::Missing => Print::of("missing"),
        Reading::Unreachable(_) | Reading::Broken(_) => Print::of("away"),
    })
}

fn outcome(plan: &Plan, copies: &BTreeMap<SourceName, CopyPreview>) -> Print {
    let mut print = Printer::default();
    (plan.record.state == RecordState::Live).hash(&mut print);
    plan.record.agreed.hash(&mut print);
    for conflict in &plan.conflicts {
        (&conflict.path, &conflict.agreed).hash(&mut print);
        conflict.contenders.iter().for_each(|each| (&each.sources, &each.value).hash(&mut print));
    }
    for lost in &plan.overruled {
        (&lost.path, &lost.source, &lost.value).hash(&mut print);
    }
    for (name, copy) in copies {
        (name, &copy.key).hash(&mut print);
        let (word, document) = match &copy.prospect {
            Prospect::InStep | Prospect::None | Prospect::Contends => ("nothing", None),
            Prospect::Update { document, .. } => ("update", Some(document)),
            Prospect::Create(document) => ("create", Some(document)),
            Prospect::Delete => ("delete", None),
            Prospect::Later(_) => ("later", None),
            Prospect::InDoubt => ("in doubt", None),
            Prospect::Sought => ("sought", None),
            Prospect::Detached => ("detached", None),
        };
        (word, document).hash(&mut print);
    }
    print.end()
}

impl Shown {
    /// Says what is another by now than it was shown; nothing, if all of it still comes to the same.
    pub fn moved(&self, now: &Self) -> Option<Moved> {
        if self.version == now.version && self.outcome == now.outcome {
            return None;
        }
        let names = self.readings.keys().chain(now.readings.keys()).collect::<BTreeSet<_>>();
        let has_moved = |name: &&SourceName| self.readings.get(*name) != now.readings.get(*name);
        Some(Moved {
            version: (self.version != now.version).then_some(now.version),
            copies: names.into_iter().filter(has_moved).cloned().collect(),
        })
    }
}

impl Print {
    fn of<T: Hash + ?Sized>(value: &T) -> Self {
        let mut printer = Printer::default();
        value.hash(&mut printer);
        printer.end()
    }
}

/// Takes in what is to be told apart.
#[derive(Default)]
struct Printer(Sha256);

impl Printer {
    fn end(self) -> Print {
        let whole: [u8; 32] = self.0.finalize().into();
        Print(std::array::from_fn(|n| whole[n]))
    }
}

impl Hasher for Printer {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let Print(print) = Self(self.0.clone()).end();
        u64::from_be_bytes(std::array::from_fn(|n| print[n]))
    }
}

impl fmt::Display for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Print {
    type Err = InvalidShown;

    fn from_str(text: &str) -> Result<Self, InvalidShown> {
        let is_print = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let print = is_print.then(|| u128::from_str_radix(text, 16).ok()).flatten().ok_or(InvalidShown)?;
        Ok(Self(print.to_be_bytes()))
    }
}

/// Writes it as one word: `3;OUTCOME;crm=READING;...`.
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.version, self.outcome)?;
        self.readings.iter().try_for_each(|(name, print)| write!(f, ";{name}={print}"))
    }
}

impl FromStr for Shown {
    type Err = InvalidShown;

    fn from_str(text: &str) -> Result<Self, InvalidShown> {
        let mut parts = text.split(';');
        let version = parts.next().and_then(|text| text.parse().ok()).ok_or(InvalidShown)?;
        let outcome = parts.next().ok_or(InvalidShown)?.parse()?;
        let reading = |part: &str| {
            let (name, print) = part.split_once('=').ok_or(InvalidShown)?;
            Ok((name.parse().map_err(|_| InvalidShown)?, print.parse()?))
        };
        Ok(Self { version, outcome, readings: parts.map(reading).collect::<Result<_, InvalidShown>>()? })
    }
}

/// Where the breaches of a schema lie that a person's own word would be the cause of: those at, above or below a place.
pub fn breaches_at<'b>(breaches: &'b [Breach], place: &'b Pointer) -> impl Iterator<Item = &'b Breach> {
    breaches.iter().filter(move |breach| breach.path.touches(place))
}
