//! A question to the user, and what came back.
//!
//! For: a message and a flat form of typed fields, valid as an elicitation schema; a reply that was checked
//! against it. Not for: how it reaches the user (see `ask`), and never for secrets: what is typed into a
//! form is seen by the model's client.

mod form;

use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema,
    InputRequest, JsonObject,
};
use serde_json::{Value, json};

pub(crate) use form::{fit, in_words, typed};

use crate::ToolError;
use crate::scrub::scrub_value;

/// The field of [`Question::confirm`].
const CONFIRM: &str = "confirm";
/// The field of [`Question::choice`].
const CHOICE: &str = "choice";
/// The longest message; a longer one is cut.
const MESSAGE_CHARS: usize = 2_000;
const MAX_FIELDS: usize = 20;

/// What the user is asked: what it is about, and a form.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    message: String,
    fields: Vec<Field>,
}

impl Question {
    /// A question with an empty form; add fields.
    pub fn new(message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        callboard_redact::scrub_in_place(&mut message);
        Question {
            message: crate::clip(&message, MESSAGE_CHARS).into_owned(),
            fields: Vec::new(),
        }
    }

    /// Yes or no, for [`Reply::is_yes`].
    pub fn confirm(message: impl Into<String>) -> Self {
        Self::new(message).field(Field::confirm(CONFIRM).title("Yes"))
    }

    /// One of several, for [`Reply::choice`].
    pub fn choice<O: Into<Choice>>(
        message: impl Into<String>,
        options: impl IntoIterator<Item = O>,
    ) -> Self {
        Self::new(message).field(Field::choice(CHOICE, options))
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// What it is about.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The form, as the JSON schema that clients get.
    pub(crate) fn form(&self) -> JsonObject {
        let properties: JsonObject = self
            .fields
            .iter()
            .map(|field| (field.name.clone(), Value::Object(field.schema.clone())))
            .collect();
        let required: Vec<&str> = self
            .fields
            .iter()
            .filter(|field| !field.optional)
            .map(|field| field.name.as_str())
            .collect();
        let mut form = JsonObject::new();
        let mut properties = Value::Object(properties);
        scrub_value(&mut properties);
        form.insert("type".to_owned(), json!("object"));
        form.insert("properties".to_owned(), properties);
        if !required.is_empty() {
            form.insert("required".to_owned(), json!(required));
        }
        form
    }

    /// The request that puts it to the user.
    pub(crate) fn request(&self) -> Result<InputRequest, ToolError> {
        self.refuse_secrets()?;
        if self.fields.len() > MAX_FIELDS {
            return Err(ToolError::internal(format!(
                "a question has {} fields; at most {MAX_FIELDS}",
                self.fields.len()
            )));
        }
        let requested_schema = ElicitationSchema::from_json_schema(self.form())
            .map_err(|error| ToolError::internal(format!("a question's form: {error}")))?;
        Ok(InputRequest::Elicitation(ElicitRequest::new(
            ElicitRequestParams::FormElicitationParams {
                meta: None,
                message: self.message.clone(),
                requested_schema,
            },
        )))
    }

    fn refuse_secrets(&self) -> Result<(), ToolError> {
        match self.fields.iter().find(|field| field.asks_for_a_secret()) {
            Some(field) => Err(ToolError::internal(format!(
                "a form must not ask for a secret, as its field {:?} does",
                field.name
            ))
            .hint("keep it in the vault: `callboard vault set NAME`")),
            None => Ok(()),
        }
    }
}

/// One of several things to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    value: String,
    title: Option<String>,
}

impl From<&str> for Choice {
    fn from(value: &str) -> Self {
        value.to_owned().into()
    }
}

impl From<String> for Choice {
    fn from(value: String) -> Self {
        Choice { value, title: None }
    }
}

impl<V: Into<String>, T: Into<String>> From<(V, T)> for Choice {
    fn from((value, title): (V, T)) -> Self {
        Choice {
            value: value.into(),
            title: Some(title.into()),
        }
    }
}

/// A field of a form. It must be filled unless it is [`Field::optional`].
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    name: String,
    schema: JsonObject,
    optional: bool,
}

impl Field {
    fn of(name: impl Into<String>, kind: &str) -> Self {
        let mut schema = JsonObject::new();
        schema.insert("type".to_owned(), json!(kind));
        Field {
            name: name.into(),
            schema,
            optional: false,
        }
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.schema.insert(key.to_owned(), value.into());
        self
    }

    /// Yes or no.
    pub fn confirm(name: impl Into<String>) -> Self {
        Self::of(name, "boolean")
    }

    /// Text.
    pub fn text(name: impl Into<String>) -> Self {
        Self::of(name, "string")
    }

    /// A number.
    pub fn number(name: impl Into<String>) -> Self {
        Self::of(name, "number")
    }

    /// A whole number.
    pub fn whole(name: impl Into<String>) -> Self {
        Self::of(name, "integer")
    }

    /// One of several.
    pub fn choice<O: Into<Choice>>(
        name: impl Into<String>,
        options: impl IntoIterator<Item = O>,
    ) -> Self {
        let options: Vec<Choice> = options.into_iter().map(Into::into).collect();
        let field = Self::of(name, "string");
        match titled(&options) {
            Some(titled) => field.with("oneOf", titled),
            None => field.with("enum", values(&options)),
        }
    }

    /// One of several, titled in the way that clients older than 2025-11-25 know.
    pub fn choice_with_names<O: Into<Choice>>(
        name: impl Into<String>,
        options: impl IntoIterator<Item = O>,
    ) -> Self {
        let options: Vec<Choice> = options.into_iter().map(Into::into).collect();
        let names = options
            .iter()
            .map(|option| option.title.as_ref().unwrap_or(&option.value).as_str());
        let names: Vec<&str> = names.collect();
        Self::of(name, "string")
            .with("enum", values(&options))
            .with("enumNames", names)
    }

    /// Any of several.
    pub fn several<O: Into<Choice>>(
        name: impl Into<String>,
        options: impl IntoIterator<Item = O>,
    ) -> Self {
        let options: Vec<Choice> = options.into_iter().map(Into::into).collect();
        let items = match titled(&options) {
            Some(titled) => json!({ "anyOf": titled }),
            None => json!({ "type": "string", "enum": values(&options) }),
        };
        Self::of(name, "array").with("items", items)
    }

    /// Its name for people.
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Self {
        self.with("title", title.into())
    }

    /// What to fill in.
    #[must_use]
    pub fn about(self, description: impl Into<String>) -> Self {
        self.with("description", description.into())
    }

    /// What stands there until the user changes it.
    #[must_use]
    pub fn default(self, value: impl Into<Value>) -> Self {
        self.with("default", value)
    }

    /// The least and the greatest number.
    #[must_use]
    pub fn range(self, least: impl Into<Value>, greatest: impl Into<Value>) -> Self {
        self.with("minimum", least).with("maximum", greatest)
    }

    /// The shortest and the longest text, in characters.
    #[must_use]
    pub fn length(self, shortest: u32, longest: u32) -> Self {
        self.with("minLength", shortest).with("maxLength", longest)
    }

    /// What sort of text it is: `email`, `uri`, `date` or `date-time`. Clients check it.
    #[must_use]
    pub fn format(self, format: &str) -> Self {
        self.with("format", format)
    }

    /// May be left empty.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    fn asks_for_a_secret(&self) -> bool {
        let title = self.schema.get("title").and_then(Value::as_str);
        let words = format!("{} {}", self.name, title.unwrap_or_default()).to_lowercase();
        let words: String = words
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { ' ' })
            .collect();
        let padded = format!(" {words} ");
        let secret = [
            "password",
            "passwd",
            "passphrase",
            "secret",
            "api key",
            "apikey",
            "access token",
            "private key",
            "credential",
            "pin code",
        ];
        secret.iter().any(|word| padded.contains(word)) || padded.contains(" token ")
    }
}

fn titled(options: &[Choice]) -> Option<Vec<Value>> {
    let all = options.iter().all(|option| option.title.is_some());
    all.then(|| {
        let entry = |option: &Choice| json!({ "const": option.value, "title": option.title });
        options.iter().map(entry).collect()
    })
}

fn values(options: &[Choice]) -> Vec<&str> {
    options.iter().map(|option| option.value.as_str()).collect()
}

/// What the user said.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The form was filled in; the values fit it.
    Accepted(JsonObject),
    /// The user said no to the question as such.
    Declined,
    /// The user closed it without an answer, or nobody was there. Never take this for a yes.
    Dismissed,
}

impl Reply {
    /// Whether [`Question::confirm`] was answered with yes.
    pub fn is_yes(&self) -> bool {
        self.flag(CONFIRM) == Some(true)
    }

    /// What was chosen of a [`Question::choice`].
    pub fn choice(&self) -> Option<&str> {
        self.text(CHOICE)
    }

    /// A text or choice that was filled in.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.value(field)?.as_str()
    }

    /// A yes or no that was filled in.
    pub fn flag(&self, field: &str) -> Option<bool> {
        self.value(field)?.as_bool()
    }

    /// A number that was filled in.
    pub fn number(&self, field: &str) -> Option<f64> {
        self.value(field)?.as_f64()
    }

    /// Any value that was filled in.
    pub fn value(&self, field: &str) -> Option<&Value> {
        match self {
            Reply::Accepted(values) => values.get(field),
            Reply::Declined | Reply::Dismissed => None,
        }
    }

    /// A client's result, checked against the form.
    pub(crate) fn read(result: &Value, form: &JsonObject) -> Result<Reply, String> {
        let result: ElicitResult = serde_json::from_value(result.clone())
            .map_err(|_| "is no result of an elicitation ({action, content})".to_owned())?;
        match result.action {
            ElicitationAction::Accept => {
                fit(form, &result.content.unwrap_or_else(|| json!({}))).map(Reply::Accepted)
            }
            ElicitationAction::Decline => Ok(Reply::Declined),
            // What is no yes and no no is no answer.
            _ => Ok(Reply::Dismissed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_field() -> Question {
        Question::new("All of it")
            .field(Field::confirm("sure").title("Sure?").default(true))
            .field(
                Field::text("name")
                    .length(1, 40)
                    .about("Yours")
                    .default("Ann"),
            )
            .field(Field::text("mail").format("email").optional())
            .field(Field::number("share").range(0.0, 1.0).default(0.5))
            .field(Field::whole("age").range(0, 150).default(30))
            .field(Field::choice("plain", ["a", "b"]).default("a"))
            .field(Field::choice("titled", [("a", "First"), ("b", "Second")]))
            .field(Field::choice_with_names(
                "older",
                [("a", "First"), ("b", "Second")],
            ))
            .field(Field::several("many", ["a", "b"]).default(json!(["a"])))
            .field(Field::several(
                "many_titled",
                [("a", "First"), ("b", "Second")],
            ))
    }

    #[test]
    fn a_form_survives_the_protocols_own_types() {
        let question = every_field();
        let request = serde_json::to_value(question.request().unwrap()).unwrap();
        assert_eq!(request["method"], "elicitation/create");
        assert_eq!(request["params"]["message"], "All of it");
        let sent = &request["params"]["requestedSchema"];
        for (name, schema) in question.form()["properties"].as_object().unwrap() {
            assert_eq!(&sent["properties"][name], schema, "{name}");
        }
        assert_eq!(sent["required"].as_array().unwrap().len(), 9);
    }

    #[test]
    fn no_form_asks_for_a_secret() {
        for name in ["password", "api_key", "token", "client-secret"] {
            let question = Question::new("Log in").field(Field::text(name));
            assert!(question.request().is_err(), "{name}");
        }
        let titled = Question::new("Log in").field(Field::text("a").title("Your Password"));
        assert!(titled.request().is_err());
        let fine = Question::new("How many?").field(Field::whole("tokens"));
        assert!(fine.request().is_ok());
    }

    #[test]
    fn only_an_accepted_yes_is_a_yes() {
        let form = Question::confirm("Sure?").form();
        let read = |result: Value| Reply::read(&result, &form);
        let yes = read(json!({"action": "accept", "content": {"confirm": true}})).unwrap();
        assert!(yes.is_yes());
        for other in [
            json!({"action": "accept", "content": {"confirm": false}}),
            json!({"action": "decline"}),
            json!({"action": "cancel"}),
            json!({"action": "decline", "content": {"confirm": true}}),
        ] {
            assert!(!read(other.clone()).unwrap().is_yes(), "{other}");
        }
        for wrong in [
            json!({"action": "accept"}),
            json!({"action": "accept", "content": {"confirm": "yes"}}),
            json!({"action": "perhaps"}),
            json!(12345),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
