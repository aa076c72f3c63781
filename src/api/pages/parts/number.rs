//! Numbers, as people read them.

/// What is counted.
pub(in crate::api::pages) trait Grouped {
    /// Writes the number with its thousands apart: `12,345`.
    fn grouped(&self) -> String;
}

impl<N: Copy + TryInto<i64>> Grouped for N {
    fn grouped(&self) -> String {
        grouped((*self).try_into().unwrap_or(i64::MAX))
    }
}

/// Writes a number with its thousands apart.
pub(in crate::api::pages) fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && digit.is_ascii_digit() && (digits.len() - n).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_thousands_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-1000, "-1,000")] {
            assert_eq!(number.grouped(), text);
        }
        assert_eq!((5_000_usize.grouped().as_str(), u64::MAX.grouped()), ("5,000", i64::MAX.grouped()));
    }
}
