//! From a URI that somebody wants to be told about to the lookout for it.
//!
//! For: checking the URI and the caller's role, and telling what changed. Not for: noticing it (`subscribe`).

use std::sync::Arc;

use callboard_store::actor;
use rmcp::RoleServer;
use rmcp::model::{
    ErrorCode, ErrorData, JsonObject, ResourceUpdatedNotificationParam, SubscriptionFilter,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use serde_json::json;
use tokio::task::JoinSet;

use super::Served;
use super::dispatch::shown;
use super::registry::ResourceEntry;
use crate::ask::Brought;
use crate::call::{Called, Labels};
use crate::content::Size;
use crate::offers::Hearing;
use crate::scrub;
use crate::subscribe::{Held, Look, Watching};
use crate::{ResourceRequest, ToolError, clip};

/// Longer URIs name nothing of ours.
pub(super) const MAX_URI: usize = 2_048;

impl Served {
    /// Whether anything here can be subscribed to.
    pub(crate) fn is_watched(&self) -> bool {
        self.resources.iter().any(|entry| entry.look.is_some())
    }

    /// What of `wanted` can be listened for. What cannot is taken out, as the protocol says.
    pub(super) fn listenable(&self, wanted: &SubscriptionFilter) -> SubscriptionFilter {
        let mut granted = wanted.clone();
        if let Some(uris) = &mut granted.resource_subscriptions {
            uris.retain(|uri| self.watched_entry(uri).is_ok());
            uris.sort_unstable();
            uris.dedup();
        }
        granted
    }

    /// Tells a stream what changes until it or the server ends. Where nothing that was asked for can be
    /// listened for, the reason is the answer.
    pub(super) async fn tell_stream(
        &self,
        stream: SubscriptionContext,
        held: &Arc<Held>,
        hearing: Option<Hearing>,
    ) -> Result<(), ErrorData> {
        let none = Vec::new();
        let asked = stream.requested().resource_subscriptions.as_ref();
        let granted = stream.accepted().resource_subscriptions.as_ref();
        let granted = granted.unwrap_or(&none);
        let _places = held.take(granted.len() + 1).map_err(modern)?;

        let asked = asked.unwrap_or(&none).iter();
        let mut refused = asked
            .filter(|uri| !granted.contains(uri))
            .find_map(|uri| Some((uri.clone(), self.watched_entry(uri).err()?)));
        let mut telling = JoinSet::new();
        for uri in granted {
            let mut lookout = match self.watch(uri, stream.request_context()).await {
                Ok(lookout) => lookout,
                Err(error) => {
                    tracing::info!(uri = %shown(uri), kind = %error.kind, error = error.message, hint = error.hint, "not listened for");
                    refused.get_or_insert((uri.clone(), error));
                    continue;
                }
            };
            let (sink, uri) = (stream.sink().clone(), uri.clone());
            telling.spawn(async move {
                // The stream was acknowledged before the first look: what changed between the two is in that
                // look, and this client may have read what was there before.
                loop {
                    if sink.notify_resource_updated(uri.clone()).await.is_err() {
                        return;
                    }
                    lookout.changed().await;
                }
            });
        }
        if let Some(hearing) = hearing {
            tell_lists(&stream, hearing, &mut telling);
        }
        if let Some((uri, error)) = refused
            && telling.is_empty()
        {
            return Err(about(&uri, modern(error)));
        }
        tokio::select! {
            () = stream.cancelled() => {}
            () = self.wrapper.closing.cancelled() => {}
        }
        Ok(())
    }

    /// `resources/subscribe` of an older peer.
    pub(super) async fn subscribe_to(
        &self,
        uri: String,
        request: &RequestContext<RoleServer>,
        held: &Held,
    ) -> Result<(), ErrorData> {
        if held.has(&uri) {
            return Ok(());
        }
        let watched = self.watch(&uri, request).await;
        let mut lookout = watched.map_err(|error| about(&uri, error.into_protocol()))?;
        let peer = request.peer.clone();
        let told = uri.clone();
        let telling = async move {
            loop {
                lookout.changed().await;
                let update = ResourceUpdatedNotificationParam::new(told.clone());
                if peer.notify_resource_updated(update).await.is_err() {
                    return;
                }
            }
        };
        held.keep(uri, || actor::spawn(telling).abort_handle())
            .map_err(ToolError::into_protocol)
    }

    /// `resources/unsubscribe` of an older peer; ending what is not there is no error.
    pub(super) fn unsubscribe_from(&self, uri: &str, held: &Held) -> Result<(), ErrorData> {
        self.watched_entry(uri)
            .map_err(|error| about(uri, error.into_protocol()))?;
        held.end(uri);
        Ok(())
    }

    /// Joins the lookout for `uri`: a call like any other, so the role is checked and a row is written.
    async fn watch(
        &self,
        uri: &str,
        request: &RequestContext<RoleServer>,
    ) -> Result<Watching, ToolError> {
        let (entry, wanted) = match self.watched_entry(uri) {
            Ok(found) => found,
            Err(error) => {
                self.wrapper.unknown("subscribe:unknown");
                return Err(error);
            }
        };
        let name = format!("subscribe:{}", entry.name);
        let subject = JsonObject::from_iter([("uri".to_owned(), uri.into())]);
        let labels = Labels {
            digest: self.wrapper.digest(&name, Some(&subject), request),
            name: name.into(),
            request_bytes: uri.len(),
            role: entry.role,
            strict: false,
            brought: Brought::default(),
        };
        let key = wanted.key(entry.name);
        let look = self.look_at(entry, wanted);
        let lookouts = Arc::clone(&self.lookouts);
        let called = self
            .wrapper
            .call(
                labels,
                request,
                |_| Size::default(),
                |_| Box::pin(async move { lookouts.join(key, look).await }),
            )
            .await;
        match called {
            Ok(Called::Ended(joined)) => joined,
            // Nothing was brought, and a look has nobody to ask.
            Ok(Called::Asks(_) | Called::Later(_)) | Err(_) => {
                Err(ToolError::internal("a subscription asked something"))
            }
        }
    }

    fn look_at(&self, entry: &ResourceEntry, wanted: ResourceRequest) -> Look {
        let look = entry.look.clone();
        Arc::new(move || match &look {
            Some(look) => look(wanted.clone()),
            None => Box::pin(std::future::ready(Err(ToolError::internal("not watched")))),
        })
    }

    /// What `uri` names, if that can be subscribed to.
    fn watched_entry(&self, uri: &str) -> Result<(&ResourceEntry, ResourceRequest), ToolError> {
        let known = || {
            let known = self.resources.iter().filter(|entry| entry.look.is_some());
            let known: Vec<_> = known.map(|entry| bare(entry.uri)).collect();
            format!("these can be subscribed to: {}", known.join(", "))
        };
        let found = self
            .resources
            .iter()
            .filter(|_| uri.len() <= MAX_URI)
            .find_map(|entry| Some((entry, entry.template.request(uri)?)));
        let Some((entry, wanted)) = found else {
            return Err(
                ToolError::not_found(format!("there is no resource `{}`", shown(uri)))
                    .hint(known()),
            );
        };
        if entry.look.is_none() {
            let message = format!("`{}` cannot be subscribed to", shown(uri));
            return Err(ToolError::invalid(message).hint(known()));
        }
        if wanted.cursor().is_some() {
            let message = format!("`{}` is one page of a resource", shown(uri));
            return Err(ToolError::invalid(message)
                .hint(format!("subscribe to all of it, {}", bare(entry.uri))));
        }
        Ok((entry, wanted))
    }
}

/// Tells a stream which of the lists it asked for have changed.
fn tell_lists(stream: &SubscriptionContext, mut hearing: Hearing, telling: &mut JoinSet<()>) {
    let accepted = stream.accepted();
    if accepted.tools_list_changed == Some(true) {
        let sink = stream.sink().clone();
        telling.spawn(async move {
            while hearing.tools.changed().await.is_ok()
                && sink.notify_tool_list_changed().await.is_ok()
            {}
        });
    }
    if accepted.prompts_list_changed == Some(true) {
        let sink = stream.sink().clone();
        telling.spawn(async move {
            while hearing.prompts.changed().await.is_ok()
                && sink.notify_prompt_list_changed().await.is_ok()
            {}
        });
    }
}

fn bare(template: &'static str) -> &'static str {
    template.trim_end_matches("{?cursor}")
}

/// Peers of 2026-07-28 have one code for every parameter that is wrong.
fn modern(error: ToolError) -> ErrorData {
    let mut told = error.into_protocol();
    if told.code == ErrorCode::RESOURCE_NOT_FOUND {
        told.code = ErrorCode::INVALID_PARAMS;
    }
    told
}

fn about(uri: &str, mut error: ErrorData) -> ErrorData {
    let mut data = error.data.take().unwrap_or_else(|| json!({}));
    data["uri"] = json!(clip(&scrub::url(uri), 200));
    error.data = Some(data);
    error
}
