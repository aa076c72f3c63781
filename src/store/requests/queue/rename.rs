//! A source that has another name in the configuration: all that is known of it becomes that of the new name.

use crate::domain::merge::Contender;
use crate::domain::name::SourceName;
use crate::store::columns::get;
use crate::store::encoding::encode_list;
use crate::store::requests::look::list;
use crate::store::run::{Authority, Fault, Request, Session, Step};

use super::{Rename, Renamed};

const CREATE_ENTITY: &str = include_str!("../../sql/entity/create.sql");
const LOCK_ENTITY: &str = include_str!("../../sql/entity/lock.sql");
const GET_KNOWN: &str = include_str!("../../sql/source/get_known.sql");
const CLEAR_LINKS: &str = include_str!("../../sql/link/clear.sql");
const RENAME_LINKS: &str = include_str!("../../sql/link/rename.sql");
const RENAME_KEYS: &str = include_str!("../../sql/foreign_key/rename.sql");
const RENAME_OPERATIONS: &str = include_str!("../../sql/operation/rename.sql");
const RENAME_ITEMS: &str = include_str!("../../sql/work_item/rename.sql");
const RENAME_SOURCE: &str = include_str!("../../sql/source/rename.sql");
const RENAME_COUNTED: &str = include_str!("../../sql/counted_change/rename.sql");
const RENAME_HELD: &str = include_str!("../../sql/held_delete/rename.sql");
const RENAME_PAUSE: &str = include_str!("../../sql/pause/rename.sql");
const LIST_CONFLICTS: &str = include_str!("../../sql/conflict/list_of_entity.sql");
const RENAME_CONFLICTS: &str = include_str!("../../sql/conflict/rename.sql");

impl Request for Rename {
    type Reply = Renamed;

    const ACTION: &'static str = "rename sources";

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<Renamed, Fault> {
        let entity = || Box::new(self.entity.as_str().to_owned());
        // A claim whose answer was lost may still be under way.
        session.pipeline(vec![Step::new(CREATE_ENTITY, [entity()]), Step::new(LOCK_ENTITY, [entity()])]).await?;
        let mut renamed = Vec::new();
        for (former, present) in &self.names {
            let names = [former, present].map(|name| Box::new(name.as_str().to_owned()));
            let [former_name, present_name] = names;
            let [known] = session.pipeline_of([Step::new(GET_KNOWN, [entity(), former_name, present_name])]).await?;
            let Some(known) = known.first() else { continue };
            match (get(known, "former")?, get(known, "present")?) {
                (false, _) => {}
                (true, false) => renamed.push((former.clone(), present.clone())),
                (true, true) => return Ok(Renamed::Refused { former: former.clone(), present: present.clone() }),
            }
        }
        for (former, present) in &renamed {
            self.rename(session, former, present).await?;
        }
        Ok(Renamed::Done(renamed))
    }
}

impl Rename {
    async fn rename(&self, session: &Session<'_>, former: &SourceName, present: &SourceName) -> Result<(), Fault> {
        let entity = || Box::new(self.entity.as_str().to_owned());
        let names = || [former, present].map(|name| Box::new(name.as_str().to_owned()));
        let step = |sql| {
            let [former, present] = names();
            Step::new(sql, [entity(), former, present])
        };
        // As an order that takes what a source holds is written down.
        let end_of_order = |name: &SourceName| Box::new(format!("\"decision\":{{\"take\":\"{name}\"}}}}}}"));
        let [former_name, present_name] = names();
        let (ends, will_end) = (end_of_order(former), end_of_order(present));
        let [_, to_be_cleared] = names();
        let steps = [
            Step::new(CLEAR_LINKS, [entity(), to_be_cleared]),
            step(RENAME_LINKS),
            step(RENAME_KEYS),
            step(RENAME_OPERATIONS),
            Step::new(RENAME_ITEMS, [entity(), former_name, present_name, ends, will_end]),
            step(RENAME_SOURCE),
            step(RENAME_COUNTED),
            step(RENAME_HELD),
            step(RENAME_PAUSE),
            Step::new(LIST_CONFLICTS, [entity()]),
        ];
        let [.., conflicts] = session.pipeline_of(steps).await?;
        let (mut ids, mut contenders, mut contended) = (Vec::<i64>::new(), Vec::new(), Vec::new());
        for row in &conflicts {
            let now = list::<Contender>(row, "contenders")?;
            let ever = list::<Contender>(row, "contended")?;
            ids.push(get(row, "id")?);
            let mut now = of_new_name(now, former, present);
            now.sort_by(|one, other| one.sources.cmp(&other.sources));
            contenders.push(encode_list(&now));
            contended.push(encode_list(&of_new_name(ever, former, present)));
        }
        let rename = Step::new(RENAME_CONFLICTS, [Box::new(ids), Box::new(contenders), Box::new(contended)]);
        session.pipeline(vec![rename]).await.map(drop)
    }
}

/// Has a source contend by its new name.
fn of_new_name(contenders: Vec<Contender>, former: &SourceName, present: &SourceName) -> Vec<Contender> {
    let rename = |name: SourceName| if name == *former { present.clone() } else { name };
    let contender = |Contender { sources, value }| {
        let mut sources: Vec<SourceName> = sources.into_iter().map(rename).collect();
        sources.sort();
        Contender { sources, value }
    };
    contenders.into_iter().map(contender).collect()
}
