//! What a browser holds that is signed in: a ticket, in a cookie.

use std::fmt;
use std::time::Duration;

use actix_web::http::header::{COOKIE, HeaderMap, ORIGIN};
use subtle::ConstantTimeEq;

use super::sessions::LIFE;
use super::tokens::Bearer;
use crate::api::Service;
use crate::api::problem::{Code, Refused};

/// The name of the cookie, and that of one that only goes over TLS and to this host.
const NAME: &str = "retcon_session";
const NAME_OVER_TLS: &str = "__Host-retcon_session";

/// How many hexadecimal digits a ticket has: what nobody can guess, the number of a token, and the seal of that token on both.
const CHANCE: usize = 64;
const NUMBER: usize = 16;
const SEAL: usize = 32;

/// How a browser comes, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Road {
    /// Over TLS: to us, or to a proxy before us, of which a page of ours was loaded.
    Tls,
    Plain,
}

impl Road {
    /// Tells it from where we listen, and from what the browser says of its own page.
    ///
    /// A browser names the page that sends a form, and nobody else can have it say another one. So no header of a proxy is
    /// needed or believed; who forges this one lies about themselves alone.
    pub(in crate::api) fn of(service: &Service, headers: &HeaderMap) -> Self {
        Self::told(service.is_over_tls(), headers)
    }

    fn told(is_over_tls: bool, headers: &HeaderMap) -> Self {
        let is_of_secure_page = headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
        if is_over_tls || is_of_secure_page { Self::Tls } else { Self::Plain }
    }
}

/// What a browser is given, once.
///
/// It bears a seal, so that one which was never given to anybody is known as such without asking the database.
pub(in crate::api) struct Ticket(String);

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(..)")
    }
}

impl Ticket {
    /// Makes one that nobody can guess, of 256 random bits, for whoever has shown this token.
    pub(super) fn make(bearer: &Bearer) -> Result<Self, Refused> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| {
            Refused::new(Code::Internal, format_args!("the system gives no random numbers: {error}"))
        })?;
        let chance: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let open = format!("{chance}{:0NUMBER$x}", bearer.id);
        let seal = bearer.seal(&open);
        Ok(Self(open + &seal))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the value of `Set-Cookie`.
    pub(in crate::api) fn cookie(&self, road: Road) -> String {
        set_cookie(&self.0, LIFE, road)
    }
}

/// Returns the value of `Set-Cookie` by which a browser forgets what it was given.
pub(super) fn forget(road: Road) -> String {
    set_cookie("", Duration::ZERO, road)
}

fn set_cookie(value: &str, life: Duration, road: Road) -> String {
    let (name, secure) = match road {
        Road::Tls => (NAME_OVER_TLS, "; Secure"),
        Road::Plain => (NAME, ""),
    };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}", life.as_secs())
}

/// The value of the cookie that counts; of several, none is taken.
///
/// One that goes over TLS alone comes before another: that one anybody may have set who sits on a way without TLS. A form of a page
/// that was loaded over TLS counts only with the former.
pub(super) fn shown(headers: &HeaderMap, over_tls: bool) -> Option<&str> {
    let one = |name| {
        let mut values = values(headers, name);
        values.next().filter(|_| values.next().is_none())
    };
    match Road::told(over_tls, headers) {
        Road::Tls => one(NAME_OVER_TLS),
        Road::Plain => one(NAME_OVER_TLS).or_else(|| one(NAME)),
    }
}

/// The values of all cookies of ours.
pub(super) fn all(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    [NAME_OVER_TLS, NAME].into_iter().flat_map(|name| values(headers, name))
}

/// The values of all cookies of this name.
fn values<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    let headers = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok());
    headers
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(move |(known, value)| (known == name && !value.is_empty()).then_some(value))
}

/// What looks like a ticket.
pub(super) struct Shown<'a> {
    /// What is sealed.
    open: &'a str,
    seal: &'a str,
    /// The number of the token for which it says that it was given.
    pub(super) token: i64,
}

impl<'a> Shown<'a> {
    /// Takes a text apart; `None` if it does not look like what a browser is given.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.len() != CHANCE + NUMBER + SEAL || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let (open, seal) = text.split_at(CHANCE + NUMBER);
        let token = i64::from_str_radix(&open[CHANCE..], 16).ok()?;
        Some(Self { open, seal, token })
    }

    /// Tells whether it was made for this bearer.
    pub(super) fn is_sealed_by(&self, bearer: &Bearer) -> bool {
        bearer.id == self.token && bool::from(bearer.seal(self.open).as_bytes().ct_eq(self.seal.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;
    use crate::actor::store::requests::access::TokenRow;
    use crate::domain::access::{Grant, Role, TokenHash};

    #[track_caller]
    fn check(cookies: &[&'static str], over_tls: bool, found: Option<&str>) {
        let mut headers = HeaderMap::new();
        cookies.iter().for_each(|cookie| headers.append(COOKIE, HeaderValue::from_static(cookie)));
        assert_eq!(shown(&headers, over_tls), found, "{cookies:?}");
    }

    #[test]
    fn the_cookie_is_found_among_others_and_of_two_none_is_taken() {
        check(&[], false, None);
        check(&["retcon_session=ab"], false, Some("ab"));
        check(&["x=1; retcon_session=ab;y=2"], false, Some("ab"));
        check(&["x=1", "retcon_session=ab"], false, Some("ab"));
        check(&["retcon_session=ab; retcon_session=cd"], false, None);
        check(&["my_retcon_session=ab", "retcon_session="], false, None);
        check(&["retcon_session=ab"], true, None);
        check(&["__Host-retcon_session=ab"], true, Some("ab"));
        check(&["retcon_session=ab; __Host-retcon_session=cd"], false, Some("cd"));
    }

    #[test]
    fn a_form_of_a_page_that_came_over_tls_counts_with_the_cookie_that_only_goes_there() {
        let of = |origin: &'static str, cookie: &'static str| {
            let mut headers = HeaderMap::new();
            headers.append(ORIGIN, HeaderValue::from_static(origin));
            headers.append(COOKIE, HeaderValue::from_static(cookie));
            (Road::told(false, &headers), shown(&headers, false).map(str::to_owned))
        };
        let found = |road, cookie: &str| (road, Some(cookie.to_owned()));
        let secure = "https://retcon.example.com";
        assert_eq!(of(secure, "__Host-retcon_session=ab"), found(Road::Tls, "ab"));
        assert_eq!(of(secure, "retcon_session=ab"), (Road::Tls, None));
        assert_eq!(of("http://retcon.example.com", "retcon_session=ab"), found(Road::Plain, "ab"));
        assert_eq!(of("null", "retcon_session=ab"), found(Road::Plain, "ab"));
    }

    /// The bearer of a token of this number, of which the database has this hash.
    fn bearer(id: i64, hash: u8) -> Bearer {
        let grant = Grant { role: Role::View, entities: [].into(), sources: [].into(), rate: 1 };
        let name = "ann".parse().expect("a name");
        Bearer::new(TokenRow { id, name, hash: TokenHash([hash; 32]), grant, created_at: String::new() })
    }

    #[test]
    fn a_ticket_is_known_for_one_of_its_token_and_what_was_made_up_for_none() {
        let Ticket(ticket) = Ticket::make(&bearer(7, 1)).expect("there is chance");
        let other = Ticket::make(&bearer(7, 1)).expect("there is chance");
        assert_ne!(ticket, other.0);
        let shown = Shown::parse(&ticket).expect("it is one");
        assert_eq!(shown.token, 7);
        assert!(shown.is_sealed_by(&bearer(7, 1)));
        assert!(!shown.is_sealed_by(&bearer(7, 2)) && !shown.is_sealed_by(&bearer(8, 1)));
        for place in [0, CHANCE + NUMBER - 1, ticket.len() - 1] {
            let other = if ticket.as_bytes()[place] == b'8' { "9" } else { "8" };
            let mut forged = ticket.clone();
            forged.replace_range(place..=place, other);
            assert!(
                !Shown::parse(&forged).is_some_and(|shown| shown.is_sealed_by(&bearer(shown.token, 1))),
                "{forged}"
            );
        }
    }

    #[test]
    fn what_looks_like_no_ticket_is_none() {
        let digits = CHANCE + NUMBER + SEAL;
        assert!(Shown::parse(&"0".repeat(digits)).is_some());
        for bad in
            ["0".repeat(digits - 1), "0".repeat(digits + 1), "g".repeat(digits), "F".repeat(digits), "f".repeat(digits)]
        {
            assert!(Shown::parse(&bad).is_none(), "{bad}");
        }
        assert!(Shown::parse(&"é".repeat(digits / 2)).is_none());
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_and_from_other_pages_and_over_tls_from_plain_text() {
        let ticket = Ticket::make(&bearer(1, 1)).expect("there is chance");
        let plain = ticket.cookie(Road::Plain);
        assert!(plain.starts_with("retcon_session=") && plain.len() > 64, "{plain}");
        assert!(plain.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200"), "{plain}");
        let secure = ticket.cookie(Road::Tls);
        assert!(secure.starts_with("__Host-retcon_session=") && secure.ends_with("; Secure"), "{secure}");
        assert_eq!(format!("{ticket:?}"), "Ticket(..)");
    }
}
