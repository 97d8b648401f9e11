//! What handlers gave back, put into the protocol's shapes.
//!
//! For: content blocks, structured content, pages. Not for: errors (see `error`).

use rmcp::model::{CallToolResult, MetaObject, ResourceContents};
use serde_json::Value;

use crate::content::Size;
use crate::decode::json_bytes;
use crate::scrub::scrub_body;
use crate::{Answer, Block, Body, ResourcePage};

impl Answer {
    pub(crate) fn size(&self) -> Size {
        let structured = self.structured.as_ref().map_or(0, json_bytes);
        let blocks = self.blocks.iter().map(Block::size);
        blocks.chain([Size::text(structured)]).sum()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Embedded, Link};
    use serde_json::json;

    #[test]
    fn pictures_sound_and_files_are_no_text() {
        let big = vec![0_u8; 100_000];
        let file = Block::Resource(Embedded {
            uri: "x://file".to_owned(),
            mime: "application/zip",
            body: Body::Bytes(big.clone()),
        });
        let pictures = Answer {
            structured: None,
            blocks: vec![
                Block::text("a chart"),
                Block::image("image/png", big.clone()),
                Block::audio("audio/wav", big),
                file,
            ],
        };
        let size = pictures.size();
        assert_eq!((size.all, size.text), (300_007, 7));
        let words = Answer {
            structured: Some(json!({"a": 1})),
            blocks: vec![
                Block::resource("x://words", "text/plain", "words"),
                Block::Link(Link {
                    uri: "x://more".to_owned(),
                    name: "more".to_owned(),
                    description: String::new(),
                    mime: "text/plain",
                }),
            ],
        };
        let size = words.size();
        assert_eq!((size.all, size.text), (20, 20));
    }
}
