//! What the environment of a daemon says of points and mistakes: `RETCON_KILL_AT=decided:2` has it killed when it passes
//! `decided` for the second time, `RETCON_PLANT=no-intent` has it make that mistake.

use std::collections::HashMap;
use std::env;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use rustix::process::{Signal, getpid, kill_process};

use super::{Mistake, Point};

const KILL_AT: &str = "RETCON_KILL_AT";
const PLANT: &str = "RETCON_PLANT";

/// Where the daemon is to be killed, and how many times it passes there before that.
static KILL_AT_POINT: LazyLock<Option<(Point, AtomicUsize)>> = LazyLock::new(|| kill_at().ok().flatten());
static PLANTED: LazyLock<Option<Mistake>> = LazyLock::new(|| plant().ok().flatten());

/// Reads the environment; prints what is wrong with it.
///
/// # Errors
/// 2, if it names what there is not: nothing would be shown by a daemon that goes on.
pub fn check() -> Result<(), ExitCode> {
    kill_at().map(drop).and_then(|()| plant().map(drop)).map_err(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

/// Gives all names, a line each: first those of the points, then those of the mistakes.
pub fn names() -> String {
    let points = Point::ALL.iter().map(|(_, name)| ("point", name));
    let mistakes = Mistake::ALL.iter().map(|(_, name)| ("mistake", name));
    points.chain(mistakes).fold(String::new(), |mut text, (kind, name)| {
        let _ = writeln!(text, "{kind} {name}");
        text
    })
}

/// Kills this process if it is to die here. Nothing is flushed, nothing unlocked, nobody told.
pub(super) fn pass(point: Point) {
    let Some((fatal, left)) = &*KILL_AT_POINT else { return };
    if *fatal == point && left.fetch_sub(1, Ordering::Relaxed) == 0 {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

pub(super) fn planted(mistake: Mistake) -> bool {
    *PLANTED == Some(mistake)
}

/// Gives `sql` with `wrong` in place of `right`; the same words at the same address each time, as prepared statements want.
pub(super) fn bend(sql: &'static str, right: &str, wrong: &str) -> &'static str {
    static BENT: LazyLock<Mutex<HashMap<&'static str, &'static str>>> = LazyLock::new(Mutex::default);
    let mut bent = BENT.lock().unwrap_or_else(PoisonError::into_inner);
    bent.entry(sql).or_insert_with(|| {
        assert!(sql.contains(right), "no {right:?} in:\n{sql}");
        sql.replace(right, wrong).leak()
    })
}

/// Gives JSON as a program would that takes every number for a float.
pub(crate) fn as_floats(json: &[u8]) -> Vec<u8> {
    let (mut given, mut at, mut in_string) = (Vec::with_capacity(json.len()), 0, false);
    while at < json.len() {
        let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = json[at..].iter().take_while(|byte| is_number(byte)).count();
        match json[at] {
            b'0'..=b'9' | b'-' if !in_string => {
                let number = std::str::from_utf8(&json[at..at + length]).ok().and_then(|text| text.parse::<f64>().ok());
                let text =
                    number.filter(|number| number.is_finite()).map_or("null".to_owned(), |number| number.to_string());
                given.extend_from_slice(text.as_bytes());
                at += length;
                continue;
            }
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                given.push(json[at]);
                at += 1;
            }
            _ => {}
        }
        given.extend(json.get(at));
        at += 1;
    }
    given
}

fn kill_at() -> Result<Option<(Point, AtomicUsize)>, String> {
    let Ok(wanted) = env::var(KILL_AT) else { return Ok(None) };
    let (name, number) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    let point = named(Point::ALL, name);
    let number = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    match (point, number) {
        (Some(point), Some(before)) => Ok(Some((point, AtomicUsize::new(before)))),
        (None, _) | (_, None) => Err(format!("{KILL_AT}={wanted}: no such point:\n{}", names())),
    }
}

fn plant() -> Result<Option<Mistake>, String> {
    let Ok(wanted) = env::var(PLANT) else { return Ok(None) };
    match named(Mistake::ALL, &wanted) {
        Some(mistake) => Ok(Some(mistake)),
        None => Err(format!("{PLANT}={wanted}: no such mistake:\n{}", names())),
    }
}

fn named<T: Copy>(all: &[(T, &str)], wanted: &str) -> Option<T> {
    all.iter().find(|(_, name)| *name == wanted).map(|(one, _)| *one)
}
