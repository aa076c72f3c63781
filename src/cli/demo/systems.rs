//! The three systems, as their own users see them: over HTTP, in SQL, and as files. Nothing here goes through retcon.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use reqwest::Method;

use crate::domain::json::Json;

use super::error::DemoError;
use super::http::Http;
use super::process;

/// One of the systems; its name is also that of its data source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum System {
    Crm,
    Billing,
    Shop,
}

impl System {
    pub(super) const ALL: [Self; 3] = [Self::Crm, Self::Billing, Self::Shop];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crm => "crm",
            Self::Billing => "billing",
            Self::Shop => "shop",
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A copy of a customer, as one system holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) key: String,
    pub(super) document: Json,
}

/// Runs a statement on a database and prints the rows as JSON.
const QUERY: &str = "\
import json, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
rows = database.execute(sys.argv[2]).fetchall()
database.commit()
print(json.dumps(rows))";
const COLUMNS: [&str; 3] = ["name", "email", "phone"];

/// Where the systems are.
#[derive(Debug)]
pub(super) struct Systems {
    pub(super) crm: String,
    pub(super) billing: PathBuf,
    pub(super) shop: PathBuf,
    pub(super) http: Http,
}

impl Systems {
    /// Reads every customer that a system holds.
    pub(super) fn read(&self, system: System) -> Result<Vec<Copy>, DemoError> {
        match system {
            System::Crm => self.read_crm(),
            System::Billing => self.read_billing(),
            System::Shop => self.read_shop(),
        }
    }

    /// A user of the CRM creates a customer.
    pub(super) fn create_in_crm(&self, document: &str) -> Result<(), DemoError> {
        self.ask_crm(Method::POST, "", Some(document)).map(drop)
    }

    /// A user of the CRM edits a customer.
    pub(super) fn edit_in_crm(&self, customer: &str, document: &str) -> Result<(), DemoError> {
        self.ask_crm(Method::PUT, &format!("/{customer}"), Some(document)).map(drop)
    }

    /// A user of billing runs a statement.
    pub(super) fn run_in_billing(&self, statement: &str) -> Result<Json, DemoError> {
        let mut python = Command::new("python3");
        let output = process::run(statement, python.args(["-c", QUERY]).arg(&self.billing).arg(statement))?;
        parse(System::Billing, &output.stdout)
    }

    /// A user of the shop edits a file.
    pub(super) fn edit_in_shop(&self, customer: &str, document: &str) -> Result<(), DemoError> {
        fs::write(self.file(customer), format!("{document}\n")).map_err(|error| trouble(System::Shop, error))
    }

    /// A user of the shop deletes a file.
    pub(super) fn delete_in_shop(&self, customer: &str) -> Result<(), DemoError> {
        fs::remove_file(self.file(customer)).map_err(|error| trouble(System::Shop, error))
    }

    pub(super) fn file(&self, customer: &str) -> PathBuf {
        self.shop.join(format!("{customer}.json"))
    }

    fn ask_crm(&self, method: Method, path: &str, document: Option<&str>) -> Result<Vec<u8>, DemoError> {
        let url = format!("{}/customers{path}", self.crm);
        let answer = self.http.ask(method, &url, document).map_err(|error| trouble(System::Crm, error))?;
        if answer.status.is_success() { Ok(answer.body) } else { Err(trouble(System::Crm, answer.status)) }
    }

    fn read_crm(&self) -> Result<Vec<Copy>, DemoError> {
        let list = parse(System::Crm, &self.ask_crm(Method::GET, "", None)?)?;
        let ids = list.member("ids").and_then(Json::as_array).unwrap_or_default();
        ids.iter().map(|id| self.read_one_in_crm(plain(id))).collect()
    }

    fn read_one_in_crm(&self, key: String) -> Result<Copy, DemoError> {
        let document = parse(System::Crm, &self.ask_crm(Method::GET, &format!("/{key}"), None)?)?;
        Ok(Copy { key, document })
    }

    fn read_billing(&self) -> Result<Vec<Copy>, DemoError> {
        let rows = self.run_in_billing("SELECT id, name, email, phone FROM customers")?;
        Ok(rows.as_array().unwrap_or_default().iter().filter_map(|row| copy_of_row(row.as_array()?)).collect())
    }

    fn read_shop(&self) -> Result<Vec<Copy>, DemoError> {
        let files = fs::read_dir(&self.shop).map_err(|error| trouble(System::Shop, error))?;
        let names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
        let keys = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned));
        keys.map(|key| {
            let text = fs::read(self.file(&key)).map_err(|error| trouble(System::Shop, error))?;
            Ok(Copy { document: parse(System::Shop, &text)?, key })
        })
        .collect()
    }
}

fn copy_of_row(row: &[Json]) -> Option<Copy> {
    let (id, cells) = row.split_first()?;
    let members = COLUMNS.iter().zip(cells).filter(|(_, cell)| **cell != Json::Null);
    let document = Json::Object(members.map(|(column, cell)| ((*column).into(), cell.clone())).collect());
    Some(Copy { key: plain(id), document })
}

/// The text of a string, or of whatever else it is.
fn plain(value: &Json) -> String {
    value.to_string().trim_matches('"').to_owned()
}

fn parse(system: System, text: &[u8]) -> Result<Json, DemoError> {
    Json::parse(text).map_err(|error| trouble(system, error))
}

fn trouble(system: System, problem: impl fmt::Display) -> DemoError {
    DemoError::System { system, problem: problem.to_string() }
}
