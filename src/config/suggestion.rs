//! Guessing which word was meant.

/// Returns the candidate that `word` is most likely a misspelling or the beginning of, if any is near enough.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let begins = |candidate: &str| word.len() >= 3 && candidate.starts_with(&word);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1) || begins(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns `, did you mean "..."?`, or nothing if no candidate is near.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|meant| format!(", did you mean {meant:?}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_is_recognised_and_another_word_is_not() {
        let words = ["timeout", "list_timeout", "env", "list"];
        assert_eq!(nearest("tmeout", words), Some("timeout"));
        assert_eq!(nearest("TIMEOUT", words), Some("timeout"));
        assert_eq!(nearest("lits", words), Some("list"));
        assert_eq!(nearest("time", words), Some("timeout"));
        assert_eq!(nearest("colour", words), None);
        assert_eq!(did_you_mean("enf", words), ", did you mean \"env\"?");
        assert_eq!(did_you_mean("", words), "");
    }
}
