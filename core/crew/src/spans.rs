//! Spans for the collector that the user's environment names.
//! For: a process that serves or works: it sends what was recorded on its board. Not for: making spans (telemetry
//! does).

use std::path::Path;
use std::time::Duration;

use callboard_config::Environment;
use callboard_redact::{Secret, register};
use callboard_telemetry::otlp::{Exporter, Settings};

/// How long the end of a process waits for the last spans.
const LAST: Duration = Duration::from_secs(2);

/// Sends spans as long as it is held; does nothing where no collector is named.
#[derive(Debug)]
#[must_use = "nothing is sent once it is dropped"]
pub struct Sending(Option<Exporter>);

impl Sending {
    /// Sends what is there now, within two seconds, and ends. What is left is sent by the next process.
    pub async fn finish(self) {
        if let Some(exporter) = self.0 {
            exporter.finish(LAST).await;
        }
    }
}

/// Begins to send what is recorded on the board in this directory, where `OTEL_EXPORTER_OTLP_ENDPOINT` names a
/// collector. What is wrong with the settings is warned of in the log. Call inside a runtime.
pub fn send_spans(environment: &Environment, board: &Path) -> Sending {
    let named = match environment.otlp() {
        Ok(named) => named,
        Err(problem) => {
            tracing::warn!("no spans are sent: {problem}");
            None
        }
    };
    let Some(named) = named else {
        return Sending(None);
    };
    for (name, value) in &named.headers {
        // Keys are kept out of what we say and store, as those of the vault are.
        let _ = register(&format!("otlp header {name}"), &Secret::new(value.clone()));
    }
    let settings = Settings {
        url: named.url,
        headers: named.headers,
    };
    match Exporter::start(board, &settings) {
        Ok(exporter) => Sending(Some(exporter)),
        Err(problem) => {
            tracing::warn!("no spans are sent: {problem}");
            Sending(None)
        }
    }
}
