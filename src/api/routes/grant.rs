//! Reads what somebody who is made known may do.

use std::collections::BTreeSet;

use crate::api::Service;
use crate::api::input::{self, Members, Node};
use crate::api::problem::{Code, Refused};
use crate::domain::access::{Grant, Role};
use crate::domain::name::{EntityName, SourceName};

/// The members of a body that limit what may be done, and how often.
pub(super) const MEMBERS: [&str; 3] = ["entities", "sources", "rate"];

/// Reads what is granted to a role.
pub(super) fn read(service: &Service, members: &Members<'_>, role: Role) -> Result<Grant, Refused> {
    let entities = entities(service, members, role)?;
    let sources = sources(service, members, role, &entities)?;
    Ok(Grant { role, entities, sources, rate: rate(members)? })
}

fn rate(members: &Members<'_>) -> Result<u32, Refused> {
    let Some(node) = members.optional("rate") else { return Ok(Grant::RATE) };
    let rate = u32::try_from(node.integer()?).ok().filter(|rate| (1..=Grant::MAX_RATE).contains(rate));
    rate.ok_or_else(|| {
        node.refuse(format!("/rate should be a number of requests a second, from 1 to {}", Grant::MAX_RATE))
    })
}

/// Reads a list by which notifications are limited: nothing else can be.
fn limits<'a>(members: &Members<'a>, name: &str, role: Role) -> Result<Vec<Node<'a>>, Refused> {
    let Some(node) = members.optional(name) else { return Ok(Vec::new()) };
    let listed = node.array()?;
    if role != Role::Notify && !listed.is_empty() {
        return Err(node.refuse(format!("/{name} limits notifications, and the role is {role}")));
    }
    Ok(listed)
}

fn entities(service: &Service, members: &Members<'_>, role: Role) -> Result<BTreeSet<EntityName>, Refused> {
    let read = |node: &Node<'_>| {
        let name = input::entity(node.string()?).map_err(|refused| node.locate(refused))?;
        service.entity(&name).map_err(|refused| node.locate(refused))?;
        Ok(name)
    };
    limits(members, "entities", role)?.iter().map(read).collect()
}

/// Reads names of sources; each is that of a source of these entities.
fn sources(
    service: &Service,
    members: &Members<'_>,
    role: Role,
    entities: &BTreeSet<EntityName>,
) -> Result<BTreeSet<SourceName>, Refused> {
    let config = service.config.borrow().clone();
    let read = |node: &Node<'_>| {
        let text = node.string()?;
        let unknown = || {
            let detail = format!("none of the entities has a source named {text:?}");
            node.locate(Refused::new(Code::UnknownSource, detail))
        };
        let name: SourceName = text.parse().map_err(|_| unknown())?;
        let mut covered =
            config.entities.values().filter(|entity| entities.is_empty() || entities.contains(&entity.name));
        if covered.any(|entity| entity.sources.contains_key(&name)) { Ok(name) } else { Err(unknown()) }
    };
    limits(members, "sources", role)?.iter().map(read).collect()
}
