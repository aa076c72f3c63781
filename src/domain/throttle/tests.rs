use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{Admission, Bucket, Pace};

/// A rate and a burst, as they are configured.
type Terms = (f64, u32);

#[derive(Debug, Clone)]
enum Step {
    /// Wants to start, so many times in a row.
    Arrive(u32),
    /// Starts so many, each at the first moment at which it may.
    Insist(u32),
    Change(Terms),
}

/// What happened in a story: starts with their moments, and the terms that came into force between them.
enum Event {
    Start(Duration),
    Force(Terms),
}

fn pace((rate, burst): Terms) -> Option<Pace> {
    Pace::new(rate, burst)
}

fn rate() -> impl Strategy<Value = f64> {
    let odd = (-3.0..6.0).prop_map(|exponent: f64| 10f64.powf(exponent));
    // Their periods are whole but for what a float leaves out.
    let near = (1_000..1_000_000_000u32).prop_map(|nanos| 1e9 / f64::from(nanos));
    prop_oneof![
        odd,
        near,
        prop_oneof![Just(0.001), Just(0.3), Just(3.0), Just(7.0), Just(1e3), Just(999_999.9), Just(1e6)]
    ]
}

fn terms() -> impl Strategy<Value = Terms> {
    (rate(), prop_oneof![Just(1), 1..20u32, Just(1_000_000)])
}

fn step() -> impl Strategy<Value = Step> {
    let no_limit = Just(Step::Change((0.0, 1)));
    let starts = prop_oneof![(1..12u32).prop_map(Step::Arrive), (1..12u32).prop_map(Step::Insist)];
    prop_oneof![12 => starts, 3 => terms().prop_map(Step::Change), 1 => no_limit]
}

/// A pause from nothing to minutes, each order of magnitude as likely as any other.
fn pause() -> impl Strategy<Value = Duration> {
    let some = (0.0..11.0).prop_map(|exponent: f64| Duration::from_nanos(10f64.powf(exponent) as u64));
    prop_oneof![1 => Just(Duration::ZERO), 4 => some]
}

fn happen(first: Terms, steps: &[(Duration, Step)]) -> Vec<Event> {
    let mut now = Duration::ZERO;
    let mut bucket = Bucket::new(pace(first), now);
    let mut events = vec![Event::Force(first)];
    for (pause, step) in steps {
        now += *pause;
        match step {
            Step::Arrive(times) => {
                let gone = (0..*times).filter(|_| bucket.admit(now) == Admission::Go);
                events.extend(gone.map(|_| Event::Start(now)));
            }
            Step::Insist(times) => {
                for _ in 0..*times {
                    if let Admission::Wait { until } = bucket.admit(now) {
                        now = until;
                        bucket.admit(now);
                    }
                    events.push(Event::Start(now));
                }
            }
            Step::Change(terms) => {
                bucket.change(pace(*terms), now);
                events.push(Event::Force(*terms));
            }
        }
    }
    events
}

/// Says whether `starts` in a window of `length` are no more than the terms allow; exact, for the sign of a fused product is.
fn is_allowed(starts: u32, length: Duration, (rate, burst): Terms) -> bool {
    let beyond = f64::from(starts) - f64::from(burst);
    (length.as_nanos() as f64).mul_add(rate, -beyond * 1e9) >= 0.0
}

/// Looks at every window that begins and ends with a start, under the largest terms that were in force in it.
fn check_windows(events: &[Event]) -> Result<(), String> {
    let mut in_force = (0.0, 1);
    for (at, event) in events.iter().enumerate() {
        let began = match event {
            Event::Force(terms) => {
                in_force = *terms;
                continue;
            }
            Event::Start(began) => *began,
        };
        let (mut starts, mut largest) = (0, in_force);
        for later in &events[at..] {
            // Without a limit in force, there is none in the rest of the window.
            if largest.0 == 0.0 {
                break;
            }
            match later {
                Event::Force((0.0, _)) => break,
                Event::Force((rate, burst)) => largest = (rate.max(largest.0), (*burst).max(largest.1)),
                Event::Start(ended) => {
                    starts += 1;
                    if !is_allowed(starts, *ended - began, largest) {
                        return Err(format!("{starts} starts in {:?} under {largest:?}", *ended - began));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Takes what is there at `now`, up to `most`.
fn take(bucket: &mut Bucket, now: Duration, most: u32) -> u32 {
    (0..most).take_while(|_| bucket.admit(now) == Admission::Go).count() as u32
}

/// A bucket that has had time to fill, and the moment at which it is looked at.
fn full(terms: Terms) -> (Bucket, Duration) {
    let now = Duration::from_secs_f64(2.0 * f64::from(terms.1) / terms.0 + 1.0);
    (Bucket::new(pace(terms), Duration::ZERO), now)
}

proptest! {
    #[test]
    fn no_window_has_more_starts_than_its_rate_and_burst_allow(
        first in terms(),
        steps in prop::collection::vec((pause(), step()), 1..60),
    ) {
        let checked = check_windows(&happen(first, &steps));
        prop_assert!(checked.is_ok(), "{checked:?}");
    }

    #[test]
    fn who_waits_as_long_as_he_is_told_goes_and_not_a_moment_sooner(
        terms in terms(),
        steps in prop::collection::vec(pause(), 1..20),
    ) {
        let mut now = Duration::ZERO;
        let mut bucket = Bucket::new(pace(terms), now);
        for pause in steps {
            now += pause;
            if let Admission::Wait { until } = bucket.admit(now) {
                prop_assert!(until > now);
                prop_assert_eq!(bucket.admit(until - Duration::from_nanos(1)), Admission::Wait { until });
                now = until;
                prop_assert_eq!(bucket.admit(now), Admission::Go);
            }
        }
    }

    #[test]
    fn the_wait_that_is_told_is_the_wait_of_the_last_in_the_line(
        terms in terms(),
        pause in pause(),
        ahead in 0..30usize,
    ) {
        let mut bucket = Bucket::new(pace(terms), Duration::ZERO);
        let told = bucket.wait(ahead, pause);
        let mut now = pause;
        for _ in 0..=ahead {
            while let Admission::Wait { until } = bucket.admit(now) {
                now = until;
            }
        }
        prop_assert_eq!(now - pause, told);
    }

    #[test]
    fn no_series_of_changes_makes_a_token(
        first in terms(),
        taken in 0..25u32,
        changes in prop::collection::vec(terms(), 1..10),
    ) {
        let (mut bucket, now) = full(first);
        let left = first.1 - take(&mut bucket, now, taken);
        changes.iter().for_each(|terms| bucket.change(pace(*terms), now));
        let most = changes.iter().map(|terms| terms.1).min().unwrap_or(0).min(left);
        prop_assert!(take(&mut bucket, now, 1_000_001) <= most);
    }

    #[test]
    fn tokens_that_still_fit_survive_a_change(
        first in terms(),
        second in terms(),
        taken in 0..25u32,
    ) {
        let (mut bucket, now) = full(first);
        let left = first.1 - take(&mut bucket, now, taken);
        bucket.change(pace(second), now);
        // Less than a nanosecond's worth of one may be lost, and come in at once.
        let soon = now + Duration::from_nanos(1);
        prop_assert_eq!(take(&mut bucket, soon, 1_000_001), left.min(second.1));
    }

    #[test]
    fn nothing_overflows(rate in any::<f64>(), burst in any::<u32>(), other in any::<f64>(), now in any::<Duration>()) {
        let mut bucket = Bucket::new(Pace::new(rate, burst), now);
        bucket.admit(now);
        bucket.change(Pace::new(other, burst), now);
        bucket.admit(Duration::MAX);
        bucket.change(Pace::new(rate, 1), Duration::ZERO);
        bucket.wait(usize::MAX, now);
    }
}

#[test]
fn a_new_bucket_is_empty_and_fills_at_its_rate_up_to_its_burst() {
    let mut bucket = Bucket::new(pace((2.0, 3)), Duration::from_secs(7));
    assert_eq!(
        bucket.admit(Duration::from_secs(7)),
        Admission::Wait { until: Duration::from_millis(7_500) },
        "no burst after a start"
    );
    assert_eq!(take(&mut bucket, Duration::from_secs(8), 9), 2);
    assert_eq!(take(&mut bucket, Duration::from_secs(3_600), 9), 3);
}

#[test]
fn a_limit_where_there_was_none_begins_with_an_empty_bucket() {
    let mut bucket = Bucket::new(None, Duration::ZERO);
    let now = Duration::from_secs(1_000);
    assert_eq!(take(&mut bucket, now, 500), 500);
    assert_eq!(bucket.wait(100, now), Duration::ZERO);
    bucket.change(pace((10.0, 50)), now);
    assert_eq!(take(&mut bucket, now, 1), 0);
    assert_eq!(take(&mut bucket, now + Duration::from_secs(1), 50), 10);
}

#[test]
fn a_rate_is_met_as_closely_as_a_nanosecond_allows() {
    for (rate, nanos) in
        [(1e6, 1_000), (700_000.0, 1_429), (3.0, 333_333_334), (0.001, 1_000_000_000_000), (2.5, 400_000_000)]
    {
        let mut bucket = Bucket::new(pace((rate, 1)), Duration::ZERO);
        assert_eq!(bucket.admit(Duration::ZERO), Admission::Wait { until: Duration::from_nanos(nanos) }, "rate {rate}");
    }
}

#[test]
fn a_bucket_that_is_emptied_gives_nothing_before_its_first_token_has_come_in() {
    let second = Duration::from_secs(1);
    let mut bucket = Bucket::new(Pace::new(1.0, 3), Duration::ZERO);
    bucket.empty(10 * second);
    assert_eq!(bucket.admit(10 * second), Admission::Wait { until: 11 * second });
    assert_eq!(bucket.admit(11 * second), Admission::Go);
    assert_eq!(bucket.admit(11 * second), Admission::Wait { until: 12 * second });
}
