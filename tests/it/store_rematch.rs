//! Match values by other rules: what happens to those of records that are known already.

use retcon::domain::key::InternalKey;
use retcon::domain::rules::Rules;
use retcon::store::Store;
use retcon::store::requests::look::Introduced;
use retcon::store::requests::queue::{Rematch, RematchPart};

use crate::support::postgres;
use crate::support::store::{customer, introduce_claimed, rows, run};

const ANN: Option<&str> = Some(r#"["ann@example.com"]"#);
const EMAIL: &str = "/email";

async fn part(store: &Store, place: &str, part: RematchPart) -> Option<RematchPart> {
    let rules = Rules { matching: vec![place.parse().expect("a pointer")], ..Rules::default() };
    run(store, Rematch { entity: customer(), rules, part }).await
}

/// Makes match values of what is at this place; gives all parts.
async fn rematch(store: &Store, place: &str) -> Vec<RematchPart> {
    let mut parts = vec![RematchPart::Begin];
    while let Some(next) = part(store, place, parts[parts.len() - 1]).await {
        parts.push(next);
    }
    parts
}

fn made(after: i64, is_anew: bool) -> RematchPart {
    RematchPart::Make { after, is_anew }
}

#[tokio::test]
async fn an_item_that_a_daemon_of_before_knew_by_its_value_is_still_that_item() {
    let store = postgres::store();
    assert_eq!(introduce_claimed(&store, "crm", "a", ANN).await.0, Introduced::New(InternalKey(1)));
    assert_eq!(rematch(&store, EMAIL).await, [RematchPart::Begin, made(0, false), made(1, false)]);
    assert_eq!(rows(&store, "select id from work_item where subject = 'record'").await, [""; 0]);
    assert_eq!(introduce_claimed(&store, "billing", "b", ANN).await.0, Introduced::Joined(InternalKey(1)));
    assert_eq!(rematch(&store, EMAIL).await, [RematchPart::Begin], "they are made by these rules");
}

#[tokio::test]
async fn an_item_of_which_nothing_is_agreed_is_looked_at_when_its_value_says_nothing_any_more() {
    let store = postgres::store();
    assert_eq!(rematch(&store, EMAIL).await, [RematchPart::Begin, made(0, false)]);
    assert_eq!(introduce_claimed(&store, "crm", "a", ANN).await.0, Introduced::New(InternalKey(1)));
    let parts = [RematchPart::Begin, RematchPart::Clear, RematchPart::Clear, made(0, true), made(1, true)];
    assert_eq!(rematch(&store, "/name").await, parts);
    assert_eq!(rows(&store, "select value from match_value").await, [""; 0]);
    assert_eq!(rows(&store, "select record, state from work_item where subject = 'record'").await, ["1|ready"]);
}

#[tokio::test]
async fn who_was_cut_off_begins_anew_by_whatever_rules() {
    let store = postgres::store();
    rematch(&store, EMAIL).await;
    assert_eq!(part(&store, "/name", RematchPart::Begin).await, Some(RematchPart::Clear));
    for place in ["/name", EMAIL] {
        assert_eq!(part(&store, place, RematchPart::Begin).await, Some(RematchPart::Clear));
    }
    assert_eq!(rematch(&store, EMAIL).await.last(), Some(&made(0, true)));
    assert_eq!(rematch(&store, EMAIL).await, [RematchPart::Begin]);
}

#[tokio::test]
async fn a_part_is_bounded_by_its_documents_too() {
    let store = postgres::store();
    let large = "insert into entity values ('customer', 3);
        insert into record (entity, id, version, agreed)
        select 'customer', n, 1, json_build_object('email', 'a' || n, 'photo', repeat('x', 3 << 20)) from generate_series(1, 3) as n
        returning id";
    rows(&store, large).await;
    let parts = [RematchPart::Begin, made(0, false), made(2, false), made(3, false)];
    assert_eq!(rematch(&store, EMAIL).await, parts);
    assert_eq!(
        rows(&store, "select value, record from match_value order by record").await,
        [r#"["a1"]|1"#, r#"["a2"]|2"#, r#"["a3"]|3"#]
    );
}
