//! Who may use the API over TCP, and under which names; what is known of what they did.

mod audit;
mod trail;
mod limits;
mod listening;
mod names;
mod printed;
mod roles;
mod secrets;
mod tokens;
