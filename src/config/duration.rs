//! Durations as people write them: `30s`, `5m`, `1h 30m`, `250ms`, `7d`.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The text that stands for no end, where one may be left out.
pub(crate) const FOREVER: &str = "forever";

/// What is wrong with a text that should be a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidDuration {
    #[error("a duration is a whole number and a unit (d h m s ms), such as 30s, perhaps several, such as 1h 30m")]
    Form,
    #[error("a duration of that many milliseconds cannot be counted")]
    TooLong,
}

/// Parses whole numbers with units, the largest unit first and each at most once; spaces between them are optional.
pub(crate) fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let mut rest = text.trim();
    let mut units = UNITS.as_slice();
    let mut milliseconds: u64 = 0;
    if rest.is_empty() {
        return Err(InvalidDuration::Form);
    }
    while !rest.is_empty() {
        let (digits, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        let place = units.iter().position(|(name, _)| *name == unit).ok_or(InvalidDuration::Form)?;
        if digits.is_empty() {
            return Err(InvalidDuration::Form);
        }
        let count: u64 = digits.parse().map_err(|_| InvalidDuration::TooLong)?;
        let part = count.checked_mul(units[place].1).ok_or(InvalidDuration::TooLong)?;
        milliseconds = milliseconds.checked_add(part).ok_or(InvalidDuration::TooLong)?;
        units = &units[place + 1..];
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(milliseconds))
}

/// Writes a duration the way [`parse`] reads it; what is below a millisecond is left out.
pub fn display(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for (unit, size) in UNITS {
        if rest >= size {
            parts.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_documented_form_is_read() {
        let cases = [("30s", 30_000), ("5m", 300_000), ("1h 30m", 5_400_000), ("1h30m", 5_400_000), ("250ms", 250)];
        for (text, milliseconds) in cases.into_iter().chain([("7d", 604_800_000), ("0s", 0), (" 2s ", 2_000)]) {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", " ", "5", "s", "1.5s", "-1s", "3 parsecs", "5 m", "1m 1h", "1s 1s", "1S", "٣s", "1s,", "forever"]
        {
            assert_eq!(parse(text), Err(InvalidDuration::Form), "{text:?}");
        }
        for text in ["18446744073709551616ms", "99999999999999999999d", "213503982335d", "213503982334d 24h"] {
            assert_eq!(parse(text), Err(InvalidDuration::TooLong), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(milliseconds: u64) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&display(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = parse(&text);
        }
    }
}
