//! Settings that are one word out of a few: the only place that says which word stands for which value.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::model::{AlertKind, LogFormat, Mode, ReadBack, Severity};
use crate::domain::rules::{Folding, OnDelete};

/// A type whose values are written as one of a few words.
pub(crate) trait Words: Copy + PartialEq + 'static {
    /// Every value with its word, in the order of the documentation.
    const WORDS: &'static [(&'static str, Self)];

    /// Returns the value that `word` stands for.
    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(candidate, _)| *candidate == word).map(|(_, value)| *value)
    }

    /// Returns the word for this value.
    fn word(self) -> &'static str {
        let word = Self::WORDS.iter().find(|(_, candidate)| *candidate == self).map(|(word, _)| *word);
        word.expect("every value has its word")
    }
}

/// Returns the words of `T`.
pub(crate) fn words_of<T: Words>() -> Vec<&'static str> {
    T::WORDS.iter().map(|(word, _)| *word).collect()
}

/// A value read from its word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word<T>(pub(crate) T);

impl<'de, T: Words> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        T::from_word(&word).map(Self).ok_or_else(|| D::Error::custom("not one of the words"))
    }
}

impl Words for Severity {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("emerg", Self::Emerg),
        ("alert", Self::Alert),
        ("crit", Self::Crit),
        ("error", Self::Error),
        ("warning", Self::Warning),
        ("notice", Self::Notice),
        ("info", Self::Info),
        ("debug", Self::Debug),
    ];
}

impl Words for LogFormat {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("text", Self::Text), ("json", Self::Json), ("journal", Self::Journal)];
}

impl Words for AlertKind {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("conflict", Self::Conflict),
        ("parked", Self::Parked),
        ("in-doubt", Self::InDoubt),
        ("source-down", Self::SourceDown),
        ("deletes-held", Self::DeletesHeld),
        ("actor-gave-up", Self::ActorGaveUp),
    ];
}

impl Words for Mode {
    const WORDS: &'static [(&'static str, Self)] = &[("sync", Self::Sync), ("observe", Self::Observe)];
}

impl Words for OnDelete {
    const WORDS: &'static [(&'static str, Self)] =
        &[("propagate", Self::Propagate), ("recreate", Self::Recreate), ("unlink", Self::Unlink), ("hold", Self::Hold)];
}

impl Words for Folding {
    const WORDS: &'static [(&'static str, Self)] =
        &[("trim", Self::Trim), ("casefold", Self::Casefold), ("nfc", Self::Nfc)];
}

/// `true` and `false` are booleans in the file, not texts.
impl Words for ReadBack {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("true", Self::Always), ("false", Self::Never)];
}
