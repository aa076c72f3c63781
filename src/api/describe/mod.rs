//! What a route tells of itself, and the description of the whole API that is made of it (`/openapi.json`).
//!
//! A path is served with its description or not at all (`routes/path.rs`), and what the description does not name, a
//! parameter of the query or the type of a body, is refused before the route is asked. So neither goes without the other.

mod shape;
mod document;

pub(super) use document::document;
pub(super) use shape::{
    Field, Shape, digits, fields, foreign_key, key_of_request, matching, name, number, object, one_of, text, whole,
};

use super::problem::Code;
use utoipa::ToSchema;

/// The media type of JSON.
pub(super) const JSON: &str = "application/json";

/// What a method of a path does, takes and answers.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    /// Its name for generated clients, never changed: `listWorkItems`.
    pub(super) id: &'static str,
    /// What it does, in a few words.
    summary: &'static str,
    /// What else a client should know; may be empty.
    detail: &'static str,
    /// The parameters that its query may have; it may have no others.
    pub(super) query: Vec<Parameter>,
    /// The headers that it reads, besides those that every request may have.
    headers: Vec<Parameter>,
    /// The forms in which a body may come; none: it takes no body.
    pub(super) bodies: Vec<Content>,
    answers: Vec<Answer>,
    /// The problems that only some operations have.
    refusals: Vec<Code>,
    /// Whether the answer is to be kept nowhere.
    pub(super) is_secret: bool,
    /// Whether a signature stands for a token.
    is_signable: bool,
}

/// A parameter of a query, or a header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    shape: fn() -> Shape,
    text: &'static str,
}

/// A body of some type.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) media: &'static str,
    shape: fn() -> Shape,
    /// As it is sent.
    example: Option<&'static str>,
}

/// An answer that is no problem.
#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    text: &'static str,
    content: Content,
}

/// Begins the description of a method of a path.
pub(super) fn operation(id: &'static str, summary: &'static str) -> Operation {
    Operation {
        id,
        summary,
        detail: "",
        query: Vec::new(),
        headers: Vec::new(),
        bodies: Vec::new(),
        answers: Vec::new(),
        refusals: Vec::new(),
        is_secret: false,
        is_signable: false,
    }
}

impl Operation {
    /// Tells more than the summary, in Markdown.
    pub(super) fn detail(mut self, detail: &'static str) -> Self {
        self.detail = detail;
        self
    }

    /// Takes a parameter in the query.
    pub(super) fn query(mut self, name: &'static str, shape: fn() -> Shape, text: &'static str) -> Self {
        self.query.push(Parameter { name, shape, text });
        self
    }

    /// Takes the parameters by which the part of a list is chosen.
    pub(super) fn window(self) -> Self {
        self.query("limit", whole, "How many items at most; 100 by default, and 1,000 if it is more.").query(
            "after",
            digits,
            "The `next` of an earlier answer: the part that follows.",
        )
    }

    /// Takes the name of an entity in the query, to which a list is limited.
    pub(super) fn of_entity(self) -> Self {
        self.query("entity", name, "Only what belongs to this entity.").refuses(&[Code::UnknownEntity])
    }

    /// Reads a header.
    pub(super) fn header(mut self, name: &'static str, shape: fn() -> Shape, text: &'static str) -> Self {
        self.headers.push(Parameter { name, shape, text });
        self
    }

    /// Says that the answer holds a secret, which is kept nowhere: to ask once more is to ask for another one.
    pub(super) fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// Says that who signs a request need show no token.
    pub(super) fn signable(mut self) -> Self {
        self.is_signable = true;
        self
    }

    /// Takes a JSON body.
    pub(super) fn body<T: ToSchema>(self, example: &'static str) -> Self {
        self.body_as(JSON, Shape::of::<T>, Some(example))
    }

    /// Takes a body of another type; the one that comes first is meant where none is named.
    pub(super) fn body_as(mut self, media: &'static str, shape: fn() -> Shape, example: Option<&'static str>) -> Self {
        self.bodies.push(Content { media, shape, example });
        self
    }

    /// Answers with JSON; `example` is one answer, as it is sent.
    pub(super) fn answers<T: ToSchema>(self, status: u16, text: &'static str, example: &'static str) -> Self {
        self.answers_as(status, text, JSON, Shape::of::<T>, Some(example))
    }

    /// Answers with JSON whose form is told elsewhere.
    pub(super) fn answers_object(self, status: u16, summary: &'static str) -> Self {
        self.answers_as(status, summary, JSON, object, None)
    }

    /// Answers with server-sent events, each of this form.
    pub(super) fn answers_events<T: ToSchema>(self, status: u16, summary: &'static str) -> Self {
        self.answers_as(status, summary, "text/event-stream", Shape::of::<T>, None)
    }

    /// Answers with text of some type.
    pub(super) fn answers_text(self, status: u16, summary: &'static str, media: &'static str) -> Self {
        self.answers_as(status, summary, media, text, None)
    }

    fn answers_as(
        mut self,
        status: u16,
        text: &'static str,
        media: &'static str,
        shape: fn() -> Shape,
        example: Option<&'static str>,
    ) -> Self {
        self.answers.push(Answer { status, text, content: Content { media, shape, example } });
        self
    }

    /// Names problems that only some operations have.
    pub(super) fn refuses(mut self, codes: &[Code]) -> Self {
        self.refusals.extend(codes);
        self
    }
}
