//! Charts as answers, files and resources.

use crate::rig::{DAY, NOW, Rig, call, used};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use callboard_telemetry::MicroDollars;
use callboard_telemetry::llm::LlmCall;
use serde_json::{Value, json};

fn png(block: &Value, field: &str) -> Vec<u8> {
    assert_eq!(block["mimeType"], "image/png", "{block}");
    let bytes = BASE64_STANDARD
        .decode(block[field].as_str().unwrap())
        .unwrap();
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    bytes
}

/// Two weeks as a small team has them.
fn weeks() -> Vec<LlmCall> {
    let models = [
        ("claude-opus-4-5", 900_000),
        ("claude-sonnet-4-5", 420_000),
        ("gpt-5-mini", 60_000),
        ("our-own-model", 0),
    ];
    let mut calls = Vec::new();
    for day in 0..14_i64 {
        for (at, (model, cost)) in models.into_iter().enumerate() {
            for n in 0..=(day * 7 + at as i64 * 3) % 5 {
                let id = format!("c_{day:02}{at}{n}");
                calls.push(LlmCall {
                    model: model.to_owned(),
                    agent: Some(format!("agent-{}", n % 3)),
                    cost: (cost > 0).then_some(MicroDollars(cost + 37_000 * n)),
                    usage: used(12_000, 7_000, 800),
                    ..call(&id, NOW - day * DAY - 60_000 * n)
                });
            }
        }
    }
    calls
}

#[tokio::test]
async fn a_chart_comes_as_a_picture_beside_the_table() {
    let rig = Rig::with(weeks()).await;
    for (name, arguments) in [
        ("days", json!({"chart": true, "period": "14d"})),
        (
            "models",
            json!({"chart": true, "period": "14d", "by": ["model"]}),
        ),
        (
            "agents",
            json!({"chart": true, "period": "14d", "by": ["agent", "model"]}),
        ),
        (
            "hours",
            json!({"chart": true, "period": "24h", "by": ["hour"]}),
        ),
        ("none", json!({"chart": true, "period": "2025-01"})),
    ] {
        let result = rig.call("costs", arguments).await;
        assert_eq!(result["isError"], false, "{result}");
        // Clients show structured content alone, so there is none beside a picture.
        assert!(result["structuredContent"].is_null(), "{name}");
        assert_eq!(result["content"][0]["type"], "text");
        assert_eq!(result["content"][1]["type"], "image");
        let picture = png(&result["content"][1], "data");
        let size = picture.len();
        if let Some(directory) = std::env::var_os("CHARTS") {
            std::fs::write(
                std::path::Path::new(&directory).join(format!("{name}.png")),
                picture,
            )
            .unwrap();
        }
        assert!(size < 60_000, "{name}: {size} bytes");
    }
    let read = rig.read("telemetry://chart/14d").await;
    png(&read, "blob");
}

#[tokio::test]
async fn charts_go_into_files() {
    let rig = Rig::with(weeks()).await;
    for format in ["svg", "png"] {
        let export =
            json!({"what": "costs", "format": format, "file": "november", "period": "14d"});
        let (done, _) = rig.ok("export", export).await;
        let path = done["file"].as_str().unwrap();
        assert!(
            path.ends_with(&format!("/exports/november.{format}")),
            "{path}"
        );
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(done["bytes"], bytes.len());
        if format == "svg" {
            let svg = String::from_utf8(bytes).unwrap();
            assert!(
                svg.contains(">acme/claude-opus-4-5</text>") && svg.contains(">21 Nov</text>"),
                "{svg}"
            );
        }
    }
    for (arguments, said) in [
        (json!({"format": "png", "file": "x"}), "charts of costs"),
        (
            json!({"what": "costs", "format": "svg"}),
            "a chart needs one",
        ),
    ] {
        assert!(rig.refused("export", arguments).await.contains(said));
    }
}
