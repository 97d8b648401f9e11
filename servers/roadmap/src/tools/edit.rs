//! What the two tools that edit the user's file have in common.

use crate::file;
use crate::place::{PathText, Place, blocking};
use crate::state::Roadmaps;
use callboard_mcp::{Render, ToolError, clip};
use callboard_roadmap::{EditError, Edited};
use schemars::JsonSchema;
use serde::Serialize;

const LINE_CHARS: usize = 1_000;
/// As much of a line as the audit keeps.
const PIECE_CHARS: usize = 200;

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

/// Which edit it is, for the audit.
pub(crate) struct Deed<'d> {
    pub(crate) verb: &'static str,
    pub(crate) item: &'d str,
}

/// Edits the roadmap in the user's checkout.
pub(crate) async fn edit(
    server: &Roadmaps,
    path: Option<&PathText>,
    roadmap: Option<&str>,
    deed: Deed<'_>,
    change: impl Fn(&[u8]) -> Result<Edited, EditError> + Send + 'static,
) -> Result<EditOutput, ToolError> {
    let place = server.place(path).await?;
    let file = place.document(roadmap);
    let (at, root, git_dir) = (
        file.clone(),
        place.root.clone(),
        place.repo.git_dir().to_owned(),
    );
    let edited = blocking(move || file::edit(&root, &git_dir, &at, change)).await?;
    let output = EditOutput {
        file: file.to_string_lossy().into_owned(),
        line: edited.line,
        changed: edited.changed,
        before: clip(&edited.before, LINE_CHARS).into_owned(),
        after: clip(&edited.after, LINE_CHARS).into_owned(),
    };
    if output.changed {
        write_down(server, &place, &deed, &output).await?;
    }
    Ok(output)
}

/// A file and the board have no transaction in common: the row comes right after the write. A crash between the two
/// leaves an edit that only the user's git tells of.
async fn write_down(
    server: &Roadmaps,
    place: &Place,
    deed: &Deed<'_>,
    output: &EditOutput,
) -> Result<(), ToolError> {
    let piece = |text: &str| callboard_redact::scrub(&clip(text, PIECE_CHARS)).into_owned();
    let detail = [
        ("project", place.root.to_string_lossy().into_owned()),
        ("file", output.file.clone()),
        ("line", output.line.to_string()),
        ("from", piece(&output.before)),
        ("to", piece(&output.after)),
    ];
    server
        .write_down(place, deed.verb, deed.item, &detail)
        .await
        .map_err(|error| {
            ToolError::new(
                error.kind,
                format!(
                    "the file was changed, but the audit has no row of it: {}",
                    error.message
                ),
            )
            .hint("the edit holds; `callboard doctor` looks at the board's directory")
        })
}
