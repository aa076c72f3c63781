use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Cancelled, Gate, Line, Ticket, pace};
use crate::config::model::Throttle;
use crate::domain::throttle::{Admission, Bucket};
use crate::source::process::cancel::Cancel;

/// Far beyond what anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

fn throttle(rate: f64, burst: u32) -> Throttle {
    Throttle { rate, burst, in_flight: 8 }
}

const NONE: Throttle = Throttle { rate: 0.0, burst: 1, in_flight: 8 };
/// Nobody passes in the time of a test.
const SHUT: Throttle = Throttle { rate: 0.001, burst: 1, in_flight: 8 };

/// A gate whose passers wake up only if somebody wakes them, or their time has come.
fn gate(throttle: &Throttle) -> Arc<Gate> {
    Arc::new(Gate::heeding(throttle, Duration::MAX))
}

/// Somebody who wants to pass.
struct Passer {
    cancel: Cancel,
    told: Receiver<Result<(), Cancelled>>,
}

impl Passer {
    /// Comes to the gate; `number` are waiting then.
    fn come(gate: &Arc<Gate>, number: usize) -> Self {
        let cancel = Cancel::new().expect("a descriptor");
        let (tell, told) = channel();
        let (gate_of_thread, cancel_of_thread) = (Arc::clone(gate), cancel.clone());
        thread::spawn(move || tell.send(gate_of_thread.pass(&cancel_of_thread)));
        wait_for(gate, number);
        Self { cancel, told }
    }

    #[track_caller]
    fn end(self) -> Result<(), Cancelled> {
        self.told.recv_timeout(DEADLINE).expect("it passes or is cancelled")
    }
}

/// Waits until so many wait.
fn wait_for(gate: &Gate, number: usize) {
    let start = Instant::now();
    while gate.state().waiting != number {
        assert!(start.elapsed() < DEADLINE, "{number} should wait: {:?}", gate.state());
        thread::yield_now();
    }
}

/// Threads that come to the gate again and again; tells of each time when it ended, and how.
fn crowd(gate: &Arc<Gate>, cancels: &[Cancel], times: usize) -> Vec<(Instant, Result<(), Cancelled>)> {
    let (tell, told) = channel();
    for cancel in cancels {
        let (gate, tell, cancel) = (Arc::clone(gate), tell.clone(), cancel.clone());
        thread::spawn(move || {
            for _ in 0..times {
                let ended = gate.pass(&cancel);
                tell.send((Instant::now(), ended)).expect("somebody listens");
            }
        });
    }
    let one = || told.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("nobody ends: {:?}", gate.state()));
    (0..cancels.len() * times).map(|_| one()).collect()
}

#[test]
fn nobody_waits_where_there_is_no_limit() {
    let gate = Gate::new(&NONE);
    for _ in 0..100_000 {
        gate.pass(&Cancel::never()).expect("nobody cancels");
    }
    assert_eq!((gate.state().waiting, gate.state().wait), (0, Duration::ZERO));
}

#[test]
fn the_passages_of_a_crowd_never_come_sooner_than_the_rate_allows() {
    // Begun before the gate was there and told after they were made: what was seen is never more than what was allowed.
    let began = Instant::now();
    let gate = gate(&throttle(2_000.0, 7));
    let ends = crowd(&gate, &[const { Cancel::never() }; 8], 50);
    let mut passages: Vec<Instant> = ends.into_iter().map(|(at, _)| at).collect();
    passages.sort();
    for (before, passage) in passages.iter().enumerate() {
        let allowed = (*passage - began).as_secs_f64() * 2_000.0;
        assert!((before + 1) as f64 <= allowed, "{} passages, of {allowed} allowed", before + 1);
    }
    assert_eq!(gate.state().waiting, 0);
}

#[test]
fn who_came_first_goes_first() {
    let mut line = Line { bucket: Bucket::new(pace(&NONE), Duration::ZERO), waiting: VecDeque::new(), next: Ticket(0) };
    let (first, second, third) = (line.join(), line.join(), line.join());
    assert_eq!(line.admit(second, Duration::ZERO), None, "there would be room, and it is not his turn");
    line.leave(second);
    assert_eq!(line.admit(third, Duration::ZERO), None);
    assert_eq!(line.admit(first, Duration::ZERO), Some(Admission::Go));
    line.leave(first);
    assert_eq!(line.admit(third, Duration::ZERO), Some(Admission::Go));
}

#[test]
fn another_rate_is_felt_by_those_who_wait() {
    let gate = gate(&SHUT);
    let passers: Vec<Passer> = (1..=5).map(|number| Passer::come(&gate, number)).collect();
    let wait = gate.state().wait;
    assert!(wait > Duration::from_secs(5_000), "behind five others at 0.001 a second: {wait:?}");
    gate.set(&throttle(1_000_000.0, 1));
    assert!(passers.into_iter().all(|passer| passer.end().is_ok()));
    // By way of no limit, for a token that has come in meanwhile would stay.
    gate.set(&NONE);
    gate.set(&SHUT);
    let passer = Passer::come(&gate, 1);
    gate.set(&NONE);
    assert_eq!(passer.end(), Ok(()));
    assert_eq!((gate.state().waiting, gate.state().wait), (0, Duration::ZERO));
}

#[test]
fn who_is_cancelled_takes_nothing_and_stands_in_nobodys_way() {
    let gate = Arc::new(Gate::new(&SHUT));
    let (first, second, third) = (Passer::come(&gate, 1), Passer::come(&gate, 2), Passer::come(&gate, 3));
    second.cancel.trigger();
    assert_eq!(second.end(), Err(Cancelled));
    wait_for(&gate, 2);
    first.cancel.trigger();
    assert_eq!(first.end(), Err(Cancelled));
    let wait = gate.state().wait;
    assert!(wait > Duration::from_secs(1_500) && wait <= Duration::from_secs(2_000), "only one is ahead: {wait:?}");
    gate.set(&NONE);
    assert_eq!(third.end(), Ok(()));
}

#[test]
fn who_is_cancelled_already_does_not_pass() {
    let gate = Gate::new(&NONE);
    let cancel = Cancel::new().expect("a descriptor");
    cancel.trigger();
    assert_eq!(gate.pass(&cancel), Err(Cancelled));
    assert_eq!(gate.state().waiting, 0);
}

#[test]
fn everybody_passes_in_the_end_whoever_is_cancelled_and_whatever_is_set_meanwhile() {
    let gate = Arc::new(Gate::new(&throttle(5_000.0, 3)));
    let cancel = Cancel::new().expect("a descriptor");
    let cancels: Vec<Cancel> =
        (0..16).map(|number| if number % 4 == 0 { cancel.clone() } else { Cancel::never() }).collect();
    let of_thread = Arc::clone(&gate);
    let crowd = thread::spawn(move || crowd(&of_thread, &cancels, 40));
    for rate in [10_000.0, 700.0, 0.0, 3_000.0] {
        gate.set(&throttle(rate, 2));
        thread::yield_now();
    }
    cancel.trigger();
    let ends = crowd.join().expect("everybody passes");
    let passed = ends.iter().filter(|(_, end)| end.is_ok()).count();
    assert!(passed >= 12 * 40, "{passed} passed");
    assert_eq!(gate.state().waiting, 0);
}

#[test]
fn whoever_cannot_wait_passes_only_where_there_is_a_token_and_nobody_waits() {
    let open = gate(&NONE);
    assert!(open.pass_at_once() && open.pass_at_once());
    let shut = gate(&SHUT);
    assert!(!shut.pass_at_once(), "it is empty");
    let waiting = Passer::come(&shut, 1);
    shut.line().bucket.change(pace(&NONE), Duration::ZERO);
    assert!(!shut.pass_at_once(), "somebody was there before");
    waiting.cancel.trigger();
    shut.set(&NONE);
    let _ = waiting.told.recv_timeout(DEADLINE).expect("it is told");
    assert!(shut.pass_at_once());
}
