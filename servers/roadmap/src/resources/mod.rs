//! The resources, one file each. They show the client's project; the tools reach others by path.

mod document;
mod table;

pub(crate) use document::Document;
pub(crate) use table::{Table, markdown as table_markdown};
