use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::Number;

fn number(text: &str) -> Number {
    Number::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
}

fn hashed(number: &Number) -> u64 {
    let mut hasher = DefaultHasher::new();
    number.hash(&mut hasher);
    hasher.finish()
}

fn check(a: &str, expected: Ordering, b: &str) {
    let (a, b) = (number(a), number(b));
    assert_eq!(a.cmp(&b), expected, "{a} against {b}");
    assert_eq!(b.cmp(&a), expected.reverse(), "{b} against {a}");
    assert_eq!(a.canonical().as_str() == b.canonical().as_str(), expected.is_eq(), "{a} and {b} in one spelling");
    assert!(a == a.canonical() && b == b.canonical(), "{a} and {b} keep their value");
    if expected.is_eq() {
        assert_eq!(hashed(&a), hashed(&b), "{a} and {b} hash alike");
    }
}

#[test]
fn what_is_no_number_is_refused() {
    for text in [
        "", "-", "+1", "01", "-01", "00", "1.", ".1", "1e", "1e+", "1e1.0", "1.e1", "0x1", "1_0", " 1", "1 ", "--1",
        "1e--1", "1e+-1", "1ee1", "1.2.3", "NaN", "Infinity", "١",
    ] {
        assert!(Number::parse(text).is_none(), "{text:?} was taken for a number");
    }
}

#[test]
fn numbers_keep_their_spelling() {
    for text in ["0", "-0", "0.0", "1.10", "1E+05", "1e-0", "12345678901234567890.10", "1e400"] {
        assert_eq!(number(text).to_string(), text);
    }
}

#[test]
fn spellings_of_one_value_are_equal() {
    for (a, b) in [
        ("1", "1.0"),
        ("100", "1e2"),
        ("100", "1E+2"),
        ("0.001", "1e-3"),
        ("-1.50", "-15e-1"),
        ("0", "-0"),
        ("0", "0.000e5"),
        ("0", "0e99999999999999999999999"),
        ("0", "-0e-99999999999999999999999"),
        ("1.10", "1.1"),
        ("10e999999999", "1e1000000000"),
        ("1e0000000000000000000000000000000000000000000000000001", "10"),
    ] {
        check(a, Ordering::Equal, b);
    }
}

#[test]
fn the_order_is_that_of_the_values() {
    let ascending = [
        "-1e99999999999999999999999999999999999999999999",
        "-1e400",
        "-10",
        "-9.99",
        "-1e-400",
        "-1e-99999999999999999999999999999999999999999999",
        "0",
        "1e-99999999999999999999999999999999999999999999",
        "1e-99999999999999999999999999999999999999999998",
        "1e-400",
        "0.1",
        "0.10000000000000000000001",
        "2",
        "10",
        "12345678901234567890.1",
        "12345678901234567890.11",
        "1e400",
        "1e99999999999999999999999999999999999999999998",
        "1e99999999999999999999999999999999999999999999",
    ];
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            check(a, i.cmp(&j), b);
        }
    }
}

#[test]
fn exponents_beyond_every_integer_are_exact() {
    for zeros in 30..45 {
        let power = format!("1{}", "0".repeat(zeros));
        let below = "9".repeat(zeros);
        for sign in ["", "-"] {
            check(&format!("{sign}1e{power}"), Ordering::Equal, &format!("{sign}10e{below}"));
            check(&format!("{sign}1e-{below}"), Ordering::Equal, &format!("{sign}10e-{power}"));
            check(&format!("{sign}0.01e{power}"), Ordering::Equal, &format!("{sign}0.1e{below}"));
        }
        check(&format!("1e{power}"), Ordering::Greater, &format!("1e{below}"));
        check(&format!("1e-{power}"), Ordering::Less, &format!("1e-{below}"));
    }
}

proptest! {
    #[test]
    fn small_integers_times_powers_of_ten_compare_like_integers(a in -999_i128..1000, j in 0_u32..20, b in -999_i128..1000, k in 0_u32..20) {
        let (x, y) = (number(&format!("{a}e{j}")), number(&format!("{b}e{k}")));
        let expected = (a * 10_i128.pow(j)).cmp(&(b * 10_i128.pow(k)));
        prop_assert_eq!(x.cmp(&y), expected);
        prop_assert_eq!(x == y, expected.is_eq());
        prop_assert_eq!(hashed(&x) == hashed(&y), expected.is_eq());
    }

    #[test]
    fn moving_the_point_changes_nothing(digits in "[1-9][0-9]{0,6}", fraction in "[0-9]{1,6}", exponent in -1000_i64..1000) {
        let moved = format!("{digits}{fraction}e{}", exponent - fraction.len() as i64);
        let plain = format!("{digits}.{fraction}e{exponent}");
        prop_assert_eq!(number(&plain), number(&moved));
        prop_assert_eq!(number(&plain).canonical().to_string(), number(&moved).canonical().to_string());
    }

    #[test]
    fn integers_compare_like_themselves(a in any::<i64>(), b in any::<i64>()) {
        prop_assert_eq!(Number::from(a).cmp(&Number::from(b)), a.cmp(&b));
        prop_assert!(Number::parse(&a.to_string()).is_some());
    }
}

#[test]
fn a_whole_number_is_one_however_it_is_spelled() {
    let cases: [(&str, Option<i64>); 13] = [
        ("0", Some(0)),
        ("-0.0e7", Some(0)),
        ("917", Some(917)),
        ("-917.0", Some(-917)),
        ("1e2", Some(100)),
        ("1.50e1", Some(15)),
        ("1.5", None),
        ("15e-1", None),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("1e1000000000", None),
        ("1e-99999999999999999999999999999999999999999", None),
    ];
    for (text, whole) in cases {
        assert_eq!(Number::parse(text).expect("a number").whole(), whole, "{text}");
    }
}
