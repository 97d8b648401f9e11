//! One request to a collector.
//! For: what its answer means, by OTLP's rules. Not for: trying again.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::{OtlpError, Settings};

/// A collector.
pub(super) struct Collector {
    client: Client,
    url: Url,
    headers: HeaderMap,
}

/// What came of a request.
pub(super) enum Sent {
    Taken,
    /// It will never be taken.
    Rejected(String),
    /// It may be taken later; the collector may have said when.
    Later {
        why: String,
        after: Option<Duration>,
    },
}

impl Collector {
    pub(super) fn new(settings: &Settings, within: Duration) -> Result<Self, OtlpError> {
        let url = Url::parse(&settings.url).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or_else(|| OtlpError::Url(settings.url.clone()))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let wrong = || OtlpError::Header(name.clone());
            let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.append(HeaderName::try_from(name).map_err(|_| wrong())?, value);
        }
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        // Whoever installed one before installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(within)
            // A collector that sends us elsewhere would get the headers there.
            .redirect(Policy::none())
            .build()
            .map_err(|error| OtlpError::Client(error.to_string()))?;
        Ok(Collector {
            client,
            url,
            headers,
        })
    }

    pub(super) async fn send(&self, body: Vec<u8>) -> Sent {
        let request = self
            .client
            .post(self.url.clone())
            .headers(self.headers.clone());
        let answer = match request.body(body).send().await {
            Ok(answer) => answer,
            Err(error) => {
                return Sent::Later {
                    why: error.without_url().to_string(),
                    after: None,
                };
            }
        };
        let status = answer.status();
        let why = status.to_string();
        match status {
            status if status.is_success() => Sent::Taken,
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let after = answer.headers().get(RETRY_AFTER);
                let seconds = after.and_then(|after| after.to_str().ok()?.parse().ok());
                Sent::Later {
                    why,
                    after: seconds.map(Duration::from_secs),
                }
            }
            _ => Sent::Rejected(why),
        }
    }
}
