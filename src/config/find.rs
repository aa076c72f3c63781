//! Which file is the configuration.

use std::path::{Path, PathBuf};

/// The names that are tried in this order.
const USUAL: [&str; 3] = ["./retcon.toml", "./config/retcon.toml", "/etc/retcon/retcon.toml"];

/// Why no configuration file is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    #[error("cannot find a configuration: there is no {}, {} or {}", USUAL[0], USUAL[1], USUAL[2])]
    Nowhere,
}

impl FindError {
    /// Returns what a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Nowhere => {
                "`retcon init` writes a configuration; --config FILE or RETCON_CONFIG names one that is elsewhere"
            }
        }
    }
}

/// Returns the configuration file to use: `explicit`, else `$RETCON_CONFIG`, else the first of the usual places that exists.
///
/// # Errors
/// [`FindError::Nowhere`] if none is named and none exists.
pub fn find(explicit: Option<PathBuf>) -> Result<PathBuf, FindError> {
    let variable = std::env::var_os("RETCON_CONFIG").map(PathBuf::from);
    choose(explicit, variable, |path| path.exists())
}

/// An empty variable counts as none.
fn choose(
    explicit: Option<PathBuf>,
    variable: Option<PathBuf>,
    exists: impl Fn(&Path) -> bool,
) -> Result<PathBuf, FindError> {
    let named = explicit.or(variable.filter(|path| !path.as_os_str().is_empty()));
    let usual = || USUAL.iter().map(PathBuf::from).find(|path| exists(path));
    named.or_else(usual).ok_or(FindError::Nowhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_comes_before_the_variable_and_that_before_the_usual_places() {
        let choose = |explicit: Option<&str>, variable: Option<&str>, there: &[&str]| {
            let exists = |path: &Path| there.iter().any(|there| Path::new(there) == path);
            choose(explicit.map(PathBuf::from), variable.map(PathBuf::from), exists)
                .map(|path| path.display().to_string())
        };
        assert_eq!(choose(Some("a"), Some("b"), &USUAL).as_deref(), Ok("a"));
        assert_eq!(choose(None, Some("b"), &USUAL).as_deref(), Ok("b"));
        assert_eq!(choose(None, Some(""), &USUAL).as_deref(), Ok("./retcon.toml"));
        assert_eq!(choose(None, None, &USUAL[1..]).as_deref(), Ok("./config/retcon.toml"));
        assert_eq!(choose(None, None, &USUAL[2..]).as_deref(), Ok("/etc/retcon/retcon.toml"));
        assert_eq!(choose(None, None, &[]), Err(FindError::Nowhere));
    }

    #[test]
    fn the_error_names_all_places_and_a_way_out() {
        let message = FindError::Nowhere.to_string();
        assert!(USUAL.iter().all(|place| message.contains(place)), "{message}");
        assert!(FindError::Nowhere.hint().contains("retcon init"));
    }
}
