//! A body in chunks, followed to its end without keeping any of it.

use bytes::BytesMut;

use crate::api::body::Bounds;
use crate::api::problem::{Code, Refused};

/// How long a line may be that says how large a chunk is, or that comes after the last one, in bytes.
const LINE: usize = 1 << 10;

/// Where in its chunks a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    /// The line with the size of a chunk is next.
    Size,
    /// So many bytes of a chunk are to come, the end of its line among them.
    Data(u64),
    /// The lines after the last chunk, up to an empty one.
    Trailer,
    End,
}

/// What ends the line after the data of a chunk.
const LINE_END: &[u8] = b"\r\n";

impl Chunks {
    /// Takes from `raw` what is right and can be handed on; nothing if more is needed.
    ///
    /// # Errors
    /// The refusal of the body.
    pub(super) fn take(&mut self, raw: &mut BytesMut) -> Result<BytesMut, Refused> {
        match self {
            Self::End => Ok(BytesMut::new()),
            Self::Data(left) => {
                let end = LINE_END.len() as u64;
                let length = u64::try_from(raw.len()).unwrap_or(u64::MAX);
                if *left > end {
                    let part = length.min(*left - end);
                    *left -= part;
                    return Ok(raw.split_to(usize::try_from(part).unwrap_or(usize::MAX)));
                }
                let known = raw.len().min(LINE_END.len());
                if !LINE_END.starts_with(&raw[..known]) {
                    return Err(broken("a chunk is longer than it says"));
                }
                if known < LINE_END.len() {
                    return Ok(BytesMut::new());
                }
                *self = Self::Size;
                Ok(raw.split_to(known))
            }
            Self::Size => self.take_line(raw, |line| match size(line)? {
                0 => Ok(Self::Trailer),
                size => Ok(Self::Data(size + LINE_END.len() as u64)),
            }),
            Self::Trailer => self.take_line(raw, |line| Ok(if line.is_empty() { Self::End } else { Self::Trailer })),
        }
    }

    fn take_line(
        &mut self,
        raw: &mut BytesMut,
        next: impl Fn(&[u8]) -> Result<Self, Refused>,
    ) -> Result<BytesMut, Refused> {
        let Some(end) = raw.iter().position(|byte| *byte == b'\n') else {
            let is_long = raw.len() > LINE;
            return if is_long { Err(broken("a line between chunks is too long")) } else { Ok(BytesMut::new()) };
        };
        let line = raw.split_to(end + 1);
        let inner = line.strip_suffix(LINE_END).ok_or_else(|| broken("a line between chunks ends with CR and LF"))?;
        if inner.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(broken("a line between chunks holds control characters"));
        }
        *self = next(inner)?;
        Ok(line)
    }
}

/// Reads the size of a chunk; what else its line says is for nobody.
fn size(line: &[u8]) -> Result<u64, Refused> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let bad = || broken("a chunk says by hexadecimal digits how large it is");
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(bad());
    }
    let text = std::str::from_utf8(digits).map_err(|_| bad())?;
    let most = Bounds::API.size;
    let size = u64::from_str_radix(text, 16).ok().filter(|size| usize::try_from(*size).is_ok_and(|size| size <= most));
    size.ok_or_else(|| Refused::new(Code::BodyTooLarge, format_args!("the body is larger than {most} bytes")))
}

fn broken(detail: &str) -> Refused {
    Refused::new(Code::Malformed, format_args!("the body cannot be read: {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a body as it comes in pieces, and gives what was handed on and what was left.
    fn take(body: &str, piece: usize) -> Result<(String, String), String> {
        let (mut chunks, mut raw, mut taken) = (Chunks::Size, BytesMut::new(), Vec::new());
        for piece in body.as_bytes().chunks(piece) {
            raw.extend_from_slice(piece);
            loop {
                let part = chunks.take(&mut raw).map_err(|refused| refused.to_string())?;
                if part.is_empty() {
                    break;
                }
                taken.extend_from_slice(&part);
            }
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((text(&taken), text(&raw)))
    }

    #[test]
    fn a_body_ends_with_its_last_chunk_however_it_comes() {
        for body in ["0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "A;x=y\r\n0123456789\r\n1 \r\n\n\r\n000\r\nX: y\r\n\r\n"] {
            let all = format!("{body}GET / HTTP/1.1");
            for piece in [1, 2, 7, 1000] {
                assert_eq!(take(&all, piece), Ok((body.to_owned(), "GET / HTTP/1.1".to_owned())), "{body:?}");
            }
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let long = "x".repeat(LINE + 1);
        let extended = format!("5;{long}");
        for bad in [
            "-1\r\n",
            "\r\n",
            "x\r\n",
            "0x5\r\n",
            " 5\r\n",
            "5 5\r\n",
            "5\n",
            "5\r\nhello!\r\n",
            "5\rx\n",
            "0\r\n\n",
            &*extended,
        ] {
            let refused = take(bad, 1000).expect_err(bad);
            assert!(refused.starts_with("malformed: "), "{bad:?}: {refused}");
        }
        for large in ["100001\r\n", "ffffffffffffffff\r\n", "10000000000000000000\r\n"] {
            let refused = take(large, 1000).expect_err(large);
            assert!(refused.starts_with("body-too-large: "), "{large:?}: {refused}");
        }
    }
}
