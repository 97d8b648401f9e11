//! What the two tools that edit the user's file have in common.

use crate::file;
use crate::place::{PathText, blocking};
use crate::state::Roadmaps;
use callboard_mcp::{Render, ToolError, clip};
use callboard_roadmap::{EditError, Edited};
use schemars::JsonSchema;
use serde::Serialize;

const LINE_CHARS: usize = 1_000;

/// What was there and what is there now.
#[derive(Serialize, JsonSchema)]
pub(crate) struct EditOutput {
    file: String,
    line: u32,
    changed: bool,
    before: String,
    after: String,
}

impl Render for EditOutput {
    fn text(&self) -> String {
        if !self.changed {
            return format!(
                "{}:{}: {}\nIt said so already; nothing was written.\n",
                self.file, self.line, self.after
            );
        }
        format!(
            "{}:{}\n- {}\n+ {}\nNot committed: agents see it once it is.\n",
            self.file, self.line, self.before, self.after
        )
    }
}

/// Edits the roadmap in the user's checkout.
pub(crate) async fn edit(
    server: &Roadmaps,
    path: Option<&PathText>,
    roadmap: Option<&str>,
    change: impl Fn(&[u8]) -> Result<Edited, EditError> + Send + 'static,
) -> Result<EditOutput, ToolError> {
    let place = server.place(path).await?;
    let file = place.document(roadmap);
    blocking(move || {
        let edited = file::edit(&place.root, place.repo.git_dir(), &file, change)?;
        Ok(EditOutput {
            file: file.to_string_lossy().into_owned(),
            line: edited.line,
            changed: edited.changed,
            before: clip(&edited.before, LINE_CHARS).into_owned(),
            after: clip(&edited.after, LINE_CHARS).into_owned(),
        })
    })
    .await
}
