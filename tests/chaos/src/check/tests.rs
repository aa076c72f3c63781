//! The checker itself: it finds nothing in a history in which all is well, and each violation in one in which it was planted.

mod story;

use super::database::RecordRow;
use super::decide;
use super::material::Place;
use crate::books::{ChangeKind, Tidying};
use crate::clock::Micros;
use story::{Story, json};

/// Plants a violation, and expects that invariant to be broken, and no other but those that are named with it.
#[track_caller]
fn expect_broken(invariants: &[&str], plant: impl FnOnce(&mut Story)) {
    let mut story = Story::well();
    plant(&mut story);
    let findings = decide(&story.material());
    let told: Vec<String> =
        findings.findings.iter().map(|found| format!("{}: {}", found.invariant, found.text)).collect();
    for invariant in invariants {
        assert!(findings.findings.iter().any(|found| found.invariant == *invariant), "no {invariant} in {told:#?}");
    }
    let other = findings.findings.iter().find(|found| !invariants.contains(&found.invariant));
    assert!(other.is_none(), "not only {invariants:?}: {told:#?}");
}

/// Plants what looks like a violation and is none.
#[track_caller]
fn expect_well(plant: impl FnOnce(&mut Story)) {
    expect_broken(&[], plant);
}

#[test]
fn all_is_decided_and_well_where_all_is_well() {
    let findings = decide(&Story::well().material());
    assert!(findings.findings.is_empty(), "{:#?}", findings.findings);
    assert!(findings.void.is_empty(), "{:#?}", findings.void);
    assert_eq!(findings.decided.len(), 16, "{:#?}", findings.decided);
}

#[test]
fn without_facts_nothing_is_decided() {
    let findings = decide(&Story::empty().material());
    assert!(findings.findings.is_empty(), "{:#?}", findings.findings);
    assert_eq!((findings.void.len(), findings.decided.len()), (16, 0), "{findings:#?}");
}

#[test]
fn a_notification_without_a_read_after_it_is_lost() {
    // The last read of that copy was made before.
    expect_broken(&["I1"], |story| story.notify("crm", "c1", 9_000, Some(7)));
    expect_well(|story| {
        story.notify("crm", "c1", 9_000, Some(7));
        story.run("crm", "read", Some("c1"), Some(1), (9_001, Some(9_002)), Some(0));
    });
    expect_well(|story| {
        story.notify("crm", "c1", 9_000, Some(7));
        story.database.items.get_mut(&7).expect("it is there").state = "parked".into();
    });
}

#[test]
fn an_acknowledgement_without_a_row_is_dishonest() {
    expect_broken(&["I12"], |story| {
        story.notify("crm", "c1", 9_000, Some(7));
        story.database.items.remove(&7);
    });
    expect_broken(&["I12"], |story| story.notify("crm", "c1", 9_000, None));
}

#[test]
fn an_edit_that_is_nowhere_is_lost() {
    let edit = |story: &mut Story| {
        story.user("crm", "c1", 9_000, Some(r#"{"name":"Eva"}"#));
        // Overwritten by what was agreed before.
        story.ours("crm", "update", "c1", "op-9", 1, 9_010, Some(r#"{"name":"Cid"}"#));
    };
    expect_broken(&["I2"], edit);
    expect_well(|story| {
        edit(story);
        story.version(1, 9_005, "sync", true).overruled = json(r#"[{"path":"/name","source":"crm","value":"Eva"}]"#);
    });
    expect_well(|story| {
        edit(story);
        story.conflict(8, 1, "/name", r#"[{"sources":["crm"],"value":"Eva"}]"#, Some("agreement"));
    });
    // Somebody had seen it.
    expect_well(|story| {
        story.user("crm", "c1", 9_000, Some(r#"{"name":"Eva"}"#));
        story.user("crm", "c1", 9_001, Some(r#"{"name":"Cid"}"#));
    });
}

#[test]
fn an_edit_in_the_window_is_excused_only_where_the_program_does_not_compare() {
    let overwritten = |story: &mut Story| {
        story.user("crm", "c1", 9_000, Some(r#"{"name":"Eva"}"#));
        story.ours("crm", "update", "c1", "op-9", 1, 9_010, Some(r#"{"name":"Cid"}"#));
    };
    expect_broken(&["I2"], overwritten);
    expect_well(|story| {
        overwritten(story);
        story.traits("crm").compares = false;
    });
}

#[test]
fn an_edit_right_after_a_write_of_ours_is_excused_only_until_a_reading_has_shown_the_write() {
    // What was agreed is written, and a user edits it while it is read again.
    let story_of = |read: (Micros, Micros)| {
        move |story: &mut Story| {
            story.ours("crm", "update", "c1", "op-9", 1, 9_000, Some(r#"{"name":"Cid"}"#));
            story.run("crm", "read", Some("c1"), Some(1), (read.0, Some(read.1)), Some(0));
            story.user("crm", "c1", 9_010, Some(r#"{"name":"Eva"}"#));
        }
    };
    expect_broken(&["I2", "I7"], story_of((9_002, 9_009)));
    expect_well(story_of((9_002, 9_020)));
}

#[test]
fn what_a_create_has_made_that_lied_about_it_need_not_hold_later_edits() {
    let edited = |story: &mut Story| {
        let [before, after] = ["Zoe", "Eva"].map(|name| format!(r#"{{"name":"{name}","n":12345678901234567890.10}}"#));
        story.user("crm", "c3", 9_000, Some(&after));
        story.version(3, 9_005, "sync", true);
        story.run("billing", "update", Some("b3"), Some(3), (9_010, Some(9_020)), Some(0));
        story.ours("billing", "update", "b3", "op-9", 3, 9_015, Some(&after));
        story.agree(3, &after);
        story.ours("billing", "create", "b9", "op-6", 3, 9_030, Some(&before));
    };
    expect_broken(&["I2", "I3", "I6", "I7"], edited);
    expect_well(|story| {
        edited(story);
        story.deeds("billing").last_mut().expect("the second create").change.excused = true;
    });
}

#[test]
fn an_item_that_is_in_no_record_is_lost() {
    expect_broken(&["I2", "I7"], |story| story.user("crm", "c9", 9_000, Some(r#"{"name":"Eva"}"#)));
    expect_well(|story| {
        story.user("crm", "c9", 9_000, Some(r#"{"name":"Eva"}"#));
        story.user("crm", "c9", 9_001, None);
    });
}

#[test]
fn a_second_copy_is_a_duplicate() {
    let twice = |story: &mut Story| {
        story.ours("billing", "create", "b9", "op-9", 1, 9_000, Some(r#"{"name":"Cid"}"#));
        story.key("billing", "b9", 1);
    };
    expect_broken(&["I3", "I7"], twice);
    // A person has said that the first one was not there.
    expect_broken(&["I7"], |story| {
        twice(story);
        story.decide("settle", "1", 1, r#"{"absent":true}"#, "null");
    });
}

#[test]
fn a_copy_that_becomes_another_record_is_a_duplicate() {
    expect_broken(&["I3", "I2"], |story| story.key("billing", "b1", 3));
}

#[test]
fn a_second_copy_is_excused_where_nothing_could_tell_of_the_first() {
    let again = |story: &mut Story| {
        // The second one became a record of its own.
        let document = r#"{"name":"Zoe","n":12345678901234567890.10}"#;
        story.ours("billing", "create", "b9", "op-1", 1, 9_000, Some(document));
        story.key("billing", "b9", 3);
    };
    expect_broken(&["I3", "I6", "I7"], again);
    expect_broken(&["I7"], |story| {
        again(story);
        story.deeds("billing")[0].change.excused = true;
    });
}

#[test]
fn a_create_for_a_removed_record_is_a_resurrection() {
    let raise = |story: &mut Story| {
        story.run("crm", "create", None, Some(2), (9_000, Some(9_001)), Some(0));
        story.ours("crm", "create", "c9", "op-9", 2, 9_001, Some(r#"{"name":"Zoe"}"#));
        story.ours("crm", "delete", "c9", "op-10", 2, 9_002, None);
    };
    expect_broken(&["I4"], raise);
    expect_well(|story| {
        raise(story);
        story.version(2, 8_990, "undo", true);
        story.version(2, 9_002, "sync", false);
    });
}

#[test]
fn a_delete_rests_on_exit_2_or_on_a_person() {
    let delete = |story: &mut Story, exit: i32| {
        let evidence = story.runs("crm").iter_mut().find(|run| run.exit == Some(2)).expect("there is one");
        evidence.exit = Some(exit);
    };
    expect_broken(&["I5"], |story| delete(story, 1));
    expect_well(|story| delete(story, 2));
    expect_well(|story| {
        delete(story, 1);
        story.database.versions.get_mut(&("customer".into(), 2)).expect("it is there")[1].cause =
            json(r#"{"kind":"undo"}"#);
    });
    // The copy was not gone: it had got another key.
    expect_broken(&["I5"], |story| {
        story.user("crm", "c9", 610, Some(r#"{"name":"Zed"}"#));
        story.deeds("crm").last_mut().expect("it was just made").change.former_key = Some("c2".into());
        story.user("crm", "c9", 615, None);
    });
}

#[test]
fn a_copy_that_went_under_a_key_which_nobody_was_told_is_gone_once_a_person_says_so() {
    // Our update gave it another key and did not say so; then a user removed it.
    let rename = |story: &mut Story| {
        story.ours("crm", "update", "c4", "op-9", 1, 9_000, Some(r#"{"name":"Cid"}"#));
        let change = &mut story.deeds("crm").last_mut().expect("it was just made").change;
        (change.kind, change.former_key) = (ChangeKind::Update, Some("c1".into()));
        story.user("crm", "c4", 9_010, None);
        story.run("crm", "read", Some("c1"), Some(1), (9_020, Some(9_022)), Some(2));
        story.ours("billing", "delete", "b1", "op-10", 1, 9_030, None);
        story.database.records.insert(("customer".into(), 1), RecordRow { is_live: false, agreed: None });
        story.link(1, "crm", None);
        story.link(1, "billing", None);
    };
    expect_broken(&["I5"], rename);
    let say = |story: &mut Story, asked: &str, at: Micros| {
        rename(story);
        story.decide("settle", "1", 1, asked, r#"{"source":"crm"}"#);
        story.decisions.last_mut().expect("it was just made").order.at = at;
    };
    expect_well(|story| say(story, r#"{"absent":true}"#, 9_025));
    expect_broken(&["I5"], |story| say(story, r#"{"absent":true}"#, 9_040));
    expect_broken(&["I5"], |story| say(story, r#"{"key":"c4"}"#, 9_025));
    expect_broken(&["I5"], |story| {
        say(story, r#"{"absent":true}"#, 9_025);
        story.decisions.last_mut().expect("it was just made").answer.as_mut().expect("there is one").status = 409;
    });
}

#[test]
fn runs_that_meet_break_serialization() {
    expect_broken(&["I6"], |story| {
        story.run("crm", "read", Some("c1"), Some(1), (9_000, Some(9_010)), Some(0));
        story.run("crm", "read", Some("c1"), Some(1), (9_005, Some(9_006)), Some(0));
    });
    expect_broken(&["I6"], |story| {
        story.run("crm", "read", Some("c1"), Some(1), (9_000, Some(9_010)), Some(0));
        story.runs("crm").last_mut().expect("it is there").overlaps.push(("record".into(), None));
    });
    expect_well(|story| {
        story.run("crm", "read", Some("c1"), Some(1), (9_000, Some(9_010)), Some(0));
        story.run("crm", "list", None, Some(1), (9_005, Some(9_006)), Some(0));
    });
}

#[test]
fn an_operation_takes_effect_once() {
    expect_broken(&["I6"], |story| {
        story.ours("crm", "update", "c1", "op-9", 1, 9_000, Some(r#"{"name":"Bob"}"#));
        story.ours("crm", "update", "c1", "op-9", 1, 9_001, Some(r#"{"name":"Cid"}"#));
    });
}

#[test]
fn copies_that_differ_have_not_converged() {
    expect_broken(&["I7"], |story| story.ours("crm", "update", "c1", "op-9", 1, 9_000, Some(r#"{"name":"Bob"}"#)));
    expect_well(|story| {
        story.ours("crm", "update", "c1", "op-9", 1, 9_000, Some(r#"{"name":"Bob"}"#));
        story.operation("op-10", 1, "crm", "update", "in-doubt");
    });
    expect_broken(&["I7"], |story| {
        story.notify("crm", "c1", 110, Some(7));
        story.database.items.get_mut(&7).expect("it is there").state = "ready".into();
    });
}

#[test]
fn a_removed_record_has_no_copies() {
    expect_broken(&["I7"], |story| {
        story.user("crm", "c9", 9_000, Some(r#"{"name":"Zoe"}"#));
        story.key("crm", "c9", 2);
        story.link(2, "crm", Some("c9"));
    });
}

#[test]
fn what_changes_something_at_rest_breaks_the_quiet() {
    let at_rest: Micros = 20_000_000;
    expect_broken(&["I8"], |story| {
        story.run("crm", "update", Some("c1"), Some(1), (at_rest, Some(at_rest + 1)), Some(0));
    });
    expect_well(|story| story.run("crm", "read", Some("c1"), Some(1), (at_rest, Some(at_rest + 1)), Some(0)));
}

#[test]
fn writing_more_often_than_was_edited_breaks_the_quiet() {
    expect_broken(&["I8"], |story| {
        for time in 0..60 {
            let start = 9_000 + time * 100_000;
            story.run("crm", "update", Some("c1"), Some(1), (start, Some(start + 5)), Some(0));
        }
    });
}

#[test]
fn what_is_left_behind_or_grows_is_not_bounded() {
    expect_broken(&["I9"], |story| story.left_behind.push("sim RUN customer crm read".into()));
    expect_broken(&["I9"], |story| story.database.longest_reason = 70_000);
}

#[test]
fn starts_beyond_the_throttle_are_found() {
    let starts = |story: &mut Story, apart: Micros| {
        for time in 0..100 {
            let start = 1_000_000 + time * apart;
            story.run("crm", "read", Some("c1"), Some(1), (start, Some(start + 1)), Some(0));
        }
    };
    expect_broken(&["I10"], |story| starts(story, 10_000));
    expect_well(|story| starts(story, 100_000));
}

#[test]
fn an_entity_that_waits_while_others_are_served_is_treated_unfairly() {
    expect_broken(&["I10"], |story| {
        let web = Place { entity: "product".into(), source: "web".into() };
        story.notify_at(&web, "w1", 1_000_000, Some(9));
        let late = 51_000_000;
        story.run_at(&web, "read", (Some("w1"), None), (late, Some(late + 1)), Some(2));
        for time in 0..80 {
            let start = 1_100_000 + time * 500_000;
            story.run("crm", "read", Some("c1"), Some(1), (start, Some(start + 1)), Some(1));
        }
    });
}

#[test]
fn a_run_under_another_daemon_breaks_authority() {
    let runs = |story: &mut Story, start: Micros| {
        story.run("crm", "read", Some("c1"), Some(1), (9_000, Some(9_010)), Some(0));
        story.run("billing", "read", Some("b1"), Some(1), (start, Some(start + 2)), Some(0));
        story.runs("billing").last_mut().expect("it is there").parent = 300;
    };
    expect_broken(&["I11"], |story| runs(story, 9_005));
    expect_well(|story| runs(story, 9_011));
}

#[test]
fn an_effect_without_its_operation_is_unrecorded() {
    expect_broken(&["I13"], |story| drop(story.database.operations.remove("op-1")));
    expect_broken(&["I13"], |story| {
        story.database.operations.get_mut("op-1").expect("it is there").kind = "update".into();
    });
}

#[test]
fn a_value_that_nobody_wrote_is_a_loss() {
    // As one that takes numbers for floats would have it.
    expect_broken(&["I14", "I7", "I2"], |story| {
        let float = r#"{"name":"Zoe","n":12345678901234567000}"#;
        story.ours("billing", "update", "b3", "op-9", 3, 9_000, Some(float));
    });
    expect_broken(&["I14", "I7", "I2"], |story| {
        story.ours("billing", "update", "b3", "op-9", 3, 9_000, Some(r#"{"name":"Zoe"}"#));
    });
    // The same number, in another spelling.
    expect_well(|story| {
        let spelt = r#"{"name":"Zoe","n":1.234567890123456789010e19}"#;
        story.ours("billing", "update", "b3", "op-9", 3, 9_000, Some(spelt));
    });
}

#[test]
fn a_resolution_is_applied_once_and_to_what_was_seen() {
    expect_broken(&["I15"], |story| {
        story.version(1, 6_000, "sync", true).cause = json(r#"{"kind":"resolution","conflict":7}"#);
    });
    expect_broken(&["I15"], |story| story.database.conflicts[0].revision = 2);
    expect_broken(&["I15"], |story| {
        story.database.conflicts[0].contenders = json(r#"[{"sources":["crm"],"value":"Fay"}]"#);
    });
    // It was refused, and applied all the same.
    let answer = |story: &mut Story, status: u16| {
        story.decisions[0].answer.as_mut().expect("there is one").status = status;
    };
    expect_broken(&["I15"], |story| answer(story, 409));
    expect_well(|story| answer(story, 503));
    expect_well(|story| story.decisions[0].answer = None);
    // It was asked for twice: whoever gave the answer, the other one may have applied it.
    expect_well(|story| {
        let mut again = story.decisions[0].clone();
        (again.order.number, again.order.daemon) = (2, 2);
        story.decisions[0].answer = None;
        story.decisions.push(again);
        story.decisions[1].answer.as_mut().expect("there is one").status = 409;
    });
}

#[test]
fn an_order_that_was_acknowledged_is_on_record() {
    let answer = |story: &mut Story, status: u16, body: serde_json::Value| {
        story.decisions[0].answer = Some(crate::books::Answer { status, body });
    };
    // Said to be applied, and closed by something else.
    expect_broken(&["I12"], |story| {
        story.database.conflicts[0].closed_by = Some(json(r#"{"kind":"agreement"}"#));
        story.database.versions.get_mut(&("customer".into(), 1)).expect("it is there")[2].cause =
            json(r#"{"kind":"sync"}"#);
    });
    // Said to be stored, and nowhere.
    expect_broken(&["I12"], |story| answer(story, 202, serde_json::json!({"state": "pending", "work_item": 99})));
    expect_well(|story| answer(story, 202, serde_json::json!({"state": "pending", "work_item": 101})));
    expect_well(|story| answer(story, 503, serde_json::Value::Null));
}

#[test]
fn a_mixture_of_configurations_is_found() {
    let run = |story: &mut Story, config: [&str; 2]| {
        story.run("crm", "read", Some("c1"), Some(1), (9_000, Some(9_001)), Some(0));
        story.runs("crm").last_mut().expect("it is there").config = config.map(str::to_owned);
    };
    expect_broken(&["I16"], |story| run(story, ["1", "2"]));
    expect_broken(&["I16"], |story| run(story, ["broken-2", "broken-2"]));
    expect_well(|story| run(story, ["3", "3"]));
}

#[test]
fn tidied_values_are_the_same_only_where_a_system_tidies() {
    let tidied = |story: &mut Story| {
        story.user("crm", "c1", 9_000, Some(r#"{"name":"Eva "}"#));
        story.ours("billing", "update", "b1", "op-9", 1, 9_010, Some(r#"{"name":"Eva"}"#));
        story.agree(1, r#"{"name":"Eva "}"#);
    };
    expect_broken(&["I2", "I7", "I14"], tidied);
    expect_well(|story| {
        tidied(story);
        story.traits("billing").tidies = Tidying::AtWrite;
    });
}
