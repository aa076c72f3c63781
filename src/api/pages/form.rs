//! What a form of a page sends, and that a form which is sent twice acts once.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpRequest, ResponseError, web};
use bytes::Bytes;

use super::page::protect;
use crate::api::input::{self, Query};
use crate::api::problem::{Code, Refused};
use crate::api::routes::repeat;

/// The type of what a form sends.
const MEDIA: &str = "application/x-www-form-urlencoded";

/// The field that names this very form, as it was shown.
pub(super) const ONCE: &str = "once";

/// The names of the fields that a form may have; one that ends in `-` stands for all that begin with it.
pub(super) type Fields = &'static [&'static str];

/// What the names of fields begin with in which values of documents are typed.
const TYPED: &str = "typed-";

/// How long one that was sent twice waits for what comes of the first.
const PATIENCE: Duration = Duration::from_secs(15);

/// The fields of a form.
#[derive(Debug, Clone, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    fn parse(request: &HttpRequest, body: &[u8]) -> Result<Self, Refused> {
        let media = request.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        if !body.is_empty() && !media.eq_ignore_ascii_case(MEDIA) {
            let detail = format!("the body should be {MEDIA}, and Content-Type says {media:?}");
            return Err(Refused::new(Code::UnsupportedMediaType, detail));
        }
        let text = std::str::from_utf8(body).map_err(|_| input::malformed("the form is not in UTF-8"))?;
        let pairs = web::Query::<Vec<(String, String)>>::from_query(text)
            .map_err(|error| input::malformed(format_args!("the form cannot be read: {error}")))?
            .into_inner();
        let holds_nul =
            |(name, value): &&(String, String)| name.contains('\0') || value.contains('\0') && !takes_any(name);
        match pairs.iter().find(holds_nul) {
            None => Ok(Self(pairs)),
            Some((name, _)) => Err(input::malformed(format_args!("the field {name:?} holds the character NUL"))),
        }
    }

    /// What was typed into a field, without white space at its ends; `None` if that is nothing.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.raw(name).map(str::trim).filter(|text| !text.is_empty())
    }

    /// What was sent of a field; of one that was sent several times, the first.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value that was sent of a field.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every field and its value, in the order of the form.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What was typed into a field that must not be empty.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refused> {
        self.text(name).ok_or_else(|| input::malformed(format_args!("the field {name:?} is empty")))
    }
}

/// Whether a field takes any text: one in which a value of a document is typed.
fn takes_any(name: &str) -> bool {
    name.starts_with(TYPED)
}

impl FromRequest for Form {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (body, request) = (Bytes::from_request(request, payload), request.clone());
        Box::pin(async move { Ok(Self::parse(&request, &body.await?)?) })
    }
}

/// Hands a form on that has none but these fields, and no query.
///
/// A browser sends the fields of the form that we have made, and the button that was pressed if it has a name: nothing of its own.
pub(super) async fn check(
    known: Rc<[&'static str]>,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let body = request.extract::<Bytes>().await?;
    request.set_payload(body.clone().into());
    match knows(&known, request.request(), &body) {
        Ok(()) => next.call(request).await,
        Err(refused) => Ok(request.into_response(refused.error_response())),
    }
}

fn knows(known: &[&'static str], request: &HttpRequest, body: &[u8]) -> Result<(), Refused> {
    Query::parse(request.query_string(), &[])?;
    let form = Form::parse(request, body)?;
    let is = |known: &str, name: &str| if known.ends_with('-') { name.starts_with(known) } else { name == known };
    let stranger = form.fields().map(|(name, _)| name).find(|name| !known.iter().any(|known| is(known, name)));
    stranger.map_or(Ok(()), |name| Err(input::unknown("form field", name, known)))
}

/// Has an act carried out, unless this very form was sent before: then it is answered as it was.
pub(super) async fn once(mut request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let body = request.extract::<Bytes>().await?;
    request.set_payload(body.clone().into());
    let mut answer = match key(request.request(), &body) {
        Ok(key) => repeat::carry_out(request, key, next, PATIENCE).await?,
        Err(refused) => return Ok(request.into_response(refused.error_response())),
    };
    // Of an answer that is given once more its headers were not kept.
    protect(answer.headers_mut());
    Ok(answer)
}

fn key(request: &HttpRequest, body: &[u8]) -> Result<String, Refused> {
    let form = Form::parse(request, body)?;
    let key = form.text(ONCE).and_then(|text| uuid::Uuid::parse_str(text).ok());
    let key = key.ok_or_else(|| input::malformed("the form has no name of its own: load its page anew"))?;
    Ok(format!("form {key}"))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn parse(media: &str, body: &str) -> Result<Form, String> {
        let request = TestRequest::post().insert_header((CONTENT_TYPE, media)).to_http_request();
        Form::parse(&request, body.as_bytes()).map_err(|refused| refused.to_string())
    }

    #[test]
    fn fields_are_read_as_they_were_typed() {
        let form = parse(MEDIA, "a=+x%20y%0A&b=&c=1&c=2&d=%E2%82%AC%26").expect("a form");
        assert_eq!((form.text("a"), form.raw("a")), (Some("x y"), Some(" x y\n")));
        assert_eq!((form.text("b"), form.text("e")), (None, None));
        assert_eq!(form.all("c").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(form.required("d").ok(), Some("\u{20ac}&"));
        assert!(form.required("b").is_err_and(|refused| refused.to_string().contains("\"b\" is empty")));
    }

    #[test]
    fn nul_stands_in_a_value_that_is_typed_and_nowhere_else() {
        let form = parse(MEDIA, "typed-7=a%00b&pick-7=typed").expect("a form");
        assert_eq!(form.raw("typed-7"), Some("a\0b"));
        for (body, name) in [("reason=%00", "\"reason\""), ("a=1&b%00=2", "\"b\\0\""), ("x=\0", "\"x\"")] {
            let error = parse(MEDIA, body).expect_err(body);
            assert!(error.starts_with("malformed") && error.contains(name), "{error}");
        }
    }

    #[test]
    fn a_field_that_a_form_does_not_have_is_refused_by_its_name_and_so_is_a_query() {
        let refusal = |uri: &str, body: &str| {
            let request = TestRequest::post().uri(uri).insert_header((CONTENT_TYPE, MEDIA)).to_http_request();
            knows(&["word", "pick-"], &request, body.as_bytes()).err().map(|refused| refused.to_string())
        };
        assert_eq!(refusal("/x", "word=1&pick-7=a&pick-8="), None);
        assert_eq!(refusal("/x", ""), None);
        for (uri, body, words) in [
            ("/x", "word=1&wrod=2", "unknown form field \"wrod\"; known here: word, pick-"),
            ("/x", "pick=1", "unknown form field \"pick\""),
            ("/x?word=1", "word=1", "unknown query parameter \"word\"; known here: none"),
        ] {
            let refused = refusal(uri, body).expect(body);
            assert!(refused.contains(words), "{refused}");
        }
    }

    #[test]
    fn another_type_is_no_form_and_one_without_a_name_is_not_taken() {
        assert!(parse("application/json", "{}").is_err_and(|error| error.starts_with("unsupported-media-type")));
        let request = TestRequest::post().insert_header((CONTENT_TYPE, MEDIA)).to_http_request();
        assert!(key(&request, b"once=x").is_err());
        assert!(key(&request, b"once=67e55044-10b1-426f-9247-bb680e5fe0c8").is_ok());
    }
}
