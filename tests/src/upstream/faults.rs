//! How each wire says what went wrong.

use super::act::Act;
use super::wires::{self, Wire};
use serde_json::{Value, json};

const SLOW: &str = "Rate limit reached for requests.";

/// An answer with a status that is none of success (and Gemini's refusal, which has one); nothing when the fault is of
/// another kind.
pub(super) fn fault(wire: Wire, fault: &str, model: &str) -> Option<Act> {
    let later = |name, value: &str| vec![(name, value.to_owned())];
    let act = match fault {
        "429" => limited(wire, SLOW).with(later("retry-after", "7")),
        "429-date" => {
            limited(wire, SLOW).with(later("retry-after", "Sat, 21 Nov 2026 20:00:07 GMT"))
        }
        _ if fault.starts_with("429-in-") => {
            limited(wire, SLOW).with(later("retry-after", &fault["429-in-".len()..]))
        }
        "429-body" if wire != Wire::Gemini => {
            limited(wire, &format!("{SLOW} Please try again in 1.2s."))
        }
        "html-502" => Act::plain(
            502,
            "text/html",
            "<html><title>502 Bad Gateway</title></html>",
        ),
        "redirect" => {
            Act::plain(307, "text/plain", "").with(later("location", "https://elsewhere.example/"))
        }
        _ if wire == Wire::Gemini => googles(fault).or_else(|| worded(wire, fault, model))?,
        _ => worded(wire, fault, model)?,
    };
    let id = wires::headers(wire).into_iter();
    let id = id.filter(|(name, _)| name.ends_with("request-id"));
    Some(act.with(id.collect()))
}

fn limited(wire: Wire, text: &str) -> Act {
    Act::json(
        429,
        &error(wire, 429, "rate_limit_error", "RESOURCE_EXHAUSTED", text),
    )
}

/// Faults that Google tells in details.
fn googles(fault: &str) -> Option<Act> {
    let (status, word, text, detail) = match fault {
        "429-body" => (
            429,
            "RESOURCE_EXHAUSTED",
            SLOW,
            json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.2s"}),
        ),
        "quota" => {
            let daily = json!({"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"});
            (
                429,
                "RESOURCE_EXHAUSTED",
                "You exceeded your current quota.",
                json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [daily]}),
            )
        }
        "401" => (
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}),
        ),
        "refused" => {
            let body = json!({
                "promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5},
            });
            return Some(Act::json(200, &body));
        }
        _ => return None,
    };
    let error = json!({"code": status, "message": text, "status": word, "details": [detail]});
    Some(Act::json(status, &json!({"error": error})))
}

/// Faults that are told in a status, a word and a text.
fn worded(wire: Wire, fault: &str, model: &str) -> Option<Act> {
    let anthropic = wire == Wire::Anthropic;
    let (status, word, google, text) = match fault {
        "quota" if anthropic => (
            400,
            "invalid_request_error",
            "",
            "Your credit balance is too low to access the Anthropic API.".to_owned(),
        ),
        "quota" if wire == Wire::Ollama => (
            429,
            "",
            "",
            "you've reached your weekly usage limit, please upgrade to continue".to_owned(),
        ),
        "quota" => (
            429,
            "insufficient_quota",
            "",
            "You exceeded your current quota, please check your plan and billing details."
                .to_owned(),
        ),
        "500" => (
            500,
            "api_error",
            "INTERNAL",
            "Internal server error".to_owned(),
        ),
        "overloaded" => (
            if anthropic { 529 } else { 503 },
            "overloaded_error",
            "UNAVAILABLE",
            "The model is overloaded. Please try again later.".to_owned(),
        ),
        "401" => (
            401,
            "authentication_error",
            "",
            "invalid x-api-key".to_owned(),
        ),
        "403" => (
            403,
            "permission_error",
            "PERMISSION_DENIED",
            "You may not use this resource.".to_owned(),
        ),
        "400" => (
            400,
            "invalid_request_error",
            "INVALID_ARGUMENT",
            "temperature: out of range".to_owned(),
        ),
        "404" => (404, "not_found_error", "NOT_FOUND", unknown(wire, model)),
        "long" => (
            400,
            "invalid_request_error",
            "INVALID_ARGUMENT",
            too_long(wire).to_owned(),
        ),
        "refused" => (
            400,
            "content_filter",
            "",
            "The prompt was filtered by our content management policy.".to_owned(),
        ),
        _ => return None,
    };
    Some(Act::json(status, &error(wire, status, word, google, &text)))
}

fn unknown(wire: Wire, model: &str) -> String {
    match wire {
        Wire::OpenAi => {
            format!("The model `{model}` does not exist or you do not have access to it.")
        }
        Wire::Anthropic => format!("model: {model}"),
        Wire::Gemini => format!(
            "models/{model} is not found for API version v1beta, or is not supported for generateContent."
        ),
        Wire::Ollama => format!("model \"{model}\" not found, try pulling it first"),
    }
}

fn too_long(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAi => "This model's maximum context length is 8192 tokens.",
        Wire::Anthropic => "prompt is too long: 210000 tokens > 200000 maximum",
        Wire::Gemini => {
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
        }
        Wire::Ollama => "the input length exceeds the context length",
    }
}

/// An error as each wire writes it.
fn error(wire: Wire, status: u16, word: &str, google: &str, text: &str) -> Value {
    match wire {
        Wire::OpenAi => {
            json!({"error": {"message": text, "type": word, "param": null, "code": null}})
        }
        Wire::Anthropic => {
            json!({"type": "error", "error": {"type": word, "message": text}, "request_id": "req_1"})
        }
        Wire::Gemini => json!({"error": {"code": status, "message": text, "status": google}}),
        Wire::Ollama => json!({"error": text}),
    }
}

/// An error in the place of an answer.
pub(super) fn in_band(wire: Wire, overloaded: bool) -> Value {
    match overloaded {
        true => error(
            wire,
            503,
            "overloaded_error",
            "UNAVAILABLE",
            "The model is overloaded.",
        ),
        false => error(wire, 500, "api_error", "INTERNAL", "Internal server error"),
    }
}
