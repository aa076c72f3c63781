//! What a look costs, in what no clock can tell: processes that are started, round trips to the database, statements, commits.
//!
//! The numbers are exact. Who makes them smaller writes down the new ones; who makes them greater has a reason.

use std::fmt::Write as _;

use crate::support::meter::Meter;
use crate::support::site::Site;
use crate::support::system::Language::C;
use crate::support::system::SourceSpec;
use crate::support::wait::until;

/// From a notification of one of two sources until nothing more is done about it.
const TWO: &str = "
                              starts   trips  statements  commits
create                             3       7          34        5
nothing changed                    2       3          17        3
update                             3       4          26        4
update with history                3       5          27        4
delete                             3       8          35        4
";

/// Likewise with five.
const FIVE: &str = "
                              starts   trips  statements  commits
create                             9      10          37        8
nothing changed                    5       3          17        3
update                             9       7          29        7
update with history                9       8          30        7
delete                             9      11          38        7
";

/// How often all is measured at most, see [`measure`].
const ATTEMPTS: usize = 20;

/// A source of which no reading is ever too old, so that a busy machine makes no more.
fn source(name: &str) -> SourceSpec {
    C.source(name).with("recheck = \"1h\"")
}

/// What was measured, and what passed for it.
#[derive(Default)]
struct Account {
    table: String,
    details: String,
}

impl Account {
    /// Notifies of the item `a` of `crm`, and enters all that is done until nothing more is.
    #[track_caller]
    fn enter(&mut self, what: &str, site: &Site, meter: &Meter) {
        meter.bill();
        let before = site.runs().started().count();
        let body = r#"{"entity":"customer","source":"crm","key":"a"}"#;
        let accepted = site.http("POST", "/v1/notifications", Some(body)).has_status(202).json();
        let item = accepted["work_items"][0]["id"].clone();
        until(
            || (site.get(&format!("/v1/work-items/{item}"))["state"] == "done").then_some(()),
            || site.get(&format!("/v1/work-items/{item}")).to_string(),
        );
        let bill = meter.bill();
        let starts = site.runs().started().count() - before;
        let (trips, statements, commits) = (bill.trips(), bill.statements(), bill.commits());
        writeln!(self.table, "{what:<28}{starts:>8}{trips:>8}{statements:>12}{commits:>9}").expect("a string");
        write!(self.details, "{what}:\n{bill}").expect("a string");
    }
}

/// Measures looks at one item, from its first to its last.
///
/// Where an entity that has nothing to do does not say so within milliseconds, its notification goes another way, which costs more. The
/// daemon says that it did; so much a machine that is too busy can do, and then all is measured once more.
#[track_caller]
fn measure(names: &[&str]) -> Account {
    (0..ATTEMPTS).find_map(|_| measure_once(names)).expect("an idle entity heeds notifications in time")
}

/// Likewise; gives nothing where a notification was not heeded in time.
#[track_caller]
fn measure_once(names: &[&str]) -> Option<Account> {
    let mut account = Account::default();
    writeln!(account.table, "\n{:<28}{:>8}{:>8}{:>12}{:>9}", "", "starts", "trips", "statements", "commits")
        .expect("a string");
    let site = Site::new(&names.iter().map(|name| source(name)).collect::<Vec<_>>());
    let meter = Meter::at(&site);
    let daemon = site.start();
    let is_heeded = || (!daemon.log_text().contains("notification not heeded in time")).then_some(());
    let crm = site.system("crm");
    crm.put("a", r#"{"name":"Ann"}"#);
    account.enter("create", &site, &meter);
    is_heeded()?;
    account.enter("nothing changed", &site, &meter);
    is_heeded()?;
    crm.put("a", r#"{"name":"Anne"}"#);
    account.enter("update", &site, &meter);
    is_heeded()?;
    for age in 0..5 {
        crm.put("a", &format!(r#"{{"name":"Anne","age":{age}}}"#));
        site.notify("crm", "a");
    }
    crm.put("a", r#"{"name":"Bea","age":4}"#);
    account.enter("update with history", &site, &meter);
    is_heeded()?;
    crm.remove("a");
    account.enter("delete", &site, &meter);
    is_heeded()?;
    daemon.stop();
    Some(account)
}

#[test]
fn a_look_between_two_sources_costs_what_is_written_down() {
    let Account { table, details } = measure(&["billing", "crm"]);
    assert_eq!(table, TWO, "\n{table}\n{details}");
}

#[test]
fn a_look_between_five_sources_costs_what_is_written_down() {
    let Account { table, details } = measure(&["billing", "crm", "erp", "ldap", "shop"]);
    assert_eq!(table, FIVE, "\n{table}\n{details}");
}
