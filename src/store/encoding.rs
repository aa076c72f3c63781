//! Lists and other compound values as they stand in `json` columns. What is left out is absent, which `null` is not.

use std::error::Error;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::json::{Json, present};
use crate::domain::merge::{Change, Conflict, ConflictKind, Contender, Decision, Overruled};
use crate::domain::name::SourceName;
use crate::domain::pointer::Pointer;
use crate::domain::record::{Base, DoubtId, Settlement};

use super::columns::{JsonText, Word};
use super::requests::queue::{Choice, Deed, Order, Together, WorkItemId};
use super::requests::repeatable::Effect;
use super::requests::view::Approved;

/// A value that has a form in JSON.
pub(super) trait Encoded: Sized {
    type Form: Serialize + DeserializeOwned;

    fn to_form(&self) -> Self::Form;

    fn of_form(form: Self::Form) -> Result<Self, Unfit>;
}

/// Why a form stands for no value.
pub(super) type Unfit = Box<dyn Error + Send + Sync>;

/// Writes one value.
pub(super) fn encode<T: Encoded>(value: &T) -> JsonText {
    written(&value.to_form())
}

/// Writes a list.
pub(super) fn encode_list<T: Encoded>(values: &[T]) -> JsonText {
    written(&values.iter().map(T::to_form).collect::<Vec<_>>())
}

/// Reads one value.
pub(super) fn decode<T: Encoded>(JsonText(text): &JsonText) -> Result<T, Unfit> {
    T::of_form(serde_json::from_str(text)?)
}

/// Reads a list.
pub(super) fn decode_list<T: Encoded>(JsonText(text): &JsonText) -> Result<Vec<T>, Unfit> {
    serde_json::from_str::<Vec<T::Form>>(text)?.into_iter().map(T::of_form).collect()
}

fn written(form: &impl Serialize) -> JsonText {
    JsonText(serde_json::to_string(form).expect("a form has text for names, and JSON can be written"))
}

impl Encoded for Pointer {
    type Form = Pointer;

    fn to_form(&self) -> Pointer {
        self.clone()
    }

    fn of_form(form: Pointer) -> Result<Self, Unfit> {
        Ok(form)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct ChangeForm {
    path: Pointer,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    before: Option<Json>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    after: Option<Json>,
    sources: Vec<String>,
}

impl Encoded for Change {
    type Form = ChangeForm;

    fn to_form(&self) -> ChangeForm {
        ChangeForm {
            path: self.path.clone(),
            before: self.before.clone(),
            after: self.after.clone(),
            sources: to_texts(&self.sources),
        }
    }

    fn of_form(form: ChangeForm) -> Result<Self, Unfit> {
        Ok(Self { path: form.path, before: form.before, after: form.after, sources: of_texts(&form.sources)? })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct ContenderForm {
    sources: Vec<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
    #[serde(default, skip_serializing_if = "is_false")]
    absent: bool,
}

impl Encoded for Contender {
    type Form = ContenderForm;

    fn to_form(&self) -> ContenderForm {
        ContenderForm { sources: to_texts(&self.sources), value: self.value.clone(), absent: self.value.is_none() }
    }

    fn of_form(form: ContenderForm) -> Result<Self, Unfit> {
        if form.value.is_none() != form.absent {
            return Err("a contender has a value, or is absent".into());
        }
        Ok(Self { sources: of_texts(&form.sources)?, value: form.value })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct ConflictForm {
    path: Pointer,
    kind: String,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    agreed: Option<Json>,
    contenders: Vec<ContenderForm>,
}

impl Encoded for Conflict {
    type Form = ConflictForm;

    fn to_form(&self) -> ConflictForm {
        ConflictForm {
            path: self.path.clone(),
            kind: self.kind.word().to_owned(),
            agreed: self.agreed.clone(),
            contenders: self.contenders.iter().map(Contender::to_form).collect(),
        }
    }

    fn of_form(form: ConflictForm) -> Result<Self, Unfit> {
        Ok(Self {
            path: form.path,
            kind: ConflictKind::of_word(&form.kind)?,
            agreed: form.agreed,
            contenders: form.contenders.into_iter().map(Contender::of_form).collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct OverruledForm {
    path: Pointer,
    source: String,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
}

impl Encoded for Overruled {
    type Form = OverruledForm;

    fn to_form(&self) -> OverruledForm {
        OverruledForm { path: self.path.clone(), source: self.source.as_str().to_owned(), value: self.value.clone() }
    }

    fn of_form(form: OverruledForm) -> Result<Self, Unfit> {
        Ok(Self { path: form.path, source: form.source.parse()?, value: form.value })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct BaseForm {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    shadow: Option<Json>,
    unknown: Vec<Pointer>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    ack: Option<Json>,
    owed: Vec<Pointer>,
}

impl Encoded for Base {
    type Form = BaseForm;

    fn to_form(&self) -> BaseForm {
        let Base { shadow, unknown, ack, owed } = self.clone();
        BaseForm { shadow, unknown, ack, owed }
    }

    fn of_form(BaseForm { shadow, unknown, ack, owed }: BaseForm) -> Result<Self, Unfit> {
        Ok(Self { shadow, unknown, ack, owed })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EffectForm {
    Ordered(i64),
    Approved { deletes: u64, work_items: Vec<i64> },
    Done,
}

impl Encoded for Effect {
    type Form = EffectForm;

    fn to_form(&self) -> EffectForm {
        match self {
            Self::Ordered(item) => EffectForm::Ordered(item.0),
            Self::Approved(Approved { deletes, items }) => {
                EffectForm::Approved { deletes: *deletes, work_items: items.iter().map(|item| item.0).collect() }
            }
            Self::Done => EffectForm::Done,
        }
    }

    fn of_form(form: EffectForm) -> Result<Self, Unfit> {
        Ok(match form {
            EffectForm::Ordered(item) => Self::Ordered(WorkItemId(item)),
            EffectForm::Approved { deletes, work_items } => {
                Self::Approved(Approved { deletes, items: work_items.into_iter().map(WorkItemId).collect() })
            }
            EffectForm::Done => Self::Done,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OrderForm {
    Resolve {
        conflict: i64,
        revision: i64,
        decision: DecisionForm,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        together: Option<TogetherForm>,
    },
    Undo {
        version: i64,
    },
    Settle {
        doubt: i64,
        settlement: SettlementForm,
    },
    AsShown {
        deed: DeedForm,
        shown: String,
    },
}

#[derive(Serialize, Deserialize)]
pub(super) struct TogetherForm {
    batch: i64,
    who: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DeedForm {
    Resolve(Vec<ChoiceForm>),
    Undo { version: i64 },
}

#[derive(Serialize, Deserialize)]
pub(super) struct ChoiceForm {
    conflict: i64,
    revision: i64,
    decision: DecisionForm,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SettlementForm {
    Key(String),
    Absent,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DecisionForm {
    Take(String),
    Value(Json),
    Absent,
    Keep,
}

impl Encoded for Order {
    type Form = OrderForm;

    fn to_form(&self) -> OrderForm {
        match self {
            Self::Undo { version } => OrderForm::Undo { version: *version },
            Self::Settle { doubt, settlement } => {
                let settlement = match settlement {
                    Settlement::Key(key) => SettlementForm::Key(key.as_str().to_owned()),
                    Settlement::Absent => SettlementForm::Absent,
                };
                OrderForm::Settle { doubt: doubt.0, settlement }
            }
            Self::Resolve { conflict, revision, decision, together: together_of } => {
                let together = |of: &Together| TogetherForm { batch: of.batch, who: of.who.clone() };
                OrderForm::Resolve {
                    conflict: *conflict,
                    revision: *revision,
                    decision: decision.to_form(),
                    together: together_of.as_ref().map(together),
                }
            }
            Self::AsShown { deed, shown } => OrderForm::AsShown { deed: deed.to_form(), shown: shown.to_string() },
        }
    }

    fn of_form(form: OrderForm) -> Result<Self, Unfit> {
        Ok(match form {
            OrderForm::Undo { version } => Self::Undo { version },
            OrderForm::Settle { doubt, settlement } => {
                let settlement = match settlement {
                    SettlementForm::Key(key) => Settlement::Key(key.parse()?),
                    SettlementForm::Absent => Settlement::Absent,
                };
                Self::Settle { doubt: DoubtId(doubt), settlement }
            }
            OrderForm::Resolve { conflict, revision, decision, together } => {
                let together = together.map(|TogetherForm { batch, who }| Together { batch, who });
                Self::Resolve { conflict, revision, decision: Decision::of_form(decision)?, together }
            }
            OrderForm::AsShown { deed, shown } => Self::AsShown { deed: Deed::of_form(deed)?, shown: shown.parse()? },
        })
    }
}

impl Encoded for Deed {
    type Form = DeedForm;

    fn to_form(&self) -> DeedForm {
        let choice = |choice: &Choice| ChoiceForm {
            conflict: choice.conflict,
            revision: choice.revision,
            decision: choice.decision.to_form(),
        };
        match self {
            Self::Resolve(choices) => DeedForm::Resolve(choices.iter().map(choice).collect()),
            Self::Undo { version } => DeedForm::Undo { version: *version },
        }
    }

    fn of_form(form: DeedForm) -> Result<Self, Unfit> {
        let choice = |ChoiceForm { conflict, revision, decision }| {
            Ok(Choice { conflict, revision, decision: Decision::of_form(decision)? })
        };
        Ok(match form {
            DeedForm::Resolve(choices) => Self::Resolve(choices.into_iter().map(choice).collect::<Result<_, Unfit>>()?),
            DeedForm::Undo { version } => Self::Undo { version },
        })
    }
}

impl Encoded for Decision {
    type Form = DecisionForm;

    fn to_form(&self) -> DecisionForm {
        match self {
            Self::Take(source) => DecisionForm::Take(source.as_str().to_owned()),
            Self::Value(value) => DecisionForm::Value(value.clone()),
            Self::Absent => DecisionForm::Absent,
            Self::Keep => DecisionForm::Keep,
        }
    }

    fn of_form(form: DecisionForm) -> Result<Self, Unfit> {
        Ok(match form {
            DecisionForm::Take(source) => Self::Take(source.parse()?),
            DecisionForm::Value(value) => Self::Value(value),
            DecisionForm::Absent => Self::Absent,
            DecisionForm::Keep => Self::Keep,
        })
    }
}

fn to_texts(sources: &[SourceName]) -> Vec<String> {
    sources.iter().map(|source| source.as_str().to_owned()).collect()
}

fn of_texts(texts: &[String]) -> Result<Vec<SourceName>, Unfit> {
    texts.iter().map(|text| Ok(text.parse()?)).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests;
