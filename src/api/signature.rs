//! Signatures of notifications, by Standard Webhooks: who signed, when, and that it comes for the first time.
//!
//! Signed is `ID.TIMESTAMP.BODY`, with HMAC-SHA256 and a secret that the sender was given once. A message that was taken is
//! known for as long as its timestamp is taken, so that whoever overheard it cannot send it again. A sender who tries again
//! signs anew, with another timestamp: that is taken, since to look twice does no harm.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use super::Service;
use super::access::KnownSigner;
use super::problem::{Code, Refused};
use crate::actor::store::requests::webhook::{LeaveMessage, Message, Secret, Signer, TakeMessage};

/// How far a message's timestamp may be from now, on either side.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// How long a message is known that was taken: longer than its timestamp can be within the tolerance.
const MEMORY: Duration = Duration::from_secs(15 * 60);

/// How long a message's id may be.
const LONGEST_ID: usize = 256;

/// The headers of a signed message.
const ID: &str = "webhook-id";
const SENT_AT: &str = "webhook-timestamp";
pub(super) const SIGNATURES: &str = "webhook-signature";

/// What stands before the text of a secret.
const PREFIX: &str = "whsec_";

/// Writes a secret down for whoever is to sign with it.
pub(super) fn text(secret: &Secret) -> String {
    format!("{PREFIX}{}", STANDARD.encode(&secret.0))
}

/// Tells whether a request says that it is signed.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key(SIGNATURES)
}

/// A message that was taken.
pub(super) struct Taken {
    /// Who signed it.
    pub(super) by: Arc<KnownSigner>,
    pub(super) message: Message,
}

/// Takes a signed message: finds who signed it, and that it was not taken before.
///
/// What cannot be stored afterwards is given back with [`leave`].
/// # Errors
/// [`Code::InvalidSignature`], [`Code::TooManyRequests`], [`Code::ReplayedWebhook`], or what the database said.
pub(super) async fn take(service: &Service, headers: &HeaderMap, body: &[u8]) -> Result<Taken, Refused> {
    let signed = Signed::read(headers)?;
    let apart = Timestamp::now().duration_since(signed.sent_at).abs();
    if apart > TOLERANCE {
        let detail = format!("{SENT_AT} is more than {} minutes from now", TOLERANCE.as_mins());
        return Err(Refused::new(Code::InvalidSignature, detail));
    }
    let signers = service.signers.list(service).await?;
    let Some(by) = signers.into_iter().find(|known| signed.is_by(&known.signer, body)) else {
        return Err(Refused::new(Code::InvalidSignature, "no webhook's secret gives one of these signatures"));
    };
    // Only now is it counted: nobody else uses up a sender's rate.
    by.pass()?;
    let message = Message { webhook: by.signer.name.clone(), id: signed.id.to_owned(), sent_at: signed.sent_at };
    if service.ask(TakeMessage { message: message.clone(), memory: MEMORY }).await? {
        return Ok(Taken { by, message });
    }
    Err(Refused::new(
        Code::ReplayedWebhook,
        format_args!("the message {} of {} came before", message.id, message.webhook),
    ))
}

/// Gives a message back that could not be stored, so that its sender may try again.
pub(super) async fn leave(service: &Service, message: Message) {
    // Where this fails, too, a sender who tries again signs anew.
    let _ = service.ask(LeaveMessage(message)).await;
}

/// What was signed, besides the body, and with what.
struct Signed<'a> {
    id: &'a str,
    sent_at: Timestamp,
    /// As it stands in the header: it is signed letter by letter.
    seconds: &'a str,
    signatures: &'a str,
}

impl<'a> Signed<'a> {
    fn read(headers: &'a HeaderMap) -> Result<Self, Refused> {
        let bad = |name: &str, what: &str| Refused::new(Code::InvalidSignature, format_args!("{name} {what}"));
        let one = |name: &'static str| {
            let mut values = headers.get_all(name);
            match (values.next().map(|value| value.to_str()), values.next()) {
                (Some(Ok(text)), None) => Ok(text),
                (Some(Ok(_)), Some(_)) => Err(bad(name, "stands twice")),
                (Some(Err(_)), _) => Err(bad(name, "is no text")),
                (None, _) => Err(bad(name, "is missing")),
            }
        };
        let (id, seconds, signatures) = (one(ID)?, one(SENT_AT)?, one(SIGNATURES)?);
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(bad(ID, "should have 1 to 256 characters"));
        }
        let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
        let sent_at = seconds.parse().ok().filter(|_| is_number).and_then(|number| Timestamp::from_second(number).ok());
        let sent_at = sent_at.ok_or_else(|| bad(SENT_AT, "should be a number of seconds since 1970"))?;
        Ok(Self { id, sent_at, seconds, signatures })
    }

    fn is_by(&self, signer: &Signer, body: &[u8]) -> bool {
        signer.secrets.iter().any(|secret| self.is_with(secret, body))
    }

    /// Tells whether one of the signatures was made with this secret; takes as long whether it was or not.
    fn is_with(&self, Secret(secret): &Secret, body: &[u8]) -> bool {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
        for part in [self.id.as_bytes(), b".", self.seconds.as_bytes(), b".", body] {
            mac.update(part);
        }
        let signatures = self.signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,"));
        let decoded = signatures.filter_map(|signature| STANDARD.decode(signature).ok());
        // A sender that changes its secret sends a few.
        decoded.take(16).any(|signature| mac.clone().verify_slice(&signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;
    use crate::domain::access::{Grant, Role};

    /// The example of the specification.
    const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const EXAMPLE: [(&str, &str); 3] = [
        (ID, "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        (SENT_AT, "1614265330"),
        (SIGNATURES, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ];
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header"))
        };
        lines.iter().map(line).collect()
    }

    fn signer(secrets: &[&str]) -> Signer {
        let secrets = secrets.iter().map(|secret| Secret(STANDARD.decode(secret).expect("base64"))).collect();
        let grant = Grant { role: Role::Notify, entities: [].into(), sources: [].into(), rate: Grant::RATE };
        Signer { id: 1, name: "crm".parse().expect("a name"), grant, secrets }
    }

    #[track_caller]
    fn check(lines: &[(&'static str, &str)], body: &[u8], signer: &Signer, good: bool) {
        let headers = headers(lines);
        let signed = Signed::read(&headers).expect("the headers are there");
        assert_eq!(signed.is_by(signer, body), good, "{lines:?}");
    }

    #[test]
    fn the_example_of_the_specification_is_good() {
        check(&EXAMPLE, BODY, &signer(&[SECRET]), true);
    }

    #[test]
    fn one_good_signature_and_one_good_secret_of_several_are_enough() {
        let [id, sent_at, (name, signature)] = EXAMPLE;
        let several = format!("v1a,xyz v1,bm9uZQ== {signature} v1,AAAA");
        check(&[id, sent_at, (name, &several)], BODY, &signer(&["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SECRET]), true);
    }

    #[test]
    fn whatever_is_changed_makes_a_signature_bad() {
        let [id, sent_at, signature] = EXAMPLE;
        check(&EXAMPLE, br#"{"test": 2432232315}"#, &signer(&[SECRET]), false);
        check(&[(ID, "msg_other"), sent_at, signature], BODY, &signer(&[SECRET]), false);
        check(&[id, (SENT_AT, "1614265331"), signature], BODY, &signer(&[SECRET]), false);
        check(
            &[id, sent_at, (SIGNATURES, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")],
            BODY,
            &signer(&[SECRET]),
            false,
        );
        check(&EXAMPLE, BODY, &signer(&["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]), false);
        check(&EXAMPLE, BODY, &signer(&[]), false);
    }

    #[test]
    fn headers_that_are_missing_or_senseless_are_named() {
        let [id, sent_at, signature] = EXAMPLE;
        for (lines, name) in [
            ([id, signature, ("x", "")], SENT_AT),
            ([sent_at, signature, ("x", "")], ID),
            ([id, (SENT_AT, "today"), signature], SENT_AT),
            ([id, (SENT_AT, "-5"), signature], SENT_AT),
            ([(ID, ""), sent_at, signature], ID),
        ] {
            let refused = Signed::read(&headers(&lines)).err().map(|refused| refused.to_string()).unwrap_or_default();
            assert!(refused.starts_with("invalid-signature: ") && refused.contains(name), "{refused}");
        }
    }

    #[test]
    fn a_secret_is_written_as_senders_take_it() {
        assert_eq!(text(&signer(&[SECRET]).secrets[0]), format!("whsec_{SECRET}"));
    }
}
