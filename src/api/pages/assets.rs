//! What pages are shown with: style sheets, the script, the icon. They are part of the program, and bear names that change with them.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::{HttpResponse, web};
use sha2::{Digest, Sha256};

use super::place::Place;
use crate::api::problem::{Code, Refused};

/// The style sheets, in the order in which they are joined.
const STYLES: &[&str] = &[
    include_str!("assets/base.css"),
    include_str!("assets/parts.css"),
    include_str!("assets/overview.css"),
    include_str!("assets/browse.css"),
    include_str!("assets/conflicts.css"),
];

/// They change with the program alone, and their names with them.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Something that pages are shown with.
pub(super) struct Asset {
    /// Where it is served: `/assets/8c1f0a6be1d2.css`.
    pub(super) path: String,
    media: &'static str,
    text: String,
}

impl Asset {
    fn new(text: String, extension: &str, media: &'static str) -> Self {
        let hash: String = Sha256::digest(&text).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Self { path: format!("/assets/{hash}.{extension}"), media, text }
    }
}

pub(super) static CSS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(STYLES.concat(), "css", "text/css; charset=utf-8"));

pub(super) static JS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(include_str!("assets/live.js").to_owned(), "js", "text/javascript; charset=utf-8"));

pub(super) static FOLLOWER: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(include_str!("assets/follow.js").to_owned(), "js", "text/javascript; charset=utf-8"));

pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(include_str!("assets/icon.svg").to_owned(), "svg", "image/svg+xml"));

pub(super) fn places() -> Vec<Place> {
    vec![Place::at("/assets/{name}").show_anybody(show)]
}

async fn show(name: web::Path<String>) -> Result<HttpResponse, Refused> {
    let path = format!("/assets/{name}");
    let asset = [&CSS, &JS, &FOLLOWER, &ICON].into_iter().find(|asset| asset.path == path);
    let asset = asset.ok_or_else(|| Refused::new(Code::UnknownRoute, format_args!("nothing is served at {path}")))?;
    Ok(HttpResponse::Ok()
        .content_type(asset.media)
        .insert_header((CACHE_CONTROL, FOR_EVER))
        .insert_header((HeaderName::from_static("x-content-type-options"), "nosniff"))
        .insert_header((HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .body(asset.text.as_str()))
}
