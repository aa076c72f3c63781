//! The head of a connection's first request, looked at before HTTP is spoken: the server itself would refuse it without a word.

use httparse::{EMPTY_HEADER, Error, Request, Status};

use crate::api::problem::{Code, Refused};

/// How many fields a head may have: as many as the server reads.
const FIELDS: usize = 96;

/// How HTTP/1.1 is named by its parser.
const HTTP_1_1: u8 = 1;

/// Tells whether an empty line has come; lines may end without a carriage return.
pub(super) fn is_whole(head: &[u8]) -> bool {
    head.windows(2).any(|two| two == b"\n\n") || head.windows(3).any(|three| three == b"\n\r\n")
}

/// Refuses what is no HTTP, and what does not name its host once.
pub(super) fn check(head: &[u8]) -> Result<(), Refused> {
    let mut fields = [EMPTY_HEADER; FIELDS];
    let mut request = Request::new(&mut fields);
    match request.parse(head) {
        Ok(Status::Complete(_)) => {}
        // It begins with empty lines: more of it is to come.
        Ok(Status::Partial) => return Ok(()),
        Err(Error::TooManyHeaders) => {
            return Err(Refused::new(Code::HeadTooLarge, format_args!("the head has more than {FIELDS} fields")));
        }
        Err(error) => {
            return Err(Refused::new(Code::Malformed, format_args!("the head of the request is no HTTP/1.1: {error}")));
        }
    }
    let hosts = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("host")).count();
    match hosts {
        1 => Ok(()),
        0 if request.version != Some(HTTP_1_1) => Ok(()),
        _ => Err(Refused::new(Code::Malformed, "a request names its host, and once: Host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_an_empty_line() {
        for whole in ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nA: b\r\n\r\nbody"] {
            assert!(is_whole(whole.as_bytes()), "{whole:?}");
        }
        for part in ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r", "a\r\nb\r\nc"] {
            assert!(!is_whole(part.as_bytes()), "{part:?}");
        }
    }

    #[track_caller]
    fn check_refused(head: &str, code: Option<&str>) {
        let refused = check(head.as_bytes()).err().map(|refused| refused.to_string());
        let found = refused.as_deref().and_then(|text| text.split(':').next());
        assert_eq!(found, code, "{head:?}: {refused:?}");
    }

    #[test]
    fn a_host_is_named_once() {
        check_refused("GET / HTTP/1.1\r\nhost: a\r\n\r\n", None);
        check_refused("GET / HTTP/1.1\r\nHost:\r\n\r\n", None);
        check_refused("GET / HTTP/1.0\r\n\r\n", None);
        check_refused("\r\n\r\nGET / HTTP/1.1\r\n", None);
        check_refused("GET / HTTP/1.1\r\n\r\n", Some("malformed"));
        check_refused("GET / HTTP/1.1\r\nHost: a\r\nHOST: a\r\n\r\n", Some("malformed"));
        check_refused("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", Some("malformed"));
    }

    #[test]
    fn what_is_no_http_and_what_has_too_many_fields_is_refused() {
        check_refused("hello\r\n\r\n", Some("malformed"));
        check_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some("malformed"));
        check_refused("GET / HTTP/1.1\r\nHost: a\r\nb c: d\r\n\r\n", Some("malformed"));
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(FIELDS));
        check_refused(&many, Some("head-too-large"));
    }
}
