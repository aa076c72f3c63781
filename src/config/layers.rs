//! The layers of a configuration, laid over each other with the `config` crate: defaults, the file, the environment.

use ::config::{ConfigError, Map, Source, Value, ValueKind};
use toml::de::DeValue;

use super::check::{Checker, Ground, Values};
use super::file::Root;
use super::key_path::KeyPath;
use super::places::Places;
use super::schema::{Kind, ROOT, Table};

/// A layer whose values have been checked.
#[derive(Clone)]
struct Layer {
    name: &'static str,
    values: Values,
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.values.clone())
    }
}

/// Leaves the values out: they may be secret.
impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layer").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Lays the environment over the file and the file over the defaults.
///
/// # Errors
/// None, if both layers were checked against the schema.
pub(crate) fn merge(file: Values, environment: Values) -> Result<Root, ConfigError> {
    let defaults = defaults(&ROOT, &file);
    ::config::Config::builder()
        .add_source(Layer { name: "defaults", values: defaults })
        .add_source(Layer { name: "file", values: file })
        .add_source(Layer { name: "environment", values: environment })
        .build()?
        .try_deserialize()
}

/// Returns the defaults of a table, and those of each entity, source and so on that `given` names.
fn defaults(schema: &Table, given: &Values) -> Values {
    let none = Values::new();
    let mut values = Values::new();
    for key in schema.keys {
        let given = match given.get(key.name).map(|value| &value.kind) {
            Some(ValueKind::Table(table)) => table,
            Some(_) | None => &none,
        };
        let default = match (&key.kind, key.default) {
            (Kind::Table(inner), _) => Some(defaults(inner, given).into()),
            (Kind::Map { values: Kind::Table(inner), .. }, _) => Some(defaults_of_each(inner, given).into()),
            (Kind::Map { .. }, _) => Some(Values::new().into()),
            (kind, Some(text)) => Some(read_default(kind, text)),
            (_, None) => None,
        };
        values.extend(default.map(|value| (key.name.to_owned(), value)));
    }
    values
}

fn defaults_of_each(schema: &Table, given: &Values) -> Values {
    let none = Values::new();
    let of = |value: &Value| match &value.kind {
        ValueKind::Table(table) => defaults(schema, table),
        _ => defaults(schema, &none),
    };
    given.iter().map(|(name, value)| (name.clone(), of(value).into())).collect()
}

fn read_default(kind: &Kind, text: &str) -> Value {
    let parsed = DeValue::parse(text).expect("the schema's defaults are TOML");
    let mut places = Places::new("".as_ref());
    let mut errors = Vec::new();
    let mut checker = Checker { ground: Ground::Variable("default"), places: &mut places, errors: &mut errors };
    checker.value(&parsed, kind, &KeyPath::default()).expect("the schema's defaults are of their kinds")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(toml: &str) -> Values {
        let table = toml::de::DeTable::parse(toml).expect("the case is TOML");
        let (mut places, mut errors) = (Places::new("x".as_ref()), Vec::new());
        let mut checker = Checker { ground: Ground::Variable("X"), places: &mut places, errors: &mut errors };
        let values = checker.table(table.get_ref(), &ROOT, &KeyPath::default());
        assert_eq!(errors, vec![]);
        values
    }

    #[test]
    fn every_default_of_the_schema_is_of_its_kind() {
        let file = values("[entities.a.sources.s]\nread = 'x'\n[entities.a.fields.'/x']\n[entities.a.arrays.'/y']\n");
        let root = merge(file, Values::new()).expect("defaults are complete");
        assert_eq!(root.entities.len(), 1);
    }

    #[test]
    fn the_environment_lies_over_the_file_and_the_file_over_the_defaults() {
        let file = values(
            "[database]\npool_size = 2\nbin_dir = '/b'\n[server.tls]\ncert = 'c'\n[entities.A-b]\n[entities.a-b.throttle]\nrate = 2\n",
        );
        let environment = values("[database]\npool_size = 3\n[server.tls]\nkey = 'k'\n");
        let root = merge(file, environment).expect("both layers are good");
        assert_eq!(
            (root.database.pool_size, root.database.bin_dir.as_str(), root.database.url.as_str()),
            (3, "/b", "embedded")
        );
        assert_eq!((root.server.tls.cert.as_deref(), root.server.tls.key.as_deref()), (Some("c"), Some("k")));
        let rates: Vec<_> =
            root.entities.iter().map(|(name, entity)| (name.0.as_str(), entity.throttle.rate)).collect();
        assert_eq!(rates, [("A-b", 0.0), ("a-b", 2.0)]);
    }
}
