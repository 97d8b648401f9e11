//! What handlers gave back, put into the protocol's shapes.
//!
//! For: content blocks, structured content, pages. Not for: errors (see `error`).

use rmcp::model::{CallToolResult, MetaObject, ResourceContents};
use serde_json::Value;

use crate::decode::json_bytes;
use crate::scrub::scrub_body;
use crate::{Answer, Block, Body, ResourcePage};

impl Answer {
    pub(crate) fn bytes(&self) -> usize {
        let structured = self.structured.as_ref().map_or(0, json_bytes);
        structured + self.blocks.iter().map(Block::len).sum::<usize>()
    }

    pub(crate) fn into_result(self) -> CallToolResult {
        let clean = self.scrubbed();
        let content = clean.blocks.into_iter().map(Block::into_content);
        let mut result = CallToolResult::success(content.collect());
        result.structured_content = clean.structured;
        result
    }
}

/// A page on the wire. Text names the next page in its last line, because models read only the text.
pub(super) fn contents(
    page: ResourcePage,
    uri: String,
    base: &str,
    mime: &str,
) -> ResourceContents {
    let mut body = page.body;
    scrub_body(&mut body);
    let uri = callboard_redact::scrub(&uri).into_owned();
    let next = page.next.map(|cursor| format!("{base}?cursor={cursor}"));
    if let Body::Text(text) = &mut body
        && let Some(next) = &next
        && mime != "application/json"
    {
        text.push_str(&format!("\n[continues: {next}]\n"));
    }
    let contents = body.into_contents(uri, mime);
    match next {
        Some(next) => {
            let mut meta = MetaObject::new();
            meta.insert("callboard/next".to_owned(), Value::String(next));
            contents.with_meta(meta)
        }
        None => contents,
    }
}
