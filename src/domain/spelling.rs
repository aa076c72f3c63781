//! When two values are the same value: spellings that the rules declare equal, sets without order, keyed arrays by key.

use std::borrow::Cow;
use std::collections::BTreeSet;

use caseless::default_case_fold_str;
use unicode_normalization::UnicodeNormalization;

use super::json::{Json, Object};
use super::pointer::Pointer;
use super::rules::{ArrayRule, Folding, Rules};
use super::text::{Text, TextBuilder};

/// Says whether two values, or their absence, are the same at this place.
pub fn same(a: Option<&Json>, b: Option<&Json>, at: &Pointer, rules: &Rules) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Place::at(at, rules).same(a, b),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Returns the form that all spellings of this value at this place share; what needs none is borrowed.
pub fn canonical<'v>(value: &'v Json, at: &Pointer, rules: &Rules) -> Cow<'v, Json> {
    Place::at(at, rules).canonical(value)
}

/// A place, with what the rules say of equality and of arrays, there and below.
///
/// An element of a keyed array has its key below the array's place; one of another array has the array's own place,
/// so that a rule for `/tags` is one for each tag.
#[derive(Debug, Clone)]
pub struct Place<'r> {
    foldings: &'r [Folding],
    array: Option<&'r ArrayRule>,
    foldings_below: Vec<(&'r [Text], &'r [Folding])>,
    arrays_below: Vec<(&'r [Text], &'r ArrayRule)>,
}

impl<'r> Place<'r> {
    /// Returns the place of the whole document.
    pub fn root(rules: &'r Rules) -> Self {
        let foldings = rules.fields.iter().filter_map(|(at, rule)| Some((at.tokens(), rule.equal.as_deref()?)));
        let arrays = rules.arrays.iter().map(|(at, rule)| (at.tokens(), rule));
        Self::narrowed(&[], foldings, arrays)
    }

    /// Returns the place at a pointer.
    pub fn at(pointer: &Pointer, rules: &'r Rules) -> Self {
        pointer.tokens().iter().fold(Self::root(rules), |place, name| place.child(name))
    }

    /// Returns the place of the member, or of the element of a keyed array, that is named `name`.
    pub fn child(&self, name: &Text) -> Self {
        let foldings = self.foldings_below.iter().filter_map(|(path, rule)| Some((below(path, name)?, *rule)));
        let arrays = self.arrays_below.iter().filter_map(|(path, rule)| Some((below(path, name)?, *rule)));
        Self::narrowed(self.foldings, foldings, arrays)
    }

    fn narrowed(
        inherited: &'r [Folding],
        foldings: impl Iterator<Item = (&'r [Text], &'r [Folding])>,
        arrays: impl Iterator<Item = (&'r [Text], &'r ArrayRule)>,
    ) -> Self {
        let (here, foldings_below): (Vec<_>, Vec<_>) = foldings.partition(|(path, _)| path.is_empty());
        let (array, arrays_below): (Vec<_>, Vec<_>) = arrays.partition(|(path, _)| path.is_empty());
        Self {
            foldings: here.first().map_or(inherited, |(_, rule)| rule),
            array: array.first().map(|(_, rule)| *rule),
            foldings_below,
            arrays_below,
        }
    }

    /// Returns how an array at this place is merged.
    pub fn array_rule(&self) -> Option<&'r ArrayRule> {
        self.array
    }

    /// Returns the members of an object, or the elements of a keyed array by their keys, in their order.
    ///
    /// `None` for everything else, and for an array in which a key is missing, is no string or stands twice.
    pub fn members<'v>(&self, value: &'v Json) -> Option<Vec<(&'v Text, &'v Json)>> {
        match (value, self.array) {
            (Json::Object(members), _) => Some(members.iter().collect()),
            (Json::Array(elements), Some(ArrayRule::Key(key))) => keyed(elements, key),
            (Json::Array(_), Some(ArrayRule::Set) | None) => None,
            (Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_), _) => None,
        }
    }

    /// Says whether two values are the same here.
    pub fn same(&self, a: &Json, b: &Json) -> bool {
        a == b || !self.is_plain() && self.canonical(a) == self.canonical(b)
    }

    /// Says whether every spelling stands for itself, here and below.
    fn is_plain(&self) -> bool {
        self.foldings.is_empty()
            && self.array.is_none()
            && self.foldings_below.is_empty()
            && self.arrays_below.is_empty()
    }

    /// Returns the form that all spellings of this value share.
    pub fn canonical<'v>(&self, value: &'v Json) -> Cow<'v, Json> {
        match value {
            _ if self.is_plain() => Cow::Borrowed(value),
            Json::Null | Json::Bool(_) | Json::Number(_) => Cow::Borrowed(value),
            Json::String(_) if self.foldings.is_empty() => Cow::Borrowed(value),
            Json::String(text) => Cow::Owned(Json::String(folded(text, self.foldings))),
            Json::Array(elements) => Cow::Owned(Json::from(self.canonical_array(elements))),
            Json::Object(members) => Cow::Owned(Json::Object(self.canonical_object(members, None))),
        }
    }

    fn canonical_array(&self, elements: &[Json]) -> Vec<Json> {
        match self.array {
            Some(ArrayRule::Key(key)) => match keyed(elements, key) {
                Some(mut keyed) => {
                    keyed.sort_by_key(|(name, _)| *name);
                    keyed.into_iter().map(|(name, element)| self.child(name).canonical_element(element, key)).collect()
                }
                None => self.canonical_elements(elements).collect(),
            },
            Some(ArrayRule::Set) => self.canonical_elements(elements).collect::<BTreeSet<_>>().into_iter().collect(),
            None => self.canonical_elements(elements).collect(),
        }
    }

    /// Returns the place of an element of an array that is no keyed one.
    pub(super) fn element(&self) -> Self {
        Self { array: None, ..self.clone() }
    }

    fn canonical_elements<'v>(&self, elements: &'v [Json]) -> impl Iterator<Item = Json> + use<'v, 'r> {
        let place = self.element();
        elements.iter().map(move |element| place.canonical(element).into_owned())
    }

    fn canonical_element(&self, element: &Json, key: &Text) -> Json {
        match element {
            Json::Object(members) => Json::Object(self.canonical_object(members, Some(key))),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => element.clone(),
        }
    }

    /// Folds all members but the key, which is a name and no value.
    fn canonical_object(&self, members: &Object, key: Option<&Text>) -> Object {
        let fold = |(name, value): (&Text, &Json)| match key {
            Some(key) if key == name => (name.clone(), value.clone()),
            Some(_) | None => (name.clone(), self.child(name).canonical(value).into_owned()),
        };
        members.iter().map(fold).collect()
    }
}

/// Returns the rest of a path that leads on below `name`.
fn below<'r>(path: &&'r [Text], name: &Text) -> Option<&'r [Text]> {
    path.split_first().filter(|(first, _)| *first == name).map(|(_, rest)| rest)
}

/// Names each element by its key; `None` if a key is missing, is no string or stands twice.
fn keyed<'v>(elements: &'v [Json], key: &Text) -> Option<Vec<(&'v Text, &'v Json)>> {
    let name = |element: &'v Json| Some((element.as_object()?.get(key)?.as_text()?, element));
    let named: Vec<_> = elements.iter().map(name).collect::<Option<_>>()?;
    let mut names: Vec<&Text> = named.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.is_sorted_by(|one, next| one < next).then_some(named)
}

/// Applies the foldings, in whatever order they are configured.
fn folded(text: &Text, foldings: &[Folding]) -> Text {
    let text = if foldings.contains(&Folding::Trim) { text.trim() } else { text.clone() };
    let mut builder = TextBuilder::default();
    for (run, lone) in text.pieces() {
        builder.push_str(&folded_run(run, foldings));
        if let Some(unit) = lone {
            builder.push_unit(unit);
        }
    }
    builder.finish()
}

/// Folds case by Unicode's full case folding; with normalization as in its canonical caseless matching (definition D145).
fn folded_run<'t>(run: &'t str, foldings: &[Folding]) -> Cow<'t, str> {
    match (foldings.contains(&Folding::Casefold), foldings.contains(&Folding::Nfc)) {
        (false, false) => Cow::Borrowed(run),
        (true, _) if run.is_ascii() => Cow::Owned(run.to_ascii_lowercase()),
        (true, false) => Cow::Owned(default_case_fold_str(run)),
        (false, true) => Cow::Owned(run.nfc().collect()),
        (true, true) => Cow::Owned(default_case_fold_str(&run.nfd().collect::<String>()).nfc().collect()),
    }
}

#[cfg(test)]
mod tests;
