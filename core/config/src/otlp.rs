//! Where spans are sent, by OpenTelemetry's own variables.
//! For: reading `OTEL_EXPORTER_OTLP_*` as the specification has them. Not for: sending, or turning it on by itself.

use crate::environment::Environment;

const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_";
const ALL: &str = "OTEL_EXPORTER_OTLP_";

/// A collector, as the user's environment names it. Its headers hold keys, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Otlp {
    /// The whole address for traces.
    pub url: String,
    /// Headers by name.
    pub headers: Vec<(String, String)>,
}

/// Why spans can't be sent as the environment asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OtlpProblem {
    /// Another protocol is asked for.
    #[error(
        "{0} asks for {1:?}, and spans are only sent as http/protobuf; set it to that, with the collector's HTTP port (4318)"
    )]
    Protocol(String, String),
    /// The headers can't be read.
    #[error("{0} is not a list of name=value, with commas between")]
    Headers(String),
}

impl Environment {
    /// The collector that `OTEL_EXPORTER_OTLP_ENDPOINT` (or its form for traces) names; `None` where none is named or
    /// spans are turned off.
    ///
    /// # Errors
    /// [`OtlpProblem`]; it shows no header.
    pub fn otlp(&self) -> Result<Option<Otlp>, OtlpProblem> {
        let text = |name: &str| self.get(name).and_then(|value| value.to_str());
        let off = text("OTEL_SDK_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true"));
        let elsewhere = text("OTEL_TRACES_EXPORTER").is_some_and(|word| word != "otlp");
        if off || elsewhere {
            return Ok(None);
        }
        let either = |rest: &str| {
            let names = [format!("{TRACES}{rest}"), format!("{ALL}{rest}")];
            let mut found = names.into_iter();
            found.find_map(|name| text(&name).map(|value| (name.clone(), value.to_owned())))
        };
        let url = match text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
            // The form for traces is the whole address, the general one its beginning.
            Some(whole) => whole.to_owned(),
            None => match text("OTEL_EXPORTER_OTLP_ENDPOINT") {
                Some(base) => format!("{}/v1/traces", base.trim_end_matches('/')),
                None => return Ok(None),
            },
        };
        if let Some((name, protocol)) = either("PROTOCOL")
            && protocol != "http/protobuf"
        {
            return Err(OtlpProblem::Protocol(name, protocol));
        }
        let headers = match either("HEADERS") {
            None => Vec::new(),
            Some((name, list)) => headers(&list).ok_or(OtlpProblem::Headers(name))?,
        };
        Ok(Some(Otlp { url, headers }))
    }
}

fn headers(list: &str) -> Option<Vec<(String, String)>> {
    let pairs = list
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((name.trim().to_owned(), decoded(value.trim())?))
        })
        .collect()
}

/// `%20` is a space; so the specification has it.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Option<Otlp>, OtlpProblem> {
        Environment::of(vars.iter().copied(), "/").otlp()
    }

    #[test]
    fn a_collector_is_named_as_the_specification_has_it() {
        assert!(read(&[]).unwrap().is_none());
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318/");
        let found = read(&[base, ("OTEL_EXPORTER_OTLP_HEADERS", "a=b%20c, key = x=y")]);
        let found = found.unwrap().unwrap();
        assert_eq!(found.url, "http://localhost:4318/v1/traces");
        let headers = [("a", "b c"), ("key", "x=y")];
        assert_eq!(
            found.headers,
            headers.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        let whole = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c/traces");
        assert_eq!(
            read(&[base, whole]).unwrap().unwrap().url,
            "https://c/traces"
        );
        for off in [
            ("OTEL_SDK_DISABLED", "TRUE"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ] {
            assert!(read(&[base, off]).unwrap().is_none(), "{off:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_told_without_a_header() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317");
        let grpc = read(&[base, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")])
            .err()
            .unwrap();
        assert!(grpc.to_string().contains("4318"), "{grpc}");
        for wrong in ["sesame", "a=%zz", "a=%4"] {
            let problem = read(&[base, ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", wrong)])
                .err()
                .unwrap();
            assert!(!problem.to_string().contains("sesame"));
            assert!(problem.to_string().contains("TRACES_HEADERS"), "{problem}");
        }
    }
}
