//! The head of a request, looked at before the server sees it, which would refuse without a word what is not right.

use actix_web::http::{Method, Uri};
use bytes::{BufMut, BytesMut};
use httparse::{EMPTY_HEADER, Error, Header, Request, Status};

use crate::api::problem::{Code, Refused};

/// How large a head may be, in bytes.
pub(in crate::api) const HEAD_SIZE: usize = 16 << 10;

/// How many fields a head may have: as many as the server reads.
const FIELDS: usize = 96;

/// How HTTP/1.1 is named by its parser.
const HTTP_1_1: u8 = 1;

/// What comes after a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// So many bytes of a body, and then the next head.
    Body(u64),
    /// A body in chunks, and then the next head.
    Chunks,
    /// Nothing that is for us.
    Nothing,
}

/// A head that is right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// In bytes, as it came.
    pub(super) length: usize,
    pub(super) follows: Follows,
    /// How it is handed on, if otherwise than it came.
    pub(super) instead: Option<BytesMut>,
}

/// What a head says of its connection and its body.
#[derive(Default)]
struct Said {
    hosts: usize,
    length: Option<u64>,
    is_chunked: bool,
    /// It is the last one.
    closes: bool,
    /// It offers another protocol.
    upgrades: bool,
}

/// Tells whether an empty line has come; lines may end without a carriage return.
pub(in crate::api) fn is_whole(head: &[u8]) -> bool {
    head.windows(2).any(|two| two == b"\n\n") || head.windows(3).any(|three| three == b"\n\r\n")
}

fn malformed(detail: impl std::fmt::Display) -> Refused {
    Refused::new(Code::Malformed, detail)
}

/// Reads a head; `None` if more of it is to come.
///
/// # Errors
/// The refusal of what is no HTTP, or says two things of its host or its body.
pub(super) fn read(text: &[u8]) -> Result<Option<Head>, Refused> {
    let mut fields = [EMPTY_HEADER; FIELDS];
    let mut request = Request::new(&mut fields);
    let length = match request.parse(text) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(Error::TooManyHeaders) => {
            return Err(Refused::new(Code::HeadTooLarge, format_args!("the head has more than {FIELDS} fields")));
        }
        Err(error) => return Err(malformed(format_args!("the head of the request is no HTTP/1.1: {error}"))),
    };
    let is_1_1 = request.version == Some(HTTP_1_1);
    let method = request.method.unwrap_or_default();
    let target = request.path.unwrap_or_default();
    Method::from_bytes(method.as_bytes()).map_err(|_| malformed("the method is no word"))?;
    Uri::try_from(target).map_err(|error| malformed(format_args!("the target of the request is no URI: {error}")))?;
    let said = Said::read(request.headers)?;
    said.check(method, is_1_1)?;
    let follows = match said {
        // Nobody gets through here; whatever comes would be meant for somebody else.
        _ if method == Method::CONNECT.as_str() => Follows::Nothing,
        Said { is_chunked: true, .. } => Follows::Chunks,
        Said { length: Some(length), .. } if length > 0 => Follows::Body(length),
        Said { closes: true, .. } => Follows::Nothing,
        Said { .. } => Follows::Body(0),
    };
    let instead = said.upgrades.then(|| without_upgrade(method, target, is_1_1, request.headers));
    Ok(Some(Head { length, follows, instead }))
}

impl Said {
    fn read(fields: &[Header<'_>]) -> Result<Self, Refused> {
        let mut said = Self::default();
        let is = |field: &Header<'_>, name: &str| field.name.eq_ignore_ascii_case(name);
        for field in fields {
            if is(field, "host") {
                said.hosts += 1;
            } else if is(field, "content-length") {
                let length = number(field.value).filter(|_| said.length.is_none());
                said.length = Some(length.ok_or_else(|| malformed("Content-Length is one number, and stands once"))?);
            } else if is(field, "transfer-encoding") {
                if said.is_chunked || !field.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(malformed("Transfer-Encoding is chunked or absent, and stands once"));
                }
                said.is_chunked = true;
            } else if is(field, "connection") {
                said.closes |= options(field).any(|option| option.eq_ignore_ascii_case(b"close"));
            } else if is(field, "upgrade") {
                said.upgrades = true;
            }
        }
        Ok(said)
    }

    fn check(&self, method: &str, is_1_1: bool) -> Result<(), Refused> {
        let wrong = match (self.hosts, self.is_chunked) {
            (2.., _) => "a request names its host, and once: Host",
            (0, _) if is_1_1 => "a request names its host, and once: Host",
            (_, true) if !is_1_1 => "there are no chunks in HTTP/1.0",
            (_, true) if self.length.is_some() => "a body has a Content-Length or a Transfer-Encoding, not both",
            (_, false) if !is_1_1 && method == "POST" && self.length.is_none() => {
                "a POST by HTTP/1.0 says by Content-Length how long its body is"
            }
            (0 | 1, _) => return Ok(()),
        };
        Err(malformed(wrong))
    }
}

/// Reads a number: plain digits.
fn number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

fn options<'a>(field: &Header<'a>) -> impl Iterator<Item = &'a [u8]> {
    field.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Writes a head without the offer of another protocol, which nobody takes: the server would wait for that protocol.
fn without_upgrade(method: &str, target: &str, is_1_1: bool, fields: &[Header<'_>]) -> BytesMut {
    let mut head = BytesMut::with_capacity(HEAD_SIZE / 8);
    head.put_slice(format!("{method} {target} HTTP/1.{}\r\n", u8::from(is_1_1)).as_bytes());
    let mut put = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            head.put_slice(part);
        }
    };
    for field in fields.iter().filter(|field| !field.name.eq_ignore_ascii_case("upgrade")) {
        if field.name.eq_ignore_ascii_case("connection") {
            // Each as a field of its own, which means the same.
            options(field).filter(|it| !it.eq_ignore_ascii_case(b"upgrade")).for_each(|it| put(field.name, it));
        } else {
            put(field.name, field.value);
        }
    }
    head.put_slice(b"\r\n");
    head
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

    /// What follows a head of these fields, or with which code it is refused.
    fn follows(line: &str, fields: &str) -> Result<Follows, String> {
        let read = read(format!("{line}\r\n{fields}\r\n").as_bytes()).map_err(|refused| refused.to_string());
        read.map(|head| head.expect("it is whole").follows)
    }

    #[track_caller]
    fn check_refused(line: &str, fields: &str, code: &str) {
        let refused = follows(line, fields).expect_err("it is not right");
        assert_eq!(refused.split(':').next(), Some(code), "{line} {fields:?}: {refused}");
    }

    #[test]
    fn a_head_says_what_follows_it() {
        let get = |fields| follows("GET / HTTP/1.1", fields).expect("it is right");
        assert_eq!(get("host: a\r\n"), Follows::Body(0));
        assert_eq!(get("Host:\r\nContent-Length: 17\r\n"), Follows::Body(17));
        assert_eq!(get("Host: a\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n"), Follows::Chunks);
        assert_eq!(get("Host: a\r\nConnection: x, CLOSE\r\n"), Follows::Nothing);
        assert_eq!(follows("GET / HTTP/1.0", ""), Ok(Follows::Body(0)));
        assert_eq!(follows("CONNECT a:1 HTTP/1.1", "Host: a\r\nContent-Length: 3\r\n"), Ok(Follows::Nothing));
        assert!(matches!(read(b"GET / HTTP/1.1\r\nHost: a\r\n"), Ok(None)));
    }

    #[test]
    fn a_host_is_named_once() {
        check_refused("GET / HTTP/1.1", "", "malformed");
        check_refused("GET / HTTP/1.1", "Host: a\r\nHOST: a\r\n", "malformed");
        check_refused("GET / HTTP/1.0", "Host: a\r\nHost: b\r\n", "malformed");
    }

    #[test]
    fn a_body_is_announced_in_one_way() {
        let one = "Content-Length: 1\r\n";
        let chunked = "Transfer-Encoding: chunked\r\n";
        let (twice, both, doubled) = (format!("{one}{one}"), format!("{one}{chunked}"), format!("{chunked}{chunked}"));
        for wrong in [
            &*twice,
            &*both,
            &*doubled,
            "Content-Length: -1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length:\r\n",
            "Content-Length: 18446744073709551616\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: identity\r\n",
        ] {
            check_refused("POST / HTTP/1.1", &format!("Host: a\r\n{wrong}"), "malformed");
        }
        check_refused("POST / HTTP/1.0", chunked, "malformed");
        check_refused("POST / HTTP/1.0", "", "malformed");
    }

    #[test]
    fn what_is_no_http_and_what_has_too_many_fields_is_refused() {
        for line in ["hello", "GET /", "GET / HTTP/1.2", "GET / HTTP/2.0", "PRI * HTTP/2.0"] {
            check_refused(line, "Host: a\r\n", "malformed");
        }
        for field in ["b c: d\r\n", "b: \0\r\n", "b: c\r\n d\r\n", ": c\r\n", "b\r\n"] {
            check_refused("GET / HTTP/1.1", &format!("Host: a\r\n{field}"), "malformed");
        }
        check_refused("GET / HTTP/1.1", &format!("Host: a\r\n{}", "A: b\r\n".repeat(FIELDS)), "head-too-large");
    }

    #[test]
    fn another_protocol_is_not_offered_any_more() {
        let text =
            "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, keep-alive\r\nUpgrade: websocket\r\nX: y\r\n\r\nrest";
        let head = read(text.as_bytes()).expect("it is right").expect("it is whole");
        assert_eq!(&text[head.length..], "rest");
        let instead = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nX: y\r\n\r\n";
        assert_eq!(head.instead.as_deref(), Some(instead.as_bytes()));
    }
}
