//! Points at which a test can have the daemon killed, and mistakes that a test can plant in it.
//!
//! Both are there with the feature `chaos` only, which nothing that is delivered is built with. Without it [`pass`] does
//! nothing and no [`Mistake`] is made: the compiler leaves them out.

#[cfg(feature = "chaos")]
pub mod armed;

use std::borrow::Cow;

/// Declares things that have a name in the environment of a test.
macro_rules! named {
    ($(#[$doc:meta])* enum $kind:ident { $($(#[$about:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $kind { $($(#[$about])* $variant,)+ }

        #[cfg(feature = "chaos")]
        impl $kind {
            /// All of them, with their names.
            pub const ALL: &[(Self, &str)] = &[$((Self::$variant, $name),)+];
        }
    };
}

named! {
    /// A step of the daemon at which its death would tell something.
    enum Point {
        /// The queue was taken over.
        Recovered = "recovered",
        /// Notifications are stored, and not yet answered.
        Notified = "notified",
        /// A person's order is stored.
        Ordered = "ordered",
        /// Work is claimed.
        Claimed = "claimed",
        /// A new key has its record.
        Introduced = "introduced",
        /// All copies of a record were read.
        Read = "read",
        /// A source was searched for what a create may have made.
        Searched = "searched",
        /// A write in doubt was found to have made a copy, and that is recorded.
        Adopted = "adopted",
        /// Everything was decided, and nothing of it is recorded.
        Deciding = "deciding",
        /// The decision is recorded, and nothing was written.
        Decided = "decided",
        /// A program that changes something is about to be started, and that is not recorded.
        Starting = "starting",
        /// The same, recorded.
        Started = "started",
        /// A program runs; those that only read count too.
        Spawned = "spawned",
        /// A program that changes something has ended, and that is not recorded.
        Ran = "ran",
        /// What came of all writes is recorded.
        Recorded = "recorded",
        /// Work that had nothing to record was ended.
        Finished = "finished",
        /// Another configuration is in force.
        Reloaded = "reloaded",
        /// The daemon was told to stop, and has not begun to.
        Stopping = "stopping",
    }
}

named! {
    /// A mistake that a checker of the daemon must find.
    enum Mistake {
        /// A read that could not reach its source counts as one that found nothing.
        DeleteOnExit1 = "delete-on-exit-1",
        /// A create is not recorded before it is made.
        NoIntent = "no-intent",
        /// A daemon that does not serve an entity any more goes on as if it did.
        NoFencing = "no-fencing",
        /// A notification coalesces with an item that is being served.
        CoalesceIntoRunning = "coalesce-into-running",
        /// An unknown key does not wait for creates in flight, nor is it compared with those in doubt.
        IgnoreOwnCreate = "ignore-own-create",
        /// Numbers pass through floats.
        NumbersAsFloats = "numbers-as-floats",
        /// What was overruled is not entered in the history.
        ForgetOverruled = "forget-overruled",
        /// A resolution applies also where the conflict moved since the person saw it.
        StaleResolution = "stale-resolution",
        /// Notifications are acknowledged although the database is away.
        DropOnUnavailable = "drop-on-unavailable",
        /// What a dead daemon had claimed stays claimed.
        NoRecovery = "no-recovery",
        /// A create whose end is not known is taken for one that was never made.
        ForgetDoubt = "forget-doubt",
        /// A record that was removed is looked at as if it were live.
        Resurrect = "resurrect",
        /// Programs are started as fast as they can be.
        NoThrottle = "no-throttle",
        /// An update that could not reach its source counts as done.
        BelieveFailedUpdate = "believe-failed-update",
    }
}

/// Says that the daemon is at this point of its way.
#[inline]
pub(crate) fn pass(point: Point) {
    #[cfg(feature = "chaos")]
    armed::pass(point);
    #[cfg(not(feature = "chaos"))]
    let _ = point;
}

/// Tells whether this mistake is to be made.
#[inline]
pub(crate) fn planted(mistake: Mistake) -> bool {
    #[cfg(feature = "chaos")]
    let is_planted = armed::planted(mistake);
    #[cfg(not(feature = "chaos"))]
    let is_planted = (mistake, false).1;
    is_planted
}

/// Gives what a program printed, its numbers passed through floats if that mistake is to be made.
#[inline]
pub(crate) fn printed(json: &[u8]) -> Cow<'_, [u8]> {
    #[cfg(feature = "chaos")]
    if armed::planted(Mistake::NumbersAsFloats) {
        return Cow::Owned(armed::as_floats(json));
    }
    Cow::Borrowed(json)
}

/// Gives a statement, with this mistake in it if it is to be made: `wrong` in place of `right`.
#[inline]
pub(crate) fn bent(mistake: Mistake, sql: &'static str, right: &str, wrong: &str) -> &'static str {
    #[cfg(feature = "chaos")]
    let sql = if armed::planted(mistake) { armed::bend(sql, right, wrong) } else { sql };
    #[cfg(not(feature = "chaos"))]
    let _ = (mistake, right, wrong);
    sql
}

/// What stands in the statement that stores notifications, and what stands there to [coalesce](Mistake::CoalesceIntoRunning)
/// with what is being served: the new item is born done.
pub(crate) const STORED: [&str; 2] = [
    "foreign_key)\nselect asked.entity, 'copy', asked.source, asked.foreign_key\nfrom unnest($1::text[], $2::text[], $3::text[]) \
     as asked (entity, source, foreign_key)",
    "foreign_key, state, finished_at)\nselect asked.entity, 'copy', asked.source, asked.foreign_key, \
     case when is_served then 'done' else 'ready' end, case when is_served then clock_timestamp() end\n\
     from unnest($1::text[], $2::text[], $3::text[]) as asked (entity, source, foreign_key)\n\
     cross join lateral (select exists (select from work_item as twin where twin.entity = asked.entity \
     and twin.source = asked.source and twin.foreign_key = asked.foreign_key and twin.state = 'running')) as twin (is_served)",
];
