//! What the client answers when the server asks: the same table for requests of the server's and for questions that
//! ride on a result.

use crate::format;
use crate::values::{Scope, Wrong};
use regex::Regex;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The table, with its variables in place.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    elicitation: Option<Vec<Rule>>,
    sampling: Option<Vec<Rule>>,
    roots: Option<Value>,
}

#[derive(Debug)]
struct Rule {
    when: Option<Regex>,
    result: Value,
    after: Duration,
}

impl Answers {
    pub(crate) fn of(table: &format::Answers, scope: &Scope) -> Result<Answers, Wrong> {
        let elicitation = table.elicitation.as_ref().map(|rules| {
            rules
                .iter()
                .map(|rule| {
                    let mut result = json!({"action": rule.action.as_deref().unwrap_or("accept")});
                    if let Some(content) = &rule.content {
                        result["content"] = scope.value(content)?;
                    }
                    Rule::of(scope, rule.when.as_deref(), result, rule.after)
                })
                .collect::<Result<Vec<Rule>, Wrong>>()
        });
        let sampling = table.sampling.as_ref().map(|rules| {
            rules
                .iter()
                .map(|rule| {
                    let result = match &rule.result {
                        Some(result) => scope.value(result)?,
                        None => json!({
                            "role": "assistant",
                            "model": "scripted",
                            "stopReason": "endTurn",
                            "content": {"type": "text", "text": scope.text(rule.text.as_deref().unwrap_or_default())?},
                        }),
                    };
                    Rule::of(scope, rule.when.as_deref(), result, rule.after)
                })
                .collect::<Result<Vec<Rule>, Wrong>>()
        });
        let roots = table.roots.as_ref().map(|roots| {
            let uris = scope.list(&roots.0)?;
            let listed: Vec<Value> = uris.into_iter().map(|uri| json!({"uri": uri})).collect();
            Ok::<Value, Wrong>(json!({"roots": listed}))
        });
        Ok(Answers {
            elicitation: elicitation.transpose()?,
            sampling: sampling.transpose()?,
            roots: roots.transpose()?,
        })
    }

    /// The capabilities that the table stands for.
    pub(crate) fn capabilities(&self) -> Map<String, Value> {
        let mut claimed = Map::new();
        for (name, is) in [
            ("elicitation", self.elicitation.is_some()),
            ("sampling", self.sampling.is_some()),
            ("roots", self.roots.is_some()),
        ] {
            if is {
                claimed.insert(name.to_owned(), json!({}));
            }
        }
        claimed
    }

    /// The answer to a request of the server's, and how long it takes; nothing when the table has none.
    pub(super) fn to(&self, method: &str, params: &Value) -> Option<(Value, Duration)> {
        let (rules, asked) = match method {
            "ping" => return Some((json!({}), Duration::ZERO)),
            "roots/list" => return self.roots.clone().map(|roots| (roots, Duration::ZERO)),
            "elicitation/create" => (
                &self.elicitation,
                params["message"].as_str().unwrap_or_default().to_owned(),
            ),
            "sampling/createMessage" => (&self.sampling, params["messages"].to_string()),
            _ => return None,
        };
        let fits = |rule: &&Rule| rule.when.as_ref().is_none_or(|when| when.is_match(&asked));
        let rule = rules.as_ref()?.iter().find(fits)?;
        Some((rule.result.clone(), rule.after))
    }
}

impl Rule {
    fn of(
        scope: &Scope,
        when: Option<&str>,
        result: Value,
        after: Option<format::Time>,
    ) -> Result<Rule, Wrong> {
        Ok(Rule {
            when: when.map(|when| scope.pattern(when)).transpose()?,
            result,
            after: after.map_or(Duration::ZERO, |after| after.0),
        })
    }
}
