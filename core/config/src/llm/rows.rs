//! The settings of models as text with their places, in the order of the reference.

use super::{Cap, Model, Models, Provider, Route};
use crate::duration::format_duration;
use crate::error::Source;
use crate::tables::written;
use crate::take::row;
use crate::template::shown_values;

type Rows = Vec<(String, String, Source)>;

impl Models {
    pub(crate) fn rows(&self) -> Rows {
        let mut rows = Rows::new();
        for provider in self.providers.values() {
            provider_rows(&mut rows, provider);
        }
        for route in self.routes.values() {
            route_rows(&mut rows, route);
        }
        rows.extend(self.caps.iter().map(cap_row));
        let none = || "(none)".to_owned();
        let number = u32::to_string;
        rows.push(row("prices.file", &self.prices_file, |file| {
            file.as_ref()
                .map_or_else(none, |file| file.display().to_string())
        }));
        rows.push(row("prices.baseline", &self.baseline, |model| {
            model.as_ref().map_or_else(none, ToString::to_string)
        }));
        rows.push(row("llm.default_route", &self.default_route, |name| {
            name.clone().unwrap_or_else(none)
        }));
        rows.push(row("llm.privacy", &self.keeps_texts, |texts| {
            if *texts { "full" } else { "metadata" }.to_owned()
        }));
        let kept = &self.retention;
        rows.push(row("llm.retention_days", &kept.days, number));
        rows.push(row("llm.retention_rows", &kept.rows, number));
        rows.push(row("llm.text_days", &kept.text_days, number));
        rows.push(row("llm.text_rows", &kept.text_rows, number));
        rows.push(row("llm.retries", &self.retries, number));
        rows.push(row("llm.open_after", &self.open_after, number));
        rows.push(row("llm.open_for", &self.open_for, |t| format_duration(*t)));
        rows.push(row("llm.utc_offset", &self.utc_offset, |o| offset(*o)));
        rows.push(row("gateway.enabled", &self.gateway, bool::to_string));
        rows.push(row("gateway.url", &self.gateway_url, |url| {
            url.clone().unwrap_or_else(|| "(serve.listen)".to_owned())
        }));
        rows
    }
}

/// What is always worth knowing of a provider, and else what somebody said.
fn provider_rows(rows: &mut Rows, provider: &Provider) {
    let key = |field: &str| format!("providers.{}.{field}", provider.name);
    let mut said = Rows::new();
    said.push(row(&key("account"), &provider.account, String::clone));
    said.push(row(&key("prices"), &provider.prices, String::clone));
    said.push(row(&key("local"), &provider.local, bool::to_string));
    said.push(row(&key("region"), &provider.region, |region| {
        region.clone().unwrap_or_default()
    }));
    said.push(row(&key("confirm"), &provider.confirm, bool::to_string));
    let times = &provider.timeouts;
    for (name, time) in [
        ("connect", &times.connect),
        ("first_byte", &times.first_byte),
        ("between", &times.between),
        ("total", &times.total),
    ] {
        let key = key(&format!("timeouts.{name}"));
        said.push(row(&key, time, |time| format_duration(*time)));
    }
    rows.push(row(&key("wire"), &provider.wire, String::clone));
    rows.push(row(&key("base_url"), &provider.base_url, String::clone));
    let (field, source) = match &provider.key.value {
        Some(_) => ("key", &provider.key.source),
        None => ("key_env", &provider.key_env.source),
    };
    rows.push((key(field), provider.key_shown(), source.clone()));
    rows.extend(
        said.into_iter()
            .filter(|(_, _, source)| *source != Source::Default),
    );
    if !provider.headers.is_empty() {
        let headers = shown_values(&provider.headers);
        rows.push((key("headers"), headers, provider.source.clone()));
    }
    for (name, model) in &provider.models {
        let path = ["providers", &provider.name, "models", name].map(str::to_owned);
        rows.push((written(&path), model_text(model), provider.source.clone()));
    }
}

fn model_text(model: &Model) -> String {
    let mut words = Vec::new();
    for (name, amount) in [("window", model.window), ("max_output", model.max_output)] {
        words.extend(amount.map(|amount| format!("{name}={amount}")));
    }
    for (name, known) in [
        ("tools", model.tools),
        ("images", model.images),
        ("json", model.json),
        ("schema", model.schema),
        ("local", model.local),
    ] {
        words.extend(known.map(|known| format!("{name}={known}")));
    }
    if !model.classes.is_empty() {
        words.push(format!("classes={}", model.classes.join(",")));
    }
    words.extend(model.region.iter().map(|region| format!("region={region}")));
    if words.is_empty() {
        return "(nothing said)".to_owned();
    }
    words.join(" ")
}

fn route_rows(rows: &mut Rows, route: &Route) {
    let key = |field: &str| format!("routes.{}.{field}", route.name);
    rows.push(row(&key("strategy"), &route.strategy, String::clone));
    rows.push(row(&key("candidates"), &route.candidates, |candidates| {
        let names: Vec<String> = candidates.iter().map(ToString::to_string).collect();
        names.join(" ")
    }));
    if route.local_only.value {
        rows.push(row(&key("privacy"), &route.local_only, |_| {
            "local-only".to_owned()
        }));
    }
    if !route.regions.value.is_empty() {
        rows.push(row(&key("regions"), &route.regions, |r| r.join(" ")));
    }
    if let Some(cost) = route.max_cost.value {
        rows.push(row(&key("max_cost"), &route.max_cost, |_| dollars(cost)));
    }
    if let Some(deadline) = route.deadline.value {
        rows.push(row(&key("deadline"), &route.deadline, |_| {
            format_duration(deadline)
        }));
    }
    if let Some(class) = &route.class.value {
        rows.push(row(&key("class"), &route.class, |_| class.clone()));
    }
    if route.escalate.value {
        rows.push(row(&key("escalate"), &route.escalate, bool::to_string));
    }
    if let Some(score) = route.least_score.value {
        rows.push(row(&key("least_score"), &route.least_score, |_| {
            score.to_string()
        }));
    }
    if !route.roles.is_empty() {
        let roles = route.roles.iter();
        let roles: Vec<String> = roles
            .map(|(role, class)| format!("{role}={class}"))
            .collect();
        let source = route.candidates.source.clone();
        rows.push((key("roles"), roles.join(" "), source));
    }
    if route.learn.source != Source::Default {
        rows.push(row(&key("learn"), &route.learn, u32::to_string));
    }
}

fn cap_row(cap: &Cap) -> (String, String, Source) {
    let amount = match cap.resource {
        "money" => dollars(cap.amount),
        _ => cap.amount.to_string(),
    };
    let text = format!("{amount} for {}, warning at {} %", cap.whom(), cap.warn);
    (cap.key.clone(), text, cap.source.clone())
}

fn dollars(micro: i64) -> String {
    let mut part = format!("{:06}", micro % 1_000_000);
    while part.len() > 2 && part.ends_with('0') {
        part.pop();
    }
    format!("${}.{part}", micro / 1_000_000)
}

fn offset(minutes: i32) -> String {
    if minutes == 0 {
        return "Z".to_owned();
    }
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}
