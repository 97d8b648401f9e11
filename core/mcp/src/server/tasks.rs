//! `tasks/get`, `tasks/update`, `tasks/cancel`: what clients ask about their long calls.
//!
//! For: finding a call of the caller's own, its state in the protocol's shape, and going on with one whose
//! process is gone. Not for: running calls (`long`).

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_store::actor;
use rmcp::RoleServer;
use rmcp::model::{
    DetailedTask, ErrorData, InputRequests, InputResponses, Task, TaskPayload, TaskStatus,
};
use rmcp::service::RequestContext;
use serde_json::Value;

use super::Served;
use super::dispatch::shown;
use super::registry::ToolEntry;
use crate::ask::Brought;
use crate::call::Labels;
use crate::decode::object_bytes;
use crate::long::rows::{self, LongRow, Standing};
use crate::long::{LongWork, interrupted};
use crate::memory::unsaved;
use crate::scrub::scrub_value;
use crate::{Effect, Long, Reply, ToolError, digest};

/// How long a client should wait between two looks.
const POLL_MS: u64 = 1_000;

impl Served {
    /// Whether a call may become a task here.
    pub(super) fn offers_tasks(&self) -> bool {
        self.wrapper.memory.keeps() && self.tools.iter().any(|entry| entry.facts.long != Long::No)
    }

    pub(super) async fn task(
        &self,
        id: &str,
        request: &RequestContext<RoleServer>,
    ) -> Result<DetailedTask, ErrorData> {
        let row = self.long_row(id, request).await?;
        if !row.standing.is_open() || !self.wrapper.longs.is_orphan(&row.id, row.process) {
            return detailed(row);
        }
        self.inherit(&row, request).await?;
        detailed(self.long_row(id, request).await?)
    }

    pub(super) async fn update(
        &self,
        id: &str,
        responses: InputResponses,
        request: &RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let row = self.long_row(id, request).await?;
        let mut answers = BTreeMap::new();
        for (key, mut value) in responses {
            let Some(wanted) = row.wanted.get(&key) else {
                continue;
            };
            check(&key, wanted, &value)?;
            // It is stored, and a person may have pasted a key that is in use.
            scrub_value(&mut value);
            answers.insert(key, value);
        }
        if answers.is_empty() {
            return Ok(());
        }
        let now = self.wrapper.clock.now_ms();
        let by = self.wrapper.actor_of("tasks/update", request);
        let taken = self.on_board(move |c| rows::answer(c, now, &row.id, &answers));
        actor::scope(Arc::new(by), taken).await?;
        if let Some(call) = self.wrapper.longs.get(id) {
            call.wake();
        }
        Ok(())
    }

    pub(super) async fn cancel(
        &self,
        id: &str,
        request: &RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let row = self.long_row(id, request).await?;
        if !row.standing.is_open() {
            return Ok(());
        }
        let now = self.wrapper.clock.now_ms();
        let by = Arc::new(self.wrapper.actor_of("tasks/cancel", request));
        if let Some(call) = self.wrapper.longs.get(id) {
            // It writes its own end, which may still be another.
            let wanted = self.on_board(move |c| rows::stop(c, now, &row.id));
            actor::scope(by, wanted).await?;
            call.stop();
            return Ok(());
        }
        // Another process that runs it sees this; one that is gone needs not.
        let ended = self.on_board(move |c| {
            rows::stop(c, now, &row.id)?;
            rows::end(c, now, &row.id, row.process, Standing::Cancelled, None)
        });
        actor::scope(by, ended).await
    }

    async fn long_row(
        &self,
        id: &str,
        request: &RequestContext<RoleServer>,
    ) -> Result<LongRow, ErrorData> {
        let store = self.wrapper.memory.if_there().await;
        let Some(store) = store.map_err(ToolError::into_protocol)? else {
            return Err(unknown(id));
        };
        let owner = digest::owner(&self.wrapper.caller(request));
        let (now, server) = (self.wrapper.clock.now_ms(), self.wrapper.server);
        let found = store.read_now(|c| rows::find(c, now, server, &owner, id));
        found
            .map_err(|error| unsaved(error).into_protocol())?
            .ok_or_else(|| unknown(id))
    }

    async fn on_board<T: Send + 'static>(
        &self,
        op: impl Fn(&mut dyn callboard_store::Conn) -> Result<T, callboard_store::StoreError>
        + Send
        + 'static,
    ) -> Result<(), ErrorData> {
        let store = self.wrapper.memory.if_there().await;
        if let Some(store) = store.map_err(ToolError::into_protocol)? {
            let written = store.write(op).await;
            written.map_err(|error| unsaved(error).into_protocol())?;
        }
        Ok(())
    }

    /// A call whose process is gone: run again if that does no harm, else failed.
    async fn inherit(
        &self,
        row: &LongRow,
        request: &RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let entry = self.tools.iter().find(|entry| {
            entry.facts.name == row.tool
                && entry.facts.long != Long::No
                && entry.facts.effect == Effect::ReadOnly
        });
        let allowed = |entry: &&ToolEntry| self.wrapper.caller(request).role >= entry.facts.role;
        if let Some(entry) = entry.filter(allowed) {
            let labels = self.labels(entry, row.arguments.as_ref(), Brought::default(), request);
            let work = self.long_work(entry, row.arguments.clone());
            self.wrapper.resume(row, labels, request, work).await?;
            return Ok(());
        }
        let (id, from, ending) = (row.id.clone(), row.process, interrupted(&row.tool));
        let now = self.wrapper.clock.now_ms();
        let by = Arc::new(self.wrapper.actor_of("tasks/get", request));
        let ended =
            self.on_board(move |c| rows::end(c, now, &id, from, Standing::Failed, Some(&ending)));
        actor::scope(by, ended).await
    }

    pub(super) fn long_work(
        &self,
        entry: &ToolEntry,
        arguments: Option<rmcp::model::JsonObject>,
    ) -> LongWork {
        let handler = Arc::clone(&entry.handler);
        let bytes = arguments.as_ref().map_or(0, object_bytes);
        LongWork {
            arguments: arguments.clone(),
            handler: Box::new(move |ctx| handler(arguments, bytes, ctx)),
        }
    }

    pub(super) fn labels(
        &self,
        entry: &ToolEntry,
        arguments: Option<&rmcp::model::JsonObject>,
        brought: Brought,
        request: &RequestContext<RoleServer>,
    ) -> Labels {
        Labels {
            name: entry.facts.name.into(),
            request_bytes: arguments.map_or(0, object_bytes),
            role: entry.facts.role,
            digest: self.wrapper.digest(entry.facts.name, arguments, request),
            strict: entry.facts.effect.is_destructive(),
            brought,
        }
    }
}

/// An answer to a form fits the form; the handler checks others.
fn check(key: &str, wanted: &Value, value: &Value) -> Result<(), ErrorData> {
    let form = wanted.pointer("/params/requestedSchema");
    let Some(form) = form.and_then(Value::as_object) else {
        return Ok(());
    };
    match Reply::read(value, form) {
        Ok(_) => Ok(()),
        Err(why) => Err(ErrorData::invalid_params(
            format!("inputResponses.{key}: {why}; nothing was recorded"),
            None,
        )),
    }
}

fn unknown(id: &str) -> ErrorData {
    ErrorData::invalid_params(
        format!(
            "there is no task `{}` of yours; a task is forgotten a day after its end",
            shown(id)
        ),
        None,
    )
}

fn bare(row: &LongRow) -> Task {
    let status = match row.standing {
        Standing::Working => TaskStatus::Working,
        Standing::Asking => TaskStatus::InputRequired,
        Standing::Completed => TaskStatus::Completed,
        Standing::Failed => TaskStatus::Failed,
        Standing::Cancelled => TaskStatus::Cancelled,
    };
    let (created, updated) = (instant(row.created_at), instant(row.updated_at));
    let kept = row.expires_at.saturating_sub(row.created_at);
    let task = Task::new(row.id.clone(), status, created, updated)
        .with_ttl_ms(kept.unsigned_abs())
        .with_poll_interval_ms(POLL_MS);
    // How far it was when it still ran is no word on how it ended.
    match row.message.as_ref().filter(|_| row.standing.is_open()) {
        Some(message) => task.with_status_message(message.clone()),
        None => task,
    }
}

/// A call that has just become a task.
pub(super) fn seed(row: &LongRow) -> Task {
    bare(row)
}

fn detailed(row: LongRow) -> Result<DetailedTask, ErrorData> {
    let task = bare(&row);
    let broken = |error: serde_json::Error| ErrorData::internal_error(error.to_string(), None);
    let payload = match row.standing {
        Standing::Working => TaskPayload::Working,
        Standing::Cancelled => TaskPayload::Cancelled,
        Standing::Completed => TaskPayload::Completed {
            result: row.ending.unwrap_or_default(),
        },
        Standing::Failed => TaskPayload::Failed {
            error: row.ending.unwrap_or_default(),
        },
        Standing::Asking => {
            let wanted = serde_json::to_value(&row.wanted).map_err(broken)?;
            let input_requests: InputRequests = serde_json::from_value(wanted).map_err(broken)?;
            TaskPayload::InputRequired { input_requests }
        }
    };
    Ok(DetailedTask::new(task, payload))
}

/// Milliseconds since 1970 as the protocol writes times: `2026-11-21T09:30:00.123Z`.
fn instant(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    // The civil calendar from a count of days, in 400-year eras that begin on 1 March.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (seconds, millis) = (in_day / 1_000, in_day % 1_000);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(instant(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(instant(951_782_400_001), "2000-02-29T00:00:00.001Z");
        assert_eq!(instant(1_795_253_400_123), "2026-11-21T09:30:00.123Z");
        assert_eq!(instant(4_107_542_399_999), "2100-02-28T23:59:59.999Z");
    }
}
