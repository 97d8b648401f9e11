use super::*;
use FailureKind::{
    BadKey, BadRequest, ContextTooLong, Forbidden, NoSuchModel, NotJson, Overloaded,
    QuotaExhausted, RateLimited, Refused, Server, Truncated, WrongUrl,
};
use http::HeaderMap;

fn head(status: u16) -> Head {
    Head {
        status,
        headers: HeaderMap::new(),
        now_ms: 1_795_291_200_000,
    }
}

/// Bodies as the providers' documentation and users' reports show them.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn bodies_are_told_apart() {
    let table: &[(Wire, u16, &str, FailureKind, Option<&str>)] = &[
        (
            Wire::OpenAi,
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-1***2.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
            BadKey,
            Some("invalid_api_key"),
        ),
        (
            Wire::OpenAi,
            404,
            r#"{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","code":"model_not_found"}}"#,
            NoSuchModel,
            Some("model_not_found"),
        ),
        (
            Wire::OpenAi,
            404,
            r#"{"error":{"message":"Invalid URL (POST /v1/models/x)","type":"invalid_request_error","code":null}}"#,
            WrongUrl,
            Some("invalid_request_error"),
        ),
        (
            Wire::OpenAi,
            404,
            r#"{"detail":"Not Found"}"#,
            WrongUrl,
            None,
        ),
        (Wire::OpenAi, 404, "404 page not found", WrongUrl, None),
        (
            Wire::OpenAi,
            400,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            ContextTooLong,
            Some("context_length_exceeded"),
        ),
        (
            Wire::OpenAi,
            400,
            r#"{"error":{"message":"The response was filtered","type":null,"code":"content_filter","status":400}}"#,
            Refused,
            Some("content_filter"),
        ),
        (
            Wire::OpenAi,
            400,
            r#"{"error":{"message":"Unknown parameter: 'foo'.","type":"invalid_request_error","code":"unknown_parameter"}}"#,
            BadRequest,
            Some("unknown_parameter"),
        ),
        (
            Wire::OpenAi,
            429,
            r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            QuotaExhausted,
            Some("insufficient_quota"),
        ),
        (
            Wire::OpenAi,
            429,
            r#"{"error":{"message":"Rate limit reached for gpt-4 on tokens per min (TPM). Please try again in 1.2s.","type":"tokens","code":"rate_limit_exceeded"}}"#,
            RateLimited,
            Some("rate_limit_exceeded"),
        ),
        (
            Wire::OpenAi,
            413,
            r#"{"error":{"message":"Request too large for model on tokens per minute (TPM)","type":"tokens","code":"rate_limit_exceeded"}}"#,
            ContextTooLong,
            Some("rate_limit_exceeded"),
        ),
        (
            Wire::OpenAi,
            400,
            r#"{"error":{"message":"The model has been decommissioned","type":"invalid_request_error","code":"model_decommissioned"}}"#,
            NoSuchModel,
            Some("model_decommissioned"),
        ),
        (
            Wire::OpenAi,
            503,
            r#"{"error":{"message":"That model is currently overloaded","type":"server_error","code":null}}"#,
            Overloaded,
            Some("server_error"),
        ),
        (
            Wire::OpenAi,
            402,
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
            QuotaExhausted,
            Some("invalid_request_error"),
        ),
        (
            Wire::OpenAi,
            422,
            r#"{"object":"error","message":"bad value","type":"BadRequestError","param":null,"code":422}"#,
            BadRequest,
            Some("BadRequestError"),
        ),
        (
            Wire::Anthropic,
            401,
            r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"},"request_id":"req_b"}"#,
            BadKey,
            Some("authentication_error"),
        ),
        (
            Wire::Anthropic,
            403,
            r#"{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."}}"#,
            Forbidden,
            Some("permission_error"),
        ),
        (
            Wire::Anthropic,
            404,
            r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}"#,
            NoSuchModel,
            Some("not_found_error"),
        ),
        (
            Wire::Anthropic,
            404,
            r#"{"type":"error","error":{"type":"not_found_error","message":"Not Found"}}"#,
            WrongUrl,
            Some("not_found_error"),
        ),
        (
            Wire::Anthropic,
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            ContextTooLong,
            Some("invalid_request_error"),
        ),
        (
            Wire::Anthropic,
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
            QuotaExhausted,
            Some("invalid_request_error"),
        ),
        (
            Wire::Anthropic,
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 50,000 input tokens per minute."}}"#,
            RateLimited,
            Some("rate_limit_error"),
        ),
        (
            Wire::Anthropic,
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Overloaded,
            Some("overloaded_error"),
        ),
        (
            Wire::Anthropic,
            500,
            r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#,
            Server,
            Some("api_error"),
        ),
        (
            Wire::Gemini,
            400,
            r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}"#,
            BadKey,
            Some("INVALID_ARGUMENT"),
        ),
        (
            Wire::Gemini,
            403,
            r#"{"error":{"code":403,"message":"Your API key was reported as leaked. Please use another API key.","status":"PERMISSION_DENIED"}}"#,
            BadKey,
            Some("PERMISSION_DENIED"),
        ),
        (
            Wire::Gemini,
            404,
            r#"{"error":{"code":404,"message":"models/g is not found for API version v1beta, or is not supported for generateContent.","status":"NOT_FOUND"}}"#,
            NoSuchModel,
            Some("NOT_FOUND"),
        ),
        (
            Wire::Gemini,
            400,
            r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
            ContextTooLong,
            Some("INVALID_ARGUMENT"),
        ),
        (
            Wire::Gemini,
            429,
            r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"47s"}]}}"#,
            RateLimited,
            Some("RESOURCE_EXHAUSTED"),
        ),
        (
            Wire::Gemini,
            429,
            r#"[{"error":{"code":429,"message":"You exceeded your current quota.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}}]"#,
            QuotaExhausted,
            Some("RESOURCE_EXHAUSTED"),
        ),
        (
            Wire::Gemini,
            503,
            r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#,
            Overloaded,
            Some("UNAVAILABLE"),
        ),
        (
            Wire::Ollama,
            404,
            r#"{"error":"model \"llama9\" not found, try pulling it first"}"#,
            NoSuchModel,
            None,
        ),
        (Wire::Ollama, 404, "404 page not found", WrongUrl, None),
        (
            Wire::Ollama,
            400,
            r#"{"error":"registry.ollama.ai/library/x does not support tools"}"#,
            BadRequest,
            None,
        ),
        (
            Wire::Ollama,
            500,
            r#"{"error":"llama runner process has terminated: exit status 2"}"#,
            Server,
            None,
        ),
        (
            Wire::Ollama,
            503,
            r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#,
            Overloaded,
            None,
        ),
        (
            Wire::OpenAi,
            502,
            "<html><body>Bad gateway</body></html>",
            Server,
            None,
        ),
        (Wire::OpenAi, 307, "", WrongUrl, None),
        (Wire::OpenAi, 500, "", Server, None),
    ];
    for (wire, status, body, kind, code) in table {
        let failure = refused(*wire, &head(*status), body.as_bytes());
        assert_eq!(failure.kind, *kind, "{wire} {status} {body}: {failure:?}");
        assert_eq!(failure.code.as_deref(), *code, "{wire} {status} {body}");
        assert_eq!(failure.status, Some(*status));
        assert!(!failure.message.is_empty());
    }
}

#[test]
fn errors_inside_a_stream_are_told_apart() {
    for (wire, body, kind) in [
        (
            Wire::Anthropic,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Overloaded,
        ),
        (
            Wire::Anthropic,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"x"}}"#,
            RateLimited,
        ),
        (
            Wire::Anthropic,
            r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#,
            Server,
        ),
        (
            Wire::OpenAi,
            r#"{"error":{"message":"The server had an error","type":"server_error","code":null}}"#,
            Server,
        ),
        (
            Wire::OpenAi,
            r#"{"error":{"message":"slow down","code":429}}"#,
            RateLimited,
        ),
        (
            Wire::OpenAi,
            r#"{"error":{"message":"Failed to call a function.","type":"invalid_request_error","code":"tool_use_failed","status_code":400}}"#,
            BadRequest,
        ),
        (Wire::OpenAi, r#"{"error":"whatever"}"#, Server),
        (
            Wire::Gemini,
            r#"{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}"#,
            Overloaded,
        ),
        (
            Wire::Ollama,
            r#"{"error":"an error was encountered while running the model: unexpected EOF"}"#,
            Server,
        ),
    ] {
        let value = serde_json::from_str(body).unwrap();
        let failure = in_band(wire, &head(200), &value).unwrap();
        assert_eq!(failure.kind, kind, "{body}");
        assert_eq!(failure.status, Some(200));
    }
    let fine = serde_json::json!({"error": null, "choices": []});
    assert_eq!(in_band(Wire::OpenAi, &head(200), &fine), None);
}

#[test]
fn when_to_come_back_is_read_from_wherever_it_stands() {
    let body = br#"{"error":{"message":"Please try again in 1.2s.","code":"rate_limit_exceeded"}}"#;
    let mut first = head(429);
    assert_eq!(
        refused(Wire::OpenAi, &first, body).retry_after_ms,
        Some(1_200)
    );
    first.headers.insert("retry-after", "7".parse().unwrap());
    assert_eq!(
        refused(Wire::OpenAi, &first, body).retry_after_ms,
        Some(7_000)
    );
    let mut used_up = head(429);
    for (name, value) in [
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "2s"),
        ("x-ratelimit-remaining-tokens", "5"),
        ("x-ratelimit-reset-tokens", "9s"),
    ] {
        used_up.headers.insert(name, value.parse().unwrap());
    }
    assert_eq!(
        refused(Wire::OpenAi, &used_up, b"{}").retry_after_ms,
        Some(2_000)
    );
    let google = br#"{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"47.4s"}]}}"#;
    assert_eq!(
        refused(Wire::Gemini, &head(429), google).retry_after_ms,
        Some(47_400)
    );
    let page = b"<html>slow down</html>";
    assert_eq!(refused(Wire::Gemini, &head(429), page).kind, RateLimited);
}

#[test]
fn messages_are_bounded_and_without_secrets() {
    let key = callboard_redact::Secret::new("sk-errors-3f9c2e71".to_owned());
    callboard_redact::register("provider key", &key).unwrap();
    let body = format!(
        r#"{{"error":{{"message":"no such key: sk-errors-3f9c2e71\n{}","type":"x"}}}}"#,
        "y".repeat(5_000)
    );
    let failure = refused(Wire::OpenAi, &head(401), body.as_bytes());
    assert!(!failure.message.contains("3f9c2e71"), "{}", failure.message);
    assert!(!failure.message.contains('\n'));
    assert_eq!(failure.message.chars().count(), MESSAGE_CHARS + 1);
    assert_eq!(foreign(&head(200), "<html>").kind, NotJson);
    assert_eq!(cut(&head(200)).kind, Truncated);
}
