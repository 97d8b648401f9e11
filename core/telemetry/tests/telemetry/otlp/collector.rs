//! A collector on loopback that keeps what it is sent.

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
pub use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One request as it came.
#[derive(Clone)]
pub struct Seen {
    headers: hyper::HeaderMap,
    pub body: Vec<u8>,
    status: u16,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub fn decoded(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(self.body.as_slice()).unwrap()
    }
}

pub struct Collector {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    serving: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Collector {
    /// Answers with these statuses, one after the other, and with the last one from then on.
    pub async fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (kept, statuses) = (Arc::clone(&seen), statuses.to_vec());
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (kept, statuses) = (Arc::clone(&kept), statuses.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (kept, statuses) = (Arc::clone(&kept), statuses.clone());
                    async move {
                        assert_eq!(request.uri().path(), "/v1/traces");
                        let headers = request.headers().clone();
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let mut kept = kept.lock().unwrap();
                        let status = statuses[kept.len().min(statuses.len() - 1)];
                        kept.push(Seen {
                            headers,
                            body: body.to_vec(),
                            status,
                        });
                        let answer = Response::builder().status(status);
                        Ok::<_, Infallible>(answer.body(Empty::<Bytes>::new()).unwrap())
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(async move { drop(connection.await) });
            }
        });
        Collector { url, seen, serving }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Whether so many requests came.
    pub async fn asked(&self, count: usize, within: Duration) -> bool {
        let wait = async {
            while self.requests().len() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(within, wait).await.is_ok()
    }

    /// The spans that were taken, when there are so many.
    pub async fn spans(&self, count: usize, within: Duration) -> Vec<Span> {
        let taken = || {
            let requests = self
                .requests()
                .into_iter()
                .filter(|seen| seen.status == 200);
            let spans = requests.flat_map(|seen| seen.decoded().resource_spans);
            let spans = spans.flat_map(|of| of.scope_spans).flat_map(|of| of.spans);
            spans.collect::<Vec<Span>>()
        };
        let wait = async {
            loop {
                let spans = taken();
                if spans.len() >= count {
                    return spans;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let spans = tokio::time::timeout(within, wait).await;
        spans.unwrap_or_else(|_| panic!("{} of {count} spans came", taken().len()))
    }
}

pub fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}
