//! Values and the form they are for.
//!
//! For: checking what came back, saying what fits, and reading what was typed on a command line. Not for:
//! schemas in general; a form is flat and of few kinds.

use rmcp::model::JsonObject;
use serde_json::Value;

use crate::clip;

/// How much of a wrong value is quoted back.
const QUOTED_CHARS: usize = 80;

/// The values that the form asks for, or what is wrong with them. What it does not ask for is left out.
pub(crate) fn fit(form: &JsonObject, content: &Value) -> Result<JsonObject, String> {
    let Some(content) = content.as_object() else {
        return Err("the content is not an object".to_owned());
    };
    let mut fitting = JsonObject::new();
    for (name, field) in fields(form) {
        match content.get(name).filter(|value| !value.is_null()) {
            Some(value) if fits(field, value) => {
                fitting.insert(name.clone(), value.clone());
            }
            Some(value) => {
                let shown = value.to_string();
                let shown = clip(&shown, QUOTED_CHARS);
                return Err(format!("{name}: got {shown}; wanted {}", in_words(field)));
            }
            None if is_required(form, name) => {
                return Err(format!("{name}: is missing; wanted {}", in_words(field)));
            }
            None => {}
        }
    }
    Ok(fitting)
}

fn fields(form: &JsonObject) -> impl Iterator<Item = (&String, &JsonObject)> {
    let properties = form.get("properties").and_then(Value::as_object);
    let fields = properties.into_iter().flatten();
    fields.filter_map(|(name, field)| Some((name, field.as_object()?)))
}

fn is_required(form: &JsonObject, name: &str) -> bool {
    let required = form.get("required").and_then(Value::as_array);
    required.is_some_and(|names| names.iter().any(|required| required == name))
}

fn fits(field: &JsonObject, value: &Value) -> bool {
    match kind(field) {
        "boolean" => value.is_boolean(),
        "integer" => is_whole(value) && in_range(field, value),
        "number" => value.is_number() && in_range(field, value),
        "array" => is_selection(field, value),
        _ => value.as_str().is_some_and(|text| fits_text(field, text)),
    }
}

fn kind(field: &JsonObject) -> &str {
    field
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("string")
}

/// Also 3.0: some clients know only one kind of number.
fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn in_range(field: &JsonObject, value: &Value) -> bool {
    let Some(number) = value.as_f64() else {
        return false;
    };
    let bound = |key| field.get(key).and_then(Value::as_f64);
    bound("minimum").is_none_or(|least| number >= least)
        && bound("maximum").is_none_or(|greatest| number <= greatest)
}

fn is_selection(field: &JsonObject, value: &Value) -> bool {
    let (Some(items), Some(chosen)) = (items(field), value.as_array()) else {
        return false;
    };
    let count = chosen.len() as u64;
    let bound = |key| field.get(key).and_then(Value::as_u64);
    let known = options(items);
    bound("minItems").is_none_or(|least| count >= least)
        && bound("maxItems").is_none_or(|most| count <= most)
        && chosen.iter().all(|one| {
            one.as_str()
                .is_some_and(|one| known.iter().any(|o| o.0 == one))
        })
}

fn items(field: &JsonObject) -> Option<&JsonObject> {
    field.get("items").and_then(Value::as_object)
}

fn fits_text(field: &JsonObject, text: &str) -> bool {
    let options = options(field);
    if !options.is_empty() {
        return options.iter().any(|option| option.0 == text);
    }
    let length = text.chars().count() as u64;
    let bound = |key| field.get(key).and_then(Value::as_u64);
    bound("minLength").is_none_or(|least| length >= least)
        && bound("maxLength").is_none_or(|most| length <= most)
}

/// The values to choose from, each with its title.
fn options(field: &JsonObject) -> Vec<(&str, &str)> {
    let list = |key: &str| field.get(key).and_then(Value::as_array);
    if let Some(titled) = list("oneOf").or_else(|| list("anyOf")) {
        return titled
            .iter()
            .filter_map(|option| {
                let value = option.get("const")?.as_str()?;
                let title = option.get("title").and_then(Value::as_str);
                Some((value, title.unwrap_or(value)))
            })
            .collect();
    }
    let names = list("enumNames");
    let values = list("enum").into_iter().flatten().filter_map(Value::as_str);
    values
        .enumerate()
        .map(|(at, value)| {
            let name = names.and_then(|names| names.get(at)?.as_str());
            (value, name.unwrap_or(value))
        })
        .collect()
}

/// What fits a field.
pub(crate) fn in_words(field: &JsonObject) -> String {
    match kind(field) {
        "boolean" => "yes or no".to_owned(),
        "integer" => format!(
            "a whole number{}",
            range_in_words(field, "minimum", "maximum")
        ),
        "number" => format!("a number{}", range_in_words(field, "minimum", "maximum")),
        "array" => {
            let known = items(field).map(options).unwrap_or_default();
            format!("any of {}", options_in_words(&known))
        }
        _ => {
            let known = options(field);
            if known.is_empty() {
                format!("text{}", range_in_words(field, "minLength", "maxLength"))
            } else {
                format!("one of {}", options_in_words(&known))
            }
        }
    }
}

fn options_in_words(options: &[(&str, &str)]) -> String {
    let words = options.iter().map(|(value, title)| {
        if value == title {
            (*value).to_owned()
        } else {
            format!("{value} ({title})")
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

fn range_in_words(field: &JsonObject, least: &str, most: &str) -> String {
    let unit = if least == "minLength" {
        " characters"
    } else {
        ""
    };
    match (field.get(least), field.get(most)) {
        (Some(least), Some(most)) => format!(" of {least} to {most}{unit}"),
        (Some(least), None) => format!(" of at least {least}{unit}"),
        (None, Some(most)) => format!(" of at most {most}{unit}"),
        (None, None) => String::new(),
    }
}

/// What was typed for a field, as a value. The value is not checked yet, but one that can't be read fails.
pub(crate) fn typed(field: &JsonObject, text: &str) -> Result<Value, String> {
    let wrong = || {
        format!(
            "got {:?}; wanted {}",
            clip(text, QUOTED_CHARS),
            in_words(field)
        )
    };
    match kind(field) {
        "boolean" => match text.trim().to_lowercase().as_str() {
            "yes" | "y" | "true" => Ok(Value::Bool(true)),
            "no" | "n" | "false" => Ok(Value::Bool(false)),
            _ => Err(wrong()),
        },
        "integer" => text
            .trim()
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| wrong()),
        "number" => text
            .trim()
            .parse::<f64>()
            .map(Value::from)
            .map_err(|_| wrong()),
        "array" => {
            let known = items(field).map(options).unwrap_or_default();
            let chosen = text.split(',').map(|one| chosen(&known, one));
            Ok(Value::from(chosen.collect::<Vec<_>>()))
        }
        _ => Ok(Value::from(chosen(&options(field), text))),
    }
}

/// The option that is meant, by its value or its title; other text as it is.
fn chosen(options: &[(&str, &str)], text: &str) -> String {
    let wanted = text.trim();
    let by_value = options.iter().find(|(value, _)| *value == wanted);
    let meant = by_value.or_else(|| {
        options.iter().find(|(value, title)| {
            value.eq_ignore_ascii_case(wanted) || title.eq_ignore_ascii_case(wanted)
        })
    });
    match meant {
        Some((value, _)) => (*value).to_owned(),
        None if options.is_empty() => text.to_owned(),
        None => wanted.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Field, Question};
    use serde_json::json;

    fn form() -> JsonObject {
        Question::new("?")
            .field(Field::confirm("sure"))
            .field(Field::whole("age").range(0, 150))
            .field(Field::number("share").range(0.0, 1.0).optional())
            .field(Field::text("name").length(2, 4).optional())
            .field(Field::choice("one", [("a", "First"), ("b", "Second")]).optional())
            .field(Field::choice_with_names("older", [("a", "First")]).optional())
            .field(Field::several("many", ["x", "y"]).optional())
            .form()
    }

    #[test]
    fn what_fits_is_kept_and_what_was_not_asked_for_is_dropped() {
        let content = json!({
            "sure": true, "age": 3.0, "share": 0.5, "name": "Ann", "one": "b", "older": "a", "many": ["x"],
            "more": 1
        });
        let kept = fit(&form(), &content).unwrap();
        assert_eq!(kept.len(), 7);
        assert!(!kept.contains_key("more"));
        assert!(fit(&form(), &json!({"sure": false, "age": 1, "name": null})).is_ok());
    }

    #[test]
    fn each_misfit_is_named_with_what_is_wanted() {
        for (content, said) in [
            (json!(5), "the content is not an object"),
            (json!({"age": 1}), "sure: is missing; wanted yes or no"),
            (
                json!({"sure": 1, "age": 1}),
                "sure: got 1; wanted yes or no",
            ),
            (
                json!({"sure": true, "age": 1.5}),
                "age: got 1.5; wanted a whole number of 0 to 150",
            ),
            (json!({"sure": true, "age": 151}), "age: got 151"),
            (
                json!({"sure": true, "age": 1, "share": 1.1}),
                "share: got 1.1; wanted a number of 0.0 to 1.0",
            ),
            (
                json!({"sure": true, "age": 1, "name": "A"}),
                "name: got \"A\"; wanted text of 2 to 4 characters",
            ),
            (
                json!({"sure": true, "age": 1, "one": "First"}),
                "wanted one of a (First), b (Second)",
            ),
            (
                json!({"sure": true, "age": 1, "older": "z"}),
                "older: got \"z\"",
            ),
            (
                json!({"sure": true, "age": 1, "many": ["z"]}),
                "wanted any of x, y",
            ),
        ] {
            let error = fit(&form(), &content).unwrap_err();
            assert!(error.contains(said), "{content}: {error}");
        }
    }

    #[test]
    fn what_is_typed_becomes_a_value_of_the_fields_kind() {
        let form = form();
        let read =
            |name: &str, text: &str| typed(form["properties"][name].as_object().unwrap(), text);
        assert_eq!(read("sure", "Yes").unwrap(), true);
        assert_eq!(read("sure", "n").unwrap(), false);
        assert!(read("sure", "maybe").unwrap_err().contains("yes or no"));
        assert_eq!(read("age", " 7 ").unwrap(), 7);
        assert!(read("age", "seven").is_err());
        assert_eq!(read("share", "0.25").unwrap(), 0.25);
        assert_eq!(read("one", "second").unwrap(), "b");
        assert_eq!(read("one", "B").unwrap(), "b");
        assert_eq!(read("one", "c").unwrap(), "c");
        assert_eq!(read("many", "x, y").unwrap(), json!(["x", "y"]));
        assert_eq!(read("name", " Ann").unwrap(), " Ann");
    }
}
