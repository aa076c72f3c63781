//! What a person is shown before anything is done, and that just that is done, or nothing.

use retcon::actor::supervisor::{Apply, GetPreview, Ordered, Previewed};
use retcon::domain::key::InternalKey;
use retcon::domain::merge::Decision;
use retcon::domain::plan::{Fate, Moved, Preview, Prospect, Shown};
use retcon::store::requests::queue::{Choice, Deed};
use retcon::store::requests::view::{ListConflicts, ListHistory};

use crate::support::actors::Actors;
use crate::support::postgres::block_on;
use crate::support::site::Site;
use crate::support::store::{customer, notification, rows, source};
use crate::support::system::Language;

const ONE: InternalKey = InternalKey(1);

/// What moves in the database when something is recorded.
const RECORDED: &str = "select (select json_agg(version) from version), (select json_agg(conflict) from conflict), \
                        (select json_agg(operation) from operation), (select json_agg(record) from record), \
                        (select json_agg(link) from link), (select count(*) from work_item)";

fn site() -> Site {
    Site::new(&[Language::C.source("crm"), Language::C.source("billing")])
}

/// An item whose name and mail were edited differently in both systems.
fn disagree<'a>(site: &'a Site) -> Actors<'a> {
    let actors = Actors::start(site);
    site.system("crm").put("a", r#"{"mail":"ann@x","name":"Ann","note":"n"}"#);
    tell(&actors);
    let copy = site.system("billing").only_key();
    site.system("crm").put("a", r#"{"mail":"anne@x","name":"Anne","note":"n"}"#);
    site.system("billing").put(&copy, r#"{"mail":"anna@x","name":"Anna","note":"n"}"#);
    tell(&actors);
    actors
}

fn tell(actors: &Actors<'_>) {
    actors.notify(&notification("crm", "a"));
    actors.wait_until_at_rest();
}

/// A word on each open conflict of the record, by its place.
fn choose(actors: &Actors<'_>, decide: impl Fn(&str) -> Option<Decision>) -> Deed {
    let list = ListConflicts { entity: Some(customer()), record: Some(ONE), after: 0, limit: 10 };
    let open = actors.ask_store(list).expect("the database answers").items;
    let choice = |row: retcon::store::requests::view::ConflictRow| {
        let decision = decide(&row.conflict.path.to_string())?;
        Some(Choice { conflict: row.id, revision: row.revision, decision })
    };
    Deed::Resolve(open.into_iter().filter_map(choice).collect())
}

fn take_crm(actors: &Actors<'_>) -> Deed {
    choose(actors, |_| Some(Decision::Take(source("crm"))))
}

#[track_caller]
fn preview(actors: &Actors<'_>, deed: Option<&Deed>) -> Preview {
    let asked = GetPreview { entity: customer(), record: ONE, deed: deed.cloned() };
    match actors.ask(asked).expect("the entity answers") {
        Previewed::Ready(ready) => ready.preview.clone(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn apply(actors: &Actors<'_>, deed: Deed, shown: Shown) -> Ordered {
    let order = Apply { entity: customer(), record: ONE, deed, shown, attempt: None };
    actors.ask(order).expect("the entity answers")
}

fn versions(actors: &Actors<'_>) -> usize {
    let list = ListHistory { entity: customer(), record: ONE, after: 0, limit: 100 };
    actors.ask_store(list).expect("the database answers").items.len()
}

fn recorded(site: &Site) -> Vec<String> {
    block_on(rows(site.database(), RECORDED))
}

#[test]
fn a_preview_tells_what_would_be_written_and_records_and_writes_nothing() {
    let site = site();
    let actors = disagree(&site);
    let (before, writes) = (recorded(&site), site.runs().count("billing", "update"));
    let deed = choose(&actors, |place| (place == "/name").then(|| Decision::Take(source("crm"))));
    let preview = preview(&actors, Some(&deed));
    let Prospect::Update { changes, .. } = &preview.copies[&source("billing")].prospect else { panic!("{preview:?}") };
    let told: Vec<_> = changes.iter().map(|change| format!("{} {:?}", change.path, change.after)).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("/name ") && told[0].contains("Anne"), "{told:?}");
    assert_eq!(preview.conflicts.iter().map(|left| left.path.to_string()).collect::<Vec<_>>(), ["/mail"]);
    assert_eq!(preview.copies[&source("crm")].prospect, Prospect::Contends);
    assert_eq!(recorded(&site), before);
    assert_eq!(site.runs().count("billing", "update"), writes);
    actors.stop();
}

#[test]
fn what_was_shown_is_done_in_one_version() {
    let site = site();
    let actors = disagree(&site);
    let deed = take_crm(&actors);
    let preview = preview(&actors, Some(&deed));
    let applied = apply(&actors, deed.clone(), preview.shown.clone());
    assert_eq!(applied, Ordered::Applied { record: ONE, version: 2 });
    assert_eq!((versions(&actors), preview.next.version), (2, 2));
    assert_eq!(site.system("billing").documents(), site.system("crm").documents());
    assert_eq!(site.runs().count("billing", "update"), 1);
    // Once more it finds no conflict.
    assert_eq!(apply(&actors, deed, preview.shown), Ordered::Stale(None));
    actors.stop();
}

#[test]
fn where_a_value_moved_after_the_preview_nothing_is_applied_and_what_moved_is_on_record() {
    let site = site();
    let actors = disagree(&site);
    let deed = take_crm(&actors);
    let shown = preview(&actors, Some(&deed)).shown;
    let copy = site.system("billing").only_key();
    site.system("billing").put(&copy, r#"{"mail":"anna@x","name":"Annika","note":"n"}"#);
    let moved = Moved { version: None, copies: vec![source("billing")] };
    assert_eq!(apply(&actors, deed.clone(), shown), Ordered::Moved(moved));
    assert_eq!(versions(&actors), 1);
    assert!(site.system("billing").documents()[0].contains("Annika"));
    // What was seen is stale from now on, and what stands there by now can be decided.
    let asked = GetPreview { entity: customer(), record: ONE, deed: Some(deed) };
    let refused = actors.ask(asked).expect("the entity answers");
    assert!(matches!(refused, Previewed::Refused(Ordered::Stale(Some(_)))), "{refused:?}");
    let deed = take_crm(&actors);
    let shown = preview(&actors, Some(&deed)).shown;
    assert_eq!(apply(&actors, deed, shown), Ordered::Applied { record: ONE, version: 2 });
    actors.stop();
}

#[test]
fn where_only_what_would_be_written_moved_nothing_is_applied_either() {
    let site = site();
    let actors = disagree(&site);
    let deed = choose(&actors, |place| (place == "/name").then(|| Decision::Take(source("crm"))));
    let shown = preview(&actors, Some(&deed)).shown;
    let copy = site.system("billing").only_key();
    site.system("billing").put(&copy, r#"{"mail":"anna@x","name":"Anna","note":"another"}"#);
    let moved = Moved { version: None, copies: vec![source("billing")] };
    assert_eq!(apply(&actors, deed.clone(), shown), Ordered::Moved(moved));
    assert!(site.system("crm").documents()[0].contains("another"), "what nobody contradicts is synced as ever");
    let shown = preview(&actors, Some(&deed)).shown;
    assert!(matches!(apply(&actors, deed, shown), Ordered::Applied { .. }));
    actors.stop();
}

#[test]
fn a_preview_that_meets_other_values_than_those_on_record_says_so() {
    let site = site();
    let actors = disagree(&site);
    let deed = take_crm(&actors);
    let copy = site.system("billing").only_key();
    site.system("billing").put(&copy, r#"{"mail":"anna@x","name":"Annika","note":"n"}"#);
    let preview = preview(&actors, Some(&deed));
    assert_eq!(preview.fate, Fate::Stale);
    // To apply even that is refused.
    assert!(matches!(apply(&actors, deed, preview.shown), Ordered::Moved(_)));
    actors.stop();
}

#[test]
fn an_undo_is_shown_and_what_a_later_version_changed_again_is_refused_at_once() {
    let site = site();
    let actors = Actors::start(&site);
    for name in ["Ann", "Anne", "Anna"] {
        site.system("crm").put("a", &format!("{{\"name\":{name:?}}}"));
        tell(&actors);
    }
    let asked = |version| GetPreview { entity: customer(), record: ONE, deed: Some(Deed::Undo { version }) };
    let blocked = actors.ask(asked(2)).expect("the entity answers");
    assert!(matches!(&blocked, Previewed::Refused(Ordered::Blocked(places)) if places.len() == 1), "{blocked:?}");
    let none = actors.ask(asked(9)).expect("the entity answers");
    assert!(matches!(none, Previewed::Refused(Ordered::NotFound)), "{none:?}");
    let deed = Deed::Undo { version: 3 };
    let shown = preview(&actors, Some(&deed)).shown;
    assert_eq!(apply(&actors, deed, shown), Ordered::Applied { record: ONE, version: 4 });
    assert_eq!(site.system("billing").documents(), [r#"{"name":"Anne"}"#]);
    actors.stop();
}

#[test]
fn a_preview_that_takes_long_is_told_to_whoever_asks_again() {
    let site = site();
    let actors = disagree(&site);
    let open = site.path().join("open");
    site.system("billing").fault("read", &format!("while [ ! -e {} ]; do sleep 0.05; done\n", open.display()));
    let asked = || GetPreview { entity: customer(), record: ONE, deed: None };
    assert!(matches!(actors.ask(asked()), Ok(Previewed::Reading)));
    site.write("open", "");
    let reads = || site.runs().count("billing", "read");
    let answered = crate::support::wait::until(
        || match actors.ask(asked()).expect("the entity answers") {
            Previewed::Ready(ready) => Some(ready),
            Previewed::Reading => None,
            other => panic!("{other:?}"),
        },
        || format!("{:#?}", site.runs()),
    );
    assert_eq!(answered.ages.len(), 2);
    let so_far = reads();
    // What was told is told: the next one reads again.
    site.system("billing").heal();
    preview(&actors, None);
    assert_eq!(reads(), so_far + 1);
    actors.stop();
}

#[test]
fn nothing_is_read_for_a_preview_while_the_work_of_the_entity_is_paused() {
    let site = site();
    let actors = disagree(&site);
    let pause = retcon::actor::supervisor::Pause { entity: customer(), source: None, paused: true, who: None };
    actors.ask(pause).expect("it is on record");
    let reads = site.runs().count("billing", "read");
    let asked = || GetPreview { entity: customer(), record: ONE, deed: None };
    let paused = || matches!(actors.ask(asked()), Ok(Previewed::Unserved(_)));
    crate::support::wait::until(|| paused().then_some(()), || "the pause is not heeded".to_owned());
    let meanwhile = site.runs().count("billing", "read");
    assert!(paused());
    assert_eq!(site.runs().count("billing", "read"), meanwhile);
    assert!(meanwhile >= reads);
    actors.stop();
}
