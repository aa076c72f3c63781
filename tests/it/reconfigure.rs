//! Another configuration while work flows: only what changed is started anew, and nothing is lost, cut off or done twice.

use std::collections::BTreeSet;
use std::fs;

use retcon::actor::supervision::ActorState;
use retcon::actor::supervisor::Refusal;
use rstest::rstest;

use crate::support::actors::{Actors, of_entity, of_source};
use crate::support::scene::{CUSTOMER, KINDS, Kind, PRODUCT, Scene};
use crate::support::wait::until;

/// The configuration of `customer` with one of its sources told otherwise.
fn with_billing(billing: &str) -> String {
    CUSTOMER.table("") + &CUSTOMER.source("crm") + billing + &CUSTOMER.source("ldap")
}

/// A source whose runs write a word into `SYSTEM/../words`: by its command, not by its environment.
fn saying(kind: Kind, name: &str, word: &str) -> String {
    let table = kind.source(name);
    let saying = format!("command = [\"/usr/bin/env\", \"WORD={word}\", ");
    table.replacen("command = [", &saying, 1)
}

/// What the runs of `customer` said, one after the other.
fn words(scene: &Scene) -> Vec<String> {
    let said = fs::read_to_string(scene.site.path().join("systems/words")).unwrap_or_default();
    said.lines().map(str::to_owned).collect()
}

const SAY: &str = "echo \"$WORD\" >> \"$system/../words\"";

/// Every operation of `customer` says its word; reads of the users' system wait until they are let go.
fn hold_reads(scene: &Scene) {
    for source in CUSTOMER.sources {
        scene.system(CUSTOMER, source).fault_everywhere(SAY);
    }
    let wait = format!("{SAY}\nwhile [ ! -e \"$system/go\" ]; do sleep 0.01; done");
    scene.system(CUSTOMER, "crm").fault("read", &wait);
}

fn let_reads_go(scene: &Scene) {
    fs::write(scene.system(CUSTOMER, "crm").dir().join("go"), "").expect("a file");
}

#[rstest]
#[case::nothing(&CUSTOMER.whole(), &[])]
#[case::a_command(&with_billing(&saying(CUSTOMER, "billing", "new")), &["customer/billing"])]
#[case::a_timeout(&with_billing(&CUSTOMER.source_with("billing", "timeout = \"31s\"")), &["customer/billing"])]
#[case::the_fields_of_a_source(&with_billing(&CUSTOMER.source_with("billing", "fields = [\"/item\", \"/name\"]")), &["customer/billing"])]
#[case::a_policy(&CUSTOMER.with("merge_policy = \"accept-all\""), &[])]
#[case::a_throttle(&CUSTOMER.with("throttle = { in_flight = 1, rate = 1000.0, burst = 1000 }"), &[])]
#[case::the_mode(&CUSTOMER.with("delete_after = \"1s\""), &[])]
#[case::a_source_more(&(CUSTOMER.whole() + &CUSTOMER.source("archive")), &["customer/archive"])]
#[case::a_source_less(&(CUSTOMER.table("") + &CUSTOMER.source("crm") + &CUSTOMER.source("ldap")), &["customer/billing"])]
fn only_what_changed_is_started_anew(#[case] customer: &str, #[case] expected: &[&str]) {
    let scene = Scene::new();
    scene.system(CUSTOMER, "archive");
    let mut actors = Actors::start(&scene.site);
    let before: BTreeSet<_> = actors.lives().into_iter().collect();
    for key in ["1", "2", "3"] {
        KINDS.iter().for_each(|kind| scene.tell(&actors, *kind, key, "Ann"));
    }
    scene.configure(&[customer.to_owned(), PRODUCT.whole()]);
    actors.reconfigure();
    for key in ["3", "4", "5"] {
        KINDS.iter().for_each(|kind| scene.tell(&actors, *kind, key, "Bob"));
    }
    actors.wait_until_up();
    actors.wait_until_at_rest();
    // Who left may be at its last look still.
    let changed = || {
        let now: BTreeSet<_> = actors.lives().into_iter().collect();
        now.symmetric_difference(&before).map(|(path, _)| path.clone()).collect::<BTreeSet<_>>()
    };
    let expected: BTreeSet<_> = expected.iter().map(|path| (*path).to_owned()).collect();
    let is_so = || {
        changed() == expected
            && actors.find(&of_source("customer", "billing")).is_none_or(|actor| actor.state == ActorState::Up)
    };
    until(|| is_so().then_some(()), || format!("{:?}; {:#?}", changed(), actors.ledger()));
    scene.assert_copies(CUSTOMER, &["crm", "ldap"]);
    scene.assert_copies(PRODUCT, &PRODUCT.sources);
    scene.runs(CUSTOMER).assert_none_meet();
    scene.assert_nothing_held();
    actors.stop();
}

#[test]
fn a_look_ends_by_the_configuration_by_which_it_began() {
    let scene = Scene::new();
    let say = |word: &str| {
        let sources: Vec<_> = CUSTOMER.sources.iter().map(|name| saying(CUSTOMER, name, word)).collect();
        [CUSTOMER.table("") + &sources.concat(), PRODUCT.whole()]
    };
    scene.configure(&say("old"));
    let mut actors = Actors::start(&scene.site);
    hold_reads(&scene);
    scene.tell(&actors, CUSTOMER, "1", "Ann");
    scene.wait_for_run(CUSTOMER, "crm", "read");
    scene.configure(&say("new"));
    actors.reconfigure();
    // The actors of both configurations work side by side now; the new ones have nothing to do yet.
    actors.wait_until_up();
    let_reads_go(&scene);
    actors.wait_until_at_rest();
    let of_first = words(&scene);
    // A read, and a create with what is read back at each of the others.
    assert_eq!(of_first, ["old"; 5]);
    scene.tell(&actors, CUSTOMER, "1", "Bob");
    actors.wait_until_at_rest();
    let of_second = &words(&scene)[of_first.len()..];
    assert!(of_second.len() >= 5 && of_second.iter().all(|word| word == "new"), "{of_second:?}");
    scene.assert_in_step(&actors);
    // Whoever worked for the look alone is gone.
    for source in CUSTOMER.sources {
        let path = of_source("customer", source);
        until(|| (actors.happened(&path, "actor stopped") == 1).then_some(()), || format!("{:#?}", actors.ledger()));
    }
    actors.stop();
}

#[rstest]
fn the_work_of_an_entity_that_is_removed_is_there_again_when_it_comes_back(
    #[values(true, false)] comes_back_while_leaving: bool,
) {
    let (scene, path) = (Scene::new(), of_entity("customer"));
    let slow = CUSTOMER.with("throttle = { in_flight = 1 }");
    scene.configure(&[slow.clone(), PRODUCT.whole()]);
    let mut actors = Actors::start(&scene.site);
    let id = actors.actor(&path).id;
    hold_reads(&scene);
    scene.tell(&actors, CUSTOMER, "1", "Ann");
    scene.wait_for_run(CUSTOMER, "crm", "read");
    scene.tell(&actors, CUSTOMER, "2", "Ann");
    scene.tell(&actors, CUSTOMER, "3", "Ann");

    scene.configure(&[PRODUCT.whole()]);
    actors.reconfigure();
    actors.wait_for_state(&path, ActorState::Stopping);
    let refused = actors.try_to_notify(&CUSTOMER.notification("4"));
    assert!(matches!(&refused, Err(Refusal::UnknownEntity(name)) if name.as_str() == "customer"), "{refused:?}");
    scene.tell(&actors, PRODUCT, "1", "Ann");

    if !comes_back_while_leaving {
        let_reads_go(&scene);
        actors.wait_until_gone(&path);
        // What was in flight has ended; what was queued is there.
        let unfinished =
            "select foreign_key, state from work_item where entity = 'customer' and state <> 'done' order by 1";
        assert_eq!(scene.rows(unfinished), ["2|ready", "3|ready"]);
        assert_eq!(scene.system(CUSTOMER, "ldap").documents().len(), 1);
    }
    scene.configure(&[slow, PRODUCT.whole()]);
    actors.reconfigure();
    scene.tell(&actors, CUSTOMER, "2", "Bob");
    let_reads_go(&scene);
    until(
        || actors.find(&path).is_some_and(|actor| actor.id != id).then_some(()),
        || format!("{:#?}", actors.ledger()),
    );
    actors.wait_until_up();
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    for source in ["billing", "ldap"] {
        assert_eq!(scene.runs(CUSTOMER).count(source, "create"), 3);
    }
    actors.stop();
}

#[test]
fn an_entity_that_comes_and_goes_while_it_leaves_ends_as_it_was_said_last() {
    let (scene, path) = (Scene::new(), of_entity("customer"));
    let mut actors = Actors::start(&scene.site);
    hold_reads(&scene);
    scene.tell(&actors, CUSTOMER, "1", "Ann");
    scene.wait_for_run(CUSTOMER, "crm", "read");
    for _ in 0..3 {
        scene.configure(&[PRODUCT.whole()]);
        actors.reconfigure();
        scene.configure(&[CUSTOMER.whole(), PRODUCT.whole()]);
        actors.reconfigure();
        scene.configure(&[CUSTOMER.with("throttle = { in_flight = 1 }"), PRODUCT.whole()]);
        actors.reconfigure();
    }
    scene.configure(&[PRODUCT.whole()]);
    actors.reconfigure();
    let_reads_go(&scene);
    actors.wait_until_gone(&path);
    assert_eq!(actors.happened(&path, "actor started"), 1);
    scene.assert_copies(CUSTOMER, &CUSTOMER.sources);
    actors.stop();
}

#[test]
fn the_work_that_waits_for_a_source_is_released_when_its_command_changes() {
    let scene = Scene::new();
    let broken = with_billing("[entities.customer.sources.billing]\ncommand = [\"/bin/false\"]\n");
    scene.configure(&[broken, PRODUCT.whole()]);
    let mut actors = Actors::start(&scene.site);
    for key in ["1", "2", "3"] {
        scene.tell(&actors, CUSTOMER, key, "Ann");
    }
    let waiting = || actors.status().entities[0].counts.waiting;
    until(|| (waiting() == 3).then_some(()), || format!("{:#?}", actors.status()));
    scene.configure(&[CUSTOMER.whole(), PRODUCT.whole()]);
    actors.reconfigure();
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    actors.stop();
}

#[test]
fn a_source_that_is_added_gets_what_is_told_from_then_on_and_one_that_is_removed_keeps_what_it_has() {
    let scene = Scene::new();
    let less = CUSTOMER.table("") + &CUSTOMER.source("crm") + &CUSTOMER.source("ldap");
    scene.configure(&[less.clone(), PRODUCT.whole()]);
    let mut actors = Actors::start(&scene.site);
    scene.tell(&actors, CUSTOMER, "1", "Ann");
    actors.wait_until_at_rest();
    scene.assert_copies(CUSTOMER, &["crm", "ldap"]);

    scene.configure(&[CUSTOMER.whole(), PRODUCT.whole()]);
    actors.reconfigure();
    scene.tell(&actors, CUSTOMER, "1", "Bob");
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);

    scene.configure(&[less, PRODUCT.whole()]);
    actors.reconfigure();
    let copy = scene.system(CUSTOMER, "billing").documents();
    scene.tell(&actors, CUSTOMER, "1", "Cid");
    actors.wait_until_at_rest();
    scene.assert_copies(CUSTOMER, &["crm", "ldap"]);
    assert_eq!(scene.system(CUSTOMER, "billing").documents(), copy);
    actors.wait_until_gone(&of_source("customer", "billing"));

    scene.configure(&[CUSTOMER.whole(), PRODUCT.whole()]);
    actors.reconfigure();
    scene.tell(&actors, CUSTOMER, "1", "Dan");
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    actors.stop();
}

#[test]
fn fifty_reloads_in_a_row_under_load_lose_nothing_and_double_nothing() {
    let scene = Scene::new();
    let mut actors = Actors::start(&scene.site);
    let untouched = ["crm", "ldap"].map(|source| actors.actor(&of_source("customer", source)).id);
    for round in 0..50 {
        let key = (round % 10).to_string();
        KINDS.iter().for_each(|kind| scene.tell(&actors, *kind, &key, &format!("name {round}")));
        let billing = saying(CUSTOMER, "billing", &round.to_string());
        let product = PRODUCT.with(&format!("throttle = {{ in_flight = {} }}", 1 + round % 4));
        scene.configure(&[with_billing(&billing), product]);
        actors.reconfigure();
    }
    actors.wait_until_up();
    actors.wait_until_at_rest();
    scene.assert_in_step(&actors);
    for kind in KINDS {
        for source in &kind.sources[1..] {
            assert_eq!(scene.runs(kind).count(source, "create"), 10, "{source}");
        }
    }
    assert_eq!(["crm", "ldap"].map(|source| actors.actor(&of_source("customer", source)).id), untouched);
    assert!(actors.ledger().actors.iter().all(|actor| actor.restarts == 0), "{:#?}", actors.ledger());
    let billing = of_source("customer", "billing");
    until(|| (actors.lives().len() == 11).then_some(()), || format!("{:#?}", actors.ledger()));
    assert_eq!(actors.actor(&billing).state, ActorState::Up);
    actors.stop();
}
