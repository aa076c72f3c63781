//! Values and rules. Pure: no clock, no file, no socket, no `async`; the same input gives the same output.

pub mod name;
pub mod key;
pub mod text;
pub mod number;
pub mod json;
pub mod pointer;
pub mod rules;
pub mod spelling;
pub mod patch;
pub mod matching;
pub mod record;
pub mod merge;
pub mod history;
pub mod provenance;
pub mod comparison;
pub mod undo;
pub mod schema;
pub mod plan;
pub mod restless;
pub mod throttle;
pub mod event;
pub mod access;
