//! What handlers gave back, put into the protocol's shapes.
//!
//! For: content blocks, structured content, pages. Not for: errors (see `error`).

use rmcp::model::{CallToolResult, ContentBlock, MetaObject, ResourceContents};
use serde_json::Value;

use crate::decode::json_bytes;
use crate::{Link, ResourcePage};

/// A tool's answer, ready for the wire.
pub(super) struct Answer {
    pub(super) structured: Value,
    pub(super) text: String,
    pub(super) links: Vec<Link>,
}

impl Answer {
    pub(super) fn bytes(&self) -> usize {
        json_bytes(&self.structured) + self.text.len()
    }

    pub(super) fn into_result(self) -> CallToolResult {
        let links = self.links.into_iter().map(|link| {
            ContentBlock::ResourceLink(
                rmcp::model::Resource::new(link.uri, link.name)
                    .with_description(link.description)
                    .with_mime_type(link.mime),
            )
        });
        let content = std::iter::once(ContentBlock::text(self.text)).chain(links);
        let mut result = CallToolResult::success(content.collect());
        result.structured_content = Some(self.structured);
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
    let mut text = page.text;
    let next = page.next.map(|cursor| format!("{base}?cursor={cursor}"));
    if let Some(next) = &next
        && mime != "application/json"
    {
        text.push_str(&format!("\n[continues: {next}]\n"));
    }
    let contents = ResourceContents::text(text, uri).with_mime_type(mime);
    match next {
        Some(next) => {
            let mut meta = MetaObject::new();
            meta.insert("callboard/next".to_owned(), Value::String(next));
            contents.with_meta(meta)
        }
        None => contents,
    }
}
