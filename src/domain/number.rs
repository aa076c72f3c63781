//! Numbers as exact decimals that keep the digits they were written with.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A JSON number: the digits as written, shared by its clones; compared by value, never expanded and never through a float.
#[derive(Clone)]
pub struct Number(Arc<str>);

impl Number {
    /// Takes a text that is a number by the grammar of JSON (RFC 8259, section 6), of any length.
    pub fn parse(text: &str) -> Option<Self> {
        Literal::split(text).is_valid().then(|| Self(text.into()))
    }

    /// Returns the number as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the one spelling that all numbers of this value share, itself a number.
    pub fn canonical(&self) -> Self {
        match self.value() {
            Value::Zero => Self("0".into()),
            Value::NonZero(Decimal { negative, digits, exponent }) => {
                let sign = if negative { "-" } else { "" };
                let digits: String = digits.map(char::from).collect();
                Self(format!("{sign}0.{digits}e{exponent}").into())
            }
        }
    }

    /// Returns its value if that is a whole number that can be counted with; `1.0` and `1e2` are.
    pub fn whole(&self) -> Option<i64> {
        let Value::NonZero(Decimal { negative, digits, exponent }) = self.value() else { return Some(0) };
        let Exponent::Small(exponent) = exponent else { return None };
        let length = usize::try_from(exponent).ok().filter(|length| *length <= 19)?;
        let mut text: String = digits.take(length + 1).map(char::from).collect();
        let zeros = length.checked_sub(text.len())?;
        text.extend(std::iter::repeat_n('0', zeros));
        let value: i128 = text.parse().ok()?;
        i64::try_from(if negative { -value } else { value }).ok()
    }

    fn value(&self) -> Value<impl Iterator<Item = u8>> {
        let literal = Literal::split(&self.0);
        let fraction = literal.fraction.unwrap_or("").trim_end_matches('0');
        let whole = if fraction.is_empty() { literal.whole.trim_end_matches('0') } else { literal.whole };
        let zeros = whole.bytes().chain(fraction.bytes()).take_while(|digit| *digit == b'0').count();
        if zeros == whole.len() + fraction.len() {
            return Value::Zero;
        }
        let shift = literal.whole.len() as i128 - zeros as i128;
        Value::NonZero(Decimal {
            negative: literal.negative,
            digits: whole.bytes().chain(fraction.bytes()).skip(zeros),
            exponent: Exponent::shifted(literal.exponent.unwrap_or("0"), shift),
        })
    }
}

/// The parts of a number as written.
struct Literal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: Option<&'a str>,
    exponent: Option<&'a str>,
}

impl<'a> Literal<'a> {
    fn split(text: &'a str) -> Self {
        let unsigned = text.strip_prefix('-');
        let (mantissa, exponent) = match unsigned.unwrap_or(text).split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned.unwrap_or(text), None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        Self { negative: unsigned.is_some(), whole, fraction, exponent }
    }

    fn is_valid(&self) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits(self.whole)
            && (self.whole.len() == 1 || !self.whole.starts_with('0'))
            && self.fraction.is_none_or(digits)
            && self.exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
    }
}

/// A number by value.
enum Value<D> {
    Zero,
    NonZero(Decimal<D>),
}

/// `0.digits` times ten to the `exponent`: the digits neither begin nor end with a zero, so that each value has one form.
struct Decimal<D> {
    negative: bool,
    digits: D,
    exponent: Exponent,
}

/// An exponent of any size; each value has one form.
#[derive(PartialEq, Eq, Hash)]
enum Exponent {
    /// Of at most [`Exponent::SMALL`] digits.
    Small(i128),
    Large {
        negative: bool,
        digits: String,
    },
}

impl Exponent {
    /// So many digits always fit in an `i128`.
    const SMALL: usize = 38;

    /// Adds `shift`, which is no greater than the length of a text, to the exponent written as `text`.
    fn shifted(text: &str, shift: i128) -> Self {
        let digits = text.trim_start_matches(['+', '-']).trim_start_matches('0');
        let negative = text.starts_with('-');
        let shift = if negative { -shift } else { shift };
        let signed = |magnitude: i128| Self::Small(if negative { -magnitude } else { magnitude });
        if digits.len() < Self::SMALL {
            let magnitude: i128 = digits.bytes().fold(0, |value, digit| value * 10 + i128::from(digit - b'0'));
            return signed(magnitude + shift);
        }
        let sum = add(digits, shift);
        match sum.parse() {
            Ok(magnitude) if sum.len() <= Self::SMALL => signed(magnitude),
            Ok(_) | Err(_) => Self::Large { negative, digits: sum },
        }
    }
}

/// Adds `shift` to the decimal `digits`, which is greater than `-shift`.
fn add(digits: &str, shift: i128) -> String {
    let mut carry = shift;
    let mut sum: Vec<u8> = Vec::with_capacity(digits.len() + 1);
    for digit in digits.bytes().rev() {
        let total = i128::from(digit - b'0') + carry;
        sum.push(b'0' + total.rem_euclid(10) as u8);
        carry = total.div_euclid(10);
    }
    while carry > 0 {
        sum.push(b'0' + (carry % 10) as u8);
        carry /= 10;
    }
    let first = sum.iter().rposition(|digit| *digit != b'0').map_or(0, |at| at + 1);
    sum[..first].iter().rev().map(|digit| char::from(*digit)).collect()
}

impl Ord for Exponent {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |exponent: &Self| match exponent {
            Self::Small(_) => 0,
            Self::Large { negative: true, .. } => -1,
            Self::Large { negative: false, .. } => 1,
        };
        match (self, other) {
            (Self::Small(a), Self::Small(b)) => a.cmp(b),
            (Self::Large { negative: true, digits: a }, Self::Large { negative: true, digits: b }) => {
                size(b).cmp(&size(a))
            }
            (Self::Large { negative: false, digits: a }, Self::Large { negative: false, digits: b }) => {
                size(a).cmp(&size(b))
            }
            (Self::Small(_) | Self::Large { .. }, Self::Small(_) | Self::Large { .. }) => sign(self).cmp(&sign(other)),
        }
    }
}

/// What orders numbers that are written without leading zeros.
fn size(digits: &str) -> (usize, &str) {
    (digits.len(), digits)
}

impl PartialOrd for Exponent {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Exponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Small(value) => value.fmt(f),
            Self::Large { negative, digits } => write!(f, "{}{digits}", if *negative { "-" } else { "" }),
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.0 == other.0 {
            return Ordering::Equal;
        }
        match (self.value(), other.value()) {
            (Value::Zero, Value::Zero) => Ordering::Equal,
            (Value::Zero, Value::NonZero(b)) => {
                if b.negative {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (Value::NonZero(a), Value::Zero) => {
                if a.negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (Value::NonZero(a), Value::NonZero(b)) => b.negative.cmp(&a.negative).then_with(|| {
                let magnitude = a.exponent.cmp(&b.exponent).then_with(|| a.digits.cmp(b.digits));
                if a.negative { magnitude.reverse() } else { magnitude }
            }),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical().0.hash(state);
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(value.to_string().into())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
