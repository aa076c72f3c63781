//! Errors in one line.

use std::error::Error;

/// Writes an error and what led to it, the outermost first: `cannot reach the database: connection refused`.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
