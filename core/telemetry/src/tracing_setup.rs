//! Where log lines go and which of them.
//!
//! For: one subscriber for the process, on standard error, because standard output carries the protocol.
//! Not for: reading the environment (the caller passes the filter) or choosing what to record.

use std::io::Write;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{
    EnvFilter, FilterExt, FilterFn, LevelFilter, ParseError, filter_fn,
};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// How a log line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TracingError {
    /// The filter has a part that is not understood.
    #[error(
        "the log filter {filter:?} is not understood: {source}. Write for example `warn` or `info,callboard_mcp=debug`"
    )]
    Filter {
        /// The filter as given.
        filter: String,
        /// Which part is wrong.
        source: ParseError,
    },
    /// Another subscriber is already in place.
    #[error("logging was started twice in this process: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sends log lines that pass `filter` (for example `warn` or `info,callboard_mcp=debug`) to standard error.
///
/// The protocol library writes whole messages at its lower levels; whatever the filter says, only its
/// errors get through, so that parameters and results never reach a log. Those about answers that found no
/// client only do where the filter lets anything at `debug` through.
///
/// # Errors
/// A filter that is not understood, or a second call in one process.
pub fn init_tracing(filter: &str, format: LogFormat) -> Result<(), TracingError> {
    let filter = parse_filter(filter)?;
    callboard_redact::guard_panics();
    match format {
        LogFormat::Text => text(filter, || Scrubbed(std::io::stderr())).try_init()?,
        LogFormat::Json => json(filter, || Scrubbed(std::io::stderr())).try_init()?,
    }
    Ok(())
}

/// Takes the secrets in use out of what is written. The layer writes each event as one piece, so no value is cut.
struct Scrubbed<W>(W);

impl<W: Write> Write for Scrubbed<W> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.write_all(&callboard_redact::scrub_bytes(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

fn parse_filter(filter: &str) -> Result<EnvFilter, TracingError> {
    EnvFilter::try_new(filter).map_err(|source| TracingError::Filter {
        filter: filter.to_owned(),
        source,
    })
}

/// Where the protocol library tells of answers that found nobody. To it each is an error; but our transports
/// take every message, so all that is left is a client that hung up before its answer, as clients do.
const ORDINARY: &str = "rmcp::service";

fn text<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(writer);
    let kept = redaction(&filter);
    tracing_subscriber::registry().with(lines.with_filter(filter.and(kept)))
}

fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().json().with_writer(writer);
    let kept = redaction(&filter);
    tracing_subscriber::registry().with(lines.with_filter(filter.and(kept)))
}

fn redaction(filter: &EnvFilter) -> FilterFn<fn(&Metadata<'_>) -> bool> {
    let most = filter.max_level_hint().unwrap_or(LevelFilter::TRACE);
    if most >= LevelFilter::DEBUG {
        return filter_fn(is_free_of_messages);
    }
    filter_fn(|metadata| metadata.target() != ORDINARY && is_free_of_messages(metadata))
}

fn is_free_of_messages(metadata: &Metadata<'_>) -> bool {
    let of_protocol = metadata.target().split("::").next() == Some("rmcp");
    !of_protocol || (metadata.is_event() && *metadata.level() == Level::ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn log_some() {
        tracing::debug!(target: "rmcp::service", request = "the secret", "received request");
        tracing::warn!(target: "rmcp", "the secret");
        tracing::error!(target: "rmcp::service", "nobody waits for the answer");
        tracing::error!(target: "rmcp::transport", "the pipe broke");
        tracing::debug!(target: "rmcpish", "ours");
    }

    #[test]
    fn messages_never_reach_the_log_whatever_the_filter() {
        let lines = Lines::default();
        let writer = lines.clone();
        let filter = parse_filter("trace,rmcp::service=trace").unwrap();
        tracing::subscriber::with_default(text(filter, move || writer.clone()), log_some);
        let written = lines.text();
        assert!(!written.contains("secret"), "{written}");
        assert!(written.contains("the pipe broke"), "{written}");
        assert!(written.contains("ours"), "{written}");
    }

    #[test]
    fn a_client_that_hung_up_is_told_only_to_who_asks_for_details() {
        for (filter, told) in [("info", false), ("error", false), ("debug", true)] {
            let lines = Lines::default();
            let writer = lines.clone();
            let filter = parse_filter(filter).unwrap();
            tracing::subscriber::with_default(text(filter, move || writer.clone()), log_some);
            let written = lines.text();
            assert_eq!(written.contains("nobody waits"), told, "{written}");
            assert!(written.contains("the pipe broke"), "{written}");
        }
    }

    #[test]
    fn a_secret_in_use_never_reaches_the_log() {
        let value = "canary \"log\" value";
        let secret = callboard_redact::Secret::new(value.to_owned());
        callboard_redact::register("LOGGED", &secret).unwrap();
        let error = std::io::Error::other(format!("no: {value}"));
        let log = || {
            tracing::warn!(key = value, ?value, %error, "with {value}");
            let span = tracing::error_span!("call", field = value);
            span.in_scope(|| tracing::error!("inside"));
        };
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = Lines::default();
            let (writer, filter) = (lines.clone(), parse_filter("info").unwrap());
            let make = move || Scrubbed(writer.clone());
            match format {
                LogFormat::Text => tracing::subscriber::with_default(text(filter, make), log),
                LogFormat::Json => tracing::subscriber::with_default(json(filter, make), log),
            }
            let written = lines.text();
            assert!(!written.contains("canary"), "{written}");
            assert!(written.matches("[vault:LOGGED]").count() >= 5, "{written}");
        }
    }

    #[test]
    fn json_lines_are_json() {
        let lines = Lines::default();
        let writer = lines.clone();
        let filter = parse_filter("info").unwrap();
        tracing::subscriber::with_default(json(filter, move || writer.clone()), || {
            tracing::info!(count = 3, "counted");
        });
        let line: serde_json::Value = serde_json::from_str(lines.text().trim()).unwrap();
        assert_eq!(line["fields"]["message"], "counted");
        assert_eq!(line["fields"]["count"], 3);
    }

    #[test]
    fn a_wrong_filter_is_named() {
        let error = parse_filter("callboard=loud").unwrap_err().to_string();
        assert!(error.contains("callboard=loud"), "{error}");
    }
}
