//! The story: a customer is created, edited, fought over and deleted. After every step all three systems are read, and the
//! story goes on only if they hold what it says.

use std::time::Instant;

use crate::domain::json::Json;

use super::error::DemoError;
use super::process;
use super::stage::Stage;
use super::systems::{Copy, System, Systems};
use super::teller::Teller;

/// What stands in the systems about the customer.
struct Ann {
    email: &'static str,
    phone: &'static str,
    city: &'static str,
}

const NEW: Ann = Ann { email: "ann@example.com", phone: "020 7946 0001", city: "Leeds" };
const MOVED: Ann = Ann { phone: "0113 496 0000", city: "York", ..NEW };
const CRM_SAYS: Ann = Ann { email: "ann.lee@example.com", ..MOVED };
const SHOP_SAYS: Ann = Ann { email: "annlee@example.net", ..MOVED };

impl Ann {
    fn document(&self) -> String {
        let Self { email, phone, city } = self;
        format!(r#"{{"address":{{"city":"{city}"}},"email":"{email}","name":"Ann Lee","phone":"{phone}"}}"#)
    }

    /// What a system should hold of it: billing has no place for the address.
    fn expected(&self, system: System) -> Json {
        let Self { email, phone, .. } = self;
        let text = match system {
            System::Crm | System::Shop => self.document(),
            System::Billing => format!(r#"{{"email":"{email}","name":"Ann Lee","phone":"{phone}"}}"#),
        };
        Json::parse(text.as_bytes()).expect("the story's documents are JSON")
    }
}

/// The keys by which the systems know her.
struct Keys {
    crm: String,
    billing: String,
    shop: String,
}

pub(super) struct Story<'a> {
    stage: &'a Stage,
    systems: &'a Systems,
    teller: Teller,
    begun: Instant,
}

impl<'a> Story<'a> {
    pub(super) fn new(stage: &'a Stage, systems: &'a Systems, begun: Instant) -> Self {
        Self { stage, systems, teller: Teller::new(), begun }
    }

    pub(super) fn tell(&self) -> Result<(), DemoError> {
        self.introduce()?;
        let keys = self.create()?;
        self.merge(&keys)?;
        self.disagree(&keys)?;
        self.explain()?;
        self.delete(&keys)?;
        let seconds = self.begun.elapsed().as_secs_f32();
        self.teller.part(&format!("That is all: {seconds:.1} s, every line checked in the systems themselves."))?;
        self.teller.say("Now your own: `retcon init` writes a configuration to begin with.")
    }

    fn introduce(&self) -> Result<(), DemoError> {
        let Systems { crm, billing, shop, .. } = self.systems;
        self.teller.title("retcon keeps the copies of a record in many systems in step. Here are three systems:")?;
        self.teller.system(System::Crm, &format!("a service over HTTP, {crm}/customers"))?;
        self.teller.system(System::Billing, &format!("an SQLite table, {}", billing.display()))?;
        self.teller.system(System::Shop, &format!("a directory of JSON files, {}", shop.display()))
    }

    fn create(&self) -> Result<Keys, DemoError> {
        self.teller.part("1. A customer is created in crm")?;
        self.teller.system(System::Crm, &format!("POST /customers {}", NEW.document()))?;
        self.systems.create_in_crm(&NEW.document())?;
        let crm = self.only(System::Crm)?.key;
        self.notify(System::Crm, &crm)?;
        self.expect_everywhere(&NEW)?;
        Ok(Keys { crm, billing: self.only(System::Billing)?.key, shop: self.only(System::Shop)?.key })
    }

    fn merge(&self, keys: &Keys) -> Result<(), DemoError> {
        self.teller.part("2. She moves: billing learns her new telephone number, the shop her new city")?;
        let statement = format!("UPDATE customers SET phone = '{}' WHERE id = {}", MOVED.phone, keys.billing);
        self.edit_in_billing(&statement)?;
        self.edit_in_shop(&keys.shop, &Ann { city: MOVED.city, ..NEW })?;
        self.notify(System::Billing, &keys.billing)?;
        self.teller.say("Two fields, two edits, no quarrel: both are everywhere.")?;
        self.expect_everywhere(&MOVED)
    }

    fn disagree(&self, keys: &Keys) -> Result<(), DemoError> {
        self.teller.part("3. The crm and the shop are given different email addresses for her")?;
        self.teller.system(System::Crm, &format!("PUT /customers/{} {}", keys.crm, CRM_SAYS.document()))?;
        self.systems.edit_in_crm(&keys.crm, &CRM_SAYS.document())?;
        self.edit_in_shop(&keys.shop, &SHOP_SAYS)?;
        self.notify(System::Shop, &keys.shop)?;
        self.teller.say("One field, two edits: nothing is overwritten, a person decides.")?;
        self.retcon(&["conflicts"])?;
        self.expect(System::Crm, &CRM_SAYS)?;
        self.expect(System::Billing, &MOVED)?;
        self.expect(System::Shop, &SHOP_SAYS)?;
        let conflict = self.conflict()?;
        self.retcon(&["resolve", &conflict, "--take", "crm"])?;
        self.teller.say("Decided, recorded, on its way. The next look begins when it has arrived:")?;
        self.notify(System::Crm, &keys.crm)?;
        self.expect_everywhere(&CRM_SAYS)
    }

    fn explain(&self) -> Result<(), DemoError> {
        self.teller.part("4. Who says so? For each field: its value, who set it, when, and who lost")?;
        let explained = self.retcon(&["explain", "customer", "1"])?;
        must_show("retcon explain customer 1", &explained, CRM_SAYS.email)
    }

    fn delete(&self, keys: &Keys) -> Result<(), DemoError> {
        self.teller.part("5. The shop deletes her")?;
        self.teller.system(System::Shop, &format!("rm {}", self.systems.file(&keys.shop).display()))?;
        self.systems.delete_in_shop(&keys.shop)?;
        self.notify(System::Shop, &keys.shop)?;
        self.expect_nowhere()?;
        self.teller.say("Gone everywhere, and nothing is forgotten:")?;
        let history = self.retcon(&["history", "customer", "1"])?;
        must_show("retcon history customer 1", &history, SHOP_SAYS.email)
    }

    fn edit_in_billing(&self, statement: &str) -> Result<(), DemoError> {
        self.teller.system(System::Billing, statement)?;
        self.systems.run_in_billing(statement).map(drop)
    }

    fn edit_in_shop(&self, customer: &str, ann: &Ann) -> Result<(), DemoError> {
        self.teller.system(System::Shop, &format!("echo '{}' > {customer}.json", ann.document()))?;
        self.systems.edit_in_shop(customer, &ann.document())
    }

    fn notify(&self, system: System, key: &str) -> Result<(), DemoError> {
        self.retcon(&["notify", "customer", system.name(), key, "--wait"]).map(drop)
    }

    /// Runs a command of `retcon`, and shows it with what it prints.
    fn retcon(&self, arguments: &[&str]) -> Result<String, DemoError> {
        let typed = format!("retcon {}", arguments.join(" "));
        self.teller.command(&typed)?;
        let printed = self.run(&typed, arguments)?;
        self.teller.printed(&printed)?;
        Ok(printed)
    }

    fn run(&self, typed: &str, arguments: &[&str]) -> Result<String, DemoError> {
        self.stage.interruption().check()?;
        let output = process::run(typed, self.stage.retcon()?.args(arguments))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The number of the only conflict, which is about her email address.
    fn conflict(&self) -> Result<String, DemoError> {
        let command = "retcon conflicts";
        let body = self.run(command, &["--format", "json", "conflicts"])?;
        let wrong = || DemoError::NotShown { command: command.to_owned(), expected: "one conflict at /email" };
        let list = Json::parse(body.as_bytes()).map_err(|_| wrong())?;
        let [conflict] = list.member("items").and_then(Json::as_array).unwrap_or_default() else {
            return Err(wrong());
        };
        let at_email = conflict.member("path").and_then(Json::as_text).is_some_and(|path| *path == "/email".into());
        conflict.member("id").filter(|_| at_email).map(Json::to_string).ok_or_else(wrong)
    }

    fn expect_everywhere(&self, ann: &Ann) -> Result<(), DemoError> {
        System::ALL.into_iter().try_for_each(|system| self.expect(system, ann))
    }

    /// Reads a system, shows what stands there, and fails if it is not as told.
    fn expect(&self, system: System, ann: &Ann) -> Result<(), DemoError> {
        let copy = self.only(system)?;
        let expected = ann.expected(system);
        if copy.document != expected {
            let (found, expected) = (copy.document.to_string(), expected.to_string());
            return Err(DemoError::Untrue { system, found, expected });
        }
        self.teller.system(system, &copy.document.to_string())
    }

    fn expect_nowhere(&self) -> Result<(), DemoError> {
        System::ALL.into_iter().try_for_each(|system| match self.systems.read(system)?.as_slice() {
            [] => self.teller.system(system, "no customer"),
            [copy, ..] => Err(untrue(system, copy.document.to_string(), "no customer")),
        })
    }

    /// The only customer of a system.
    fn only(&self, system: System) -> Result<Copy, DemoError> {
        let mut copies = self.systems.read(system)?;
        match (copies.pop(), copies.len()) {
            (Some(copy), 0) => Ok(copy),
            (None, _) => Err(untrue(system, "no customer".into(), "one customer")),
            (Some(_), others) => Err(untrue(system, format!("{} customers", others + 1), "one customer")),
        }
    }
}

fn untrue(system: System, found: String, expected: &str) -> DemoError {
    DemoError::Untrue { system, found, expected: expected.to_owned() }
}

fn must_show(command: &str, printed: &str, expected: &'static str) -> Result<(), DemoError> {
    if printed.contains(expected) {
        return Ok(());
    }
    Err(DemoError::NotShown { command: command.to_owned(), expected })
}
