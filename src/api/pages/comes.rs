//! What something comes to before it is done: what would be written where, field by field.

use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;

use super::parts::Badge;
use super::parts::{Cell, Tone};
use super::words;
use crate::actor::supervisor::PreviewReady;
use crate::domain::plan::{CopyPreview, Preview, Prospect};
use crate::domain::record::{Reading, RecordState};

/// A preview, as it is shown.
#[derive(Template)]
#[template(path = "parts/comes.html", config = "src/api/pages/askama.toml")]
pub(super) struct Comes {
    summary: String,
    copies: Vec<CopyRow>,
    agreed: Vec<(String, Cell, Cell)>,
    /// What is agreed afterwards, whole.
    document: Option<Cell>,
    is_deleted: bool,
    lost: Vec<(String, String, Cell)>,
    left: Vec<String>,
    breaches: Vec<String>,
    warnings: Vec<String>,
    observes: bool,
}

impl HtmlSafe for Comes {}

/// What would become of one copy.
struct CopyRow {
    source: String,
    key: Option<String>,
    word: &'static str,
    tone: Tone,
    detail: Option<String>,
    /// How long ago it was read.
    read: Option<String>,
    changes: Vec<(String, Cell, Cell)>,
    /// What is created.
    created: Option<Cell>,
}

impl CopyRow {
    fn badge(&self) -> Badge<'_> {
        Badge::new(self.word, self.tone)
    }
}

impl Comes {
    pub(super) fn of(ready: &PreviewReady) -> Self {
        let preview = &ready.preview;
        let copies = preview.copies.iter().map(|(name, copy)| {
            let age = ready.ages.get(name).copied();
            copy_row(name.to_string(), copy, age, preview.observes)
        });
        let is_deleted = preview.next.state == RecordState::Deleted;
        Self {
            summary: summary(preview),
            copies: copies.collect(),
            agreed: preview.changes.iter().map(words::change).collect(),
            document: preview.next.agreed.as_ref().filter(|_| !is_deleted).map(Cell::of),
            is_deleted,
            lost: preview
                .overruled
                .iter()
                .map(|lost| (lost.source.to_string(), words::place(&lost.path), Cell::of_field(lost.value.as_ref())))
                .collect(),
            left: preview.conflicts.iter().map(|conflict| words::place(&conflict.path)).collect(),
            breaches: preview
                .breaches
                .iter()
                .map(|breach| format!("{}: {}", words::place(&breach.path), breach.why))
                .collect(),
            warnings: preview.warnings.clone(),
            observes: preview.observes,
        }
    }
}

/// How many copies would be written to.
pub(super) fn writes(preview: &Preview) -> usize {
    let is_written =
        |copy: &&CopyPreview| matches!(copy.prospect, Prospect::Update { .. } | Prospect::Create(_) | Prospect::Delete);
    preview.copies.values().filter(is_written).count()
}

fn summary(preview: &Preview) -> String {
    let written = match writes(preview) {
        0 => "nothing is written to any system".to_owned(),
        1 => "one system is written to".to_owned(),
        number => format!("{number} systems are written to"),
    };
    if preview.next.version == preview.record.version {
        return format!("What is agreed stays as it is, and {written}.");
    }
    format!("It makes version {} of the record, and {written}.", preview.next.version)
}

fn copy_row(source: String, copy: &CopyPreview, age: Option<Duration>, observes: bool) -> CopyRow {
    let quiet = |word, detail: &str| (word, Tone::Quiet, Some(detail.to_owned()));
    let (word, tone, detail) = match &copy.prospect {
        Prospect::InStep if observes => quiet("not written", "retcon only observes this entity"),
        Prospect::InStep => quiet("stays as it is", "it holds what it should"),
        Prospect::None => quiet("no copy", "it has no copy of this record, and gets none"),
        Prospect::Contends => quiet("left alone", "what it says is still contested"),
        Prospect::Update { .. } => ("is updated", Tone::Good, None),
        Prospect::Create(_) => ("is created", Tone::Good, None),
        Prospect::Delete => ("is deleted", Tone::Bad, None),
        Prospect::Later(why) => ("later", Tone::Open, Some(format!("it cannot be dealt with now: {why}"))),
        Prospect::InDoubt => ("in doubt", Tone::Open, Some("nobody knows what became of an earlier write".to_owned())),
        Prospect::Sought => (
            "looked for first",
            Tone::Open,
            Some("an earlier create may have made it: that is found out first".to_owned()),
        ),
        Prospect::Detached => quiet("unlinked", "it was unlinked on purpose, and takes no part"),
    };
    let read = match (&copy.reading, age) {
        (Some(Reading::Present(_)), Some(age)) if age < Duration::from_secs(2) => Some("read just now".to_owned()),
        (Some(Reading::Present(_)), Some(age)) => Some(format!("read {} s ago", age.as_secs())),
        (Some(Reading::Missing), _) => Some("there is no such item there".to_owned()),
        (Some(Reading::Present(_) | Reading::Unreachable(_) | Reading::Broken(_)) | None, _) => None,
    };
    let (changes, created) = match &copy.prospect {
        Prospect::Update { changes, .. } => (changes.iter().map(words::change).collect(), None),
        Prospect::Create(document) => (Vec::new(), Some(Cell::of(document))),
        _ => (Vec::new(), None),
    };
    CopyRow { source, key: copy.key.as_ref().map(ToString::to_string), word, tone, detail, read, changes, created }
}
