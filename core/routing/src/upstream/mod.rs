//! A provider over the network.
//!
//! For: sending a chat to one endpoint, within deadlines, and seeing in its failures what to do. Not for: choosing the
//! endpoint, trying again, or what it costs.
//!
//! Nothing is left behind: whoever drops a call or a stream closes its connection. Redirects are not followed, because a
//! key goes nowhere but to the address that was set.

mod body;
mod explain;
mod meter;
mod streaming;

pub use body::{Answer, Body};
pub use meter::Meter;
pub use streaming::Streaming;

use crate::chat::{Chat, Reply};
use crate::failure::{Failure, FailureKind};
use crate::wire::{Encoded, Head, Listing, MOST_BODY, Mode, Model, Wire};
use callboard_redact::Secret;
use callboard_store::Clock;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Url};
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The most pages of models that are read.
const MOST_PAGES: usize = 20;

/// Where a provider is and how it is spoken to.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The provider's name in the settings.
    pub name: String,
    /// What it speaks.
    pub wire: Wire,
    /// Where; the wire's paths come after it.
    pub base_url: String,
    /// What it knows us by; none where it asks for none.
    pub key: Option<Secret>,
    /// Which account of the provider the key belongs to; limits are the account's.
    pub account: String,
    /// Sent with every request. Their values may be secret.
    pub headers: Vec<(String, Secret)>,
    /// How long what may take.
    pub deadlines: Deadlines,
}

/// How long what may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// Until the first byte of the answer's body. In one piece that is when the model is done.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub between: Duration,
    /// The whole call.
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(120),
            between: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}

/// One endpoint, ready to be asked. Clones share its connections.
#[derive(Clone)]
pub struct Upstream {
    endpoint: Arc<Endpoint>,
    total: Duration,
    /// Made when it is first needed: that reads the system's certificates.
    client: Arc<OnceLock<Client>>,
    clock: Arc<dyn Clock>,
    meter: Option<Arc<Meter>>,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Upstream {
    /// Makes it ready; nothing is sent. From now on its key and the values of its headers are kept out of what this
    /// process writes.
    ///
    /// # Errors
    /// [`FailureKind::WrongUrl`] when the base URL is none, [`FailureKind::BadKey`] when the key can't be sent.
    pub fn new(endpoint: Endpoint, clock: Arc<dyn Clock>) -> Result<Upstream, Failure> {
        explain::checked(&endpoint)?;
        let secrets = endpoint.headers.iter().map(|(_, value)| value);
        for secret in secrets.chain(&endpoint.key) {
            let name = format!("provider {}", endpoint.name);
            callboard_redact::register(&name, secret)
                .map_err(|error| Failure::new(FailureKind::BadKey, error.to_string()))?;
        }
        Ok(Upstream {
            total: endpoint.deadlines.total,
            endpoint: Arc::new(endpoint),
            client: Arc::default(),
            clock,
            meter: None,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The same with less time for a whole call; never with more.
    #[must_use]
    pub fn within(&self, total: Duration) -> Upstream {
        Upstream {
            total: self.total.min(total),
            ..self.clone()
        }
    }

    /// The same, and what goes over the connection is measured.
    #[must_use]
    pub fn metered(&self, meter: Arc<Meter>) -> Upstream {
        Upstream {
            meter: Some(meter),
            ..self.clone()
        }
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    /// Whatever went wrong.
    pub async fn complete(&self, chat: &Chat) -> Result<Reply, Failure> {
        let wire = self.endpoint.wire;
        let asked = async {
            let request = wire.encode(chat, Mode::Plain)?;
            let (head, body) = self.whole(Method::POST, request).await?;
            wire.decode(&head, &body)
        };
        asked
            .await
            .map_err(|failure| self.explain(failure, Some(&chat.model)))
    }

    /// Asks, and gives the answer as it is made. What goes wrong before it begins comes at once, not in the stream.
    ///
    /// # Errors
    /// Whatever went wrong.
    pub async fn stream(&self, chat: &Chat) -> Result<Streaming, Failure> {
        let wire = self.endpoint.wire;
        let asked = async {
            let request = wire.encode(chat, Mode::Stream)?;
            let answer = self.send(Method::POST, request, &HeaderMap::new()).await?;
            if answer.head.is_success() {
                return Ok(answer);
            }
            let body = answer.body.whole(MOST_BODY).await?;
            // A status without success is never a reply.
            match wire.decode(&answer.head, &body) {
                Err(failure) => Err(failure),
                Ok(_) => Err(Failure::new(FailureKind::Malformed, "no answer")),
            }
        };
        let answer = asked
            .await
            .map_err(|failure| self.explain(failure, Some(&chat.model)))?;
        Ok(Streaming::new(self.clone(), chat.model.clone(), answer))
    }

    /// How many tokens a chat has, as the provider counts them; nothing where its wire can't say.
    ///
    /// # Errors
    /// Whatever went wrong.
    pub async fn count_tokens(&self, chat: &Chat) -> Result<Option<u64>, Failure> {
        let wire = self.endpoint.wire;
        let asked = async {
            let Some(request) = wire.encode_count(chat)? else {
                return Ok(None);
            };
            let (head, body) = self.whole(Method::POST, request).await?;
            wire.decode_count(&head, &body).map(Some)
        };
        asked
            .await
            .map_err(|failure| self.explain(failure, Some(&chat.model)))
    }

    /// The models it has.
    ///
    /// # Errors
    /// Whatever went wrong.
    pub async fn models(&self) -> Result<Vec<Model>, Failure> {
        let wire = self.endpoint.wire;
        let asked = async {
            let (mut models, mut path) = (Vec::new(), wire.models_path().to_owned());
            for _ in 0..MOST_PAGES {
                let headers = match wire {
                    Wire::Anthropic => vec![("anthropic-version", "2023-06-01")],
                    _ => Vec::new(),
                };
                let request = Encoded {
                    path,
                    headers,
                    body: Vec::new(),
                };
                let (head, body) = self.whole(Method::GET, request).await?;
                let Listing { models: more, next } = wire.decode_models(&head, &body)?;
                models.extend(more);
                match next {
                    Some(next) => path = next,
                    None => break,
                }
            }
            Ok(models)
        };
        asked.await.map_err(|failure| self.explain(failure, None))
    }

    /// Looks whether it has a model.
    ///
    /// # Errors
    /// [`FailureKind::NoSuchModel`] with the names of those that it has, or whatever went wrong.
    pub async fn model(&self, name: &str) -> Result<Model, Failure> {
        let models = self.models().await?;
        let found = models.iter().find(|model| self.is_called(model, name));
        found
            .cloned()
            .ok_or_else(|| explain::no_such_model(&self.endpoint.name, name, &models))
    }

    /// Some names stand for a model with a longer one.
    fn is_called(&self, model: &Model, name: &str) -> bool {
        model.id == name
            || match self.endpoint.wire {
                Wire::Ollama => model.id.strip_suffix(":latest") == Some(name),
                Wire::Anthropic => {
                    let name = name.strip_suffix("-latest").unwrap_or(name);
                    let dated = model.id.strip_prefix(name);
                    let dated = dated.and_then(|rest| rest.strip_prefix('-'));
                    dated.is_some_and(|date| {
                        date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit())
                    })
                }
                _ => false,
            }
    }

    /// Sends a request as it is, with our key: for answers that are handed on byte for byte. Of `more` headers those
    /// hold that the endpoint's settings and its key do not say otherwise.
    ///
    /// # Errors
    /// Only when no answer begins; an answer's status is in its head, whatever it is.
    pub async fn pass(&self, request: Encoded, more: &HeaderMap) -> Result<Answer, Failure> {
        let sent = self.send(Method::POST, request, more).await;
        sent.map_err(|failure| self.explain(failure, None))
    }

    /// What an answer without success says.
    pub async fn refusal(&self, answer: Answer, model: &str) -> Failure {
        let Answer { head, body } = answer;
        let failure = match body.whole(MOST_BODY).await {
            Err(failure) => failure,
            Ok(body) => match self.endpoint.wire.decode(&head, &body) {
                Err(failure) => failure,
                // A status without success is never a reply.
                Ok(_) => Failure::new(FailureKind::Malformed, "no answer"),
            },
        };
        self.explain(failure, Some(model))
    }

    /// What was read of an answer that [passed](Upstream::pass) instead of a good one, with whose failure it is and
    /// what to do.
    #[must_use]
    pub fn explained(&self, failure: Failure, model: &str) -> Failure {
        self.explain(failure, Some(model))
    }

    async fn whole(&self, method: Method, request: Encoded) -> Result<(Head, Vec<u8>), Failure> {
        let Answer { head, body } = self.send(method, request, &HeaderMap::new()).await?;
        let body = body.whole(MOST_BODY).await?;
        Ok((head, body))
    }

    async fn send(
        &self,
        method: Method,
        request: Encoded,
        more: &HeaderMap,
    ) -> Result<Answer, Failure> {
        let client = self.client()?;
        let began = Instant::now();
        let deadlines = self.endpoint.deadlines;
        let (first_by, total_by) = (began + deadlines.first_byte, began + self.total);
        let headers = self.headers(&request, more)?;
        let url = self.url(&request.path)?;
        if let Some(meter) = &self.meter {
            meter.sends(request.body.len());
        }
        let sending = client.request(method, url).headers(headers);
        let sending = sending.body(request.body);
        let sent = timeout_at(first_by.min(total_by), sending.send()).await;
        let response = match sent {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(explain::not_sent(error)),
            Err(_) if total_by <= first_by => return Err(explain::overdue()),
            Err(_) => return Err(explain::stalled_first_byte()),
        };
        let head = Head {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            now_ms: self.clock.now_ms(),
        };
        let meter = self.meter.clone();
        let body = Body::new(
            response,
            &head,
            first_by,
            deadlines.between,
            total_by,
            meter,
        );
        Ok(Answer { head, body })
    }

    /// What the wire wants, then what the caller says, then the settings, then the key; who comes later has the word.
    fn headers(&self, request: &Encoded, more: &HeaderMap) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let names: Vec<&HeaderName> = more.keys().collect();
        for name in names {
            headers.remove(name);
            for value in more.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        for (name, value) in &self.endpoint.headers {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| explain::unsendable())?;
            headers.insert(name, secret(value.expose())?);
        }
        if let Some(key) = &self.endpoint.key {
            let (name, value) = self.endpoint.wire.key_header(key.expose());
            headers.insert(name, secret(&value)?);
        }
        Ok(headers)
    }

    fn client(&self) -> Result<&Client, Failure> {
        static PROVIDER: Once = Once::new();
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        PROVIDER.call_once(|| {
            // Somebody else may have installed one before.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let client = Client::builder()
            .connect_timeout(self.endpoint.deadlines.connect)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .user_agent(concat!("callboard/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                let message = format!("no HTTP client can be made: {error}");
                Failure::new(FailureKind::Connect, message)
            })?;
        // Somebody else may have made one meanwhile; then that one is used.
        Ok(self.client.get_or_init(|| client))
    }

    /// A base that already has the first step of the wire's path does not get it twice.
    fn url(&self, path: &str) -> Result<Url, Failure> {
        let base = self.endpoint.base_url.trim_end_matches('/');
        let first = path[1..].find('/').map_or(path, |end| &path[..=end]);
        let base = base.strip_suffix(first).unwrap_or(base);
        Url::parse(&format!("{base}{path}"))
            .map_err(|error| Failure::new(FailureKind::WrongUrl, error.to_string()))
    }
}

/// A header's value that is shown nowhere.
fn secret(value: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(value).map_err(|_| explain::unsendable())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether this can be the name of a header.
fn is_header(name: &str) -> bool {
    HeaderName::from_bytes(name.as_bytes()).is_ok()
}
