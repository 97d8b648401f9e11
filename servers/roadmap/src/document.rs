//! A roadmap as it is understood: from the user's files or from a commit, its items in short.
//!
//! For: reading and shaping the document for tools and resources. Not for: parsing it (callboard_roadmap).

use crate::errors;
use crate::place::{Place, blocking};
use callboard_mcp::{ToolError, clip};
use callboard_roadmap::{Item, NotUnderstood, Roadmap, read_file};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// How much of a title is shown.
const TITLE_CHARS: usize = 160;
/// How many dependencies of an item are named.
const DEPENDENCIES: usize = 40;

/// A roadmap and where it was read.
pub(crate) struct Document {
    pub(crate) file: String,
    /// The commit it was read from; none for the user's files.
    pub(crate) commit: Option<String>,
    pub(crate) roadmap: Roadmap,
}

/// Reads the roadmap from the user's files, or as it is in `revision`.
pub(crate) async fn read(
    place: &Place,
    file: Option<&str>,
    revision: Option<&str>,
) -> Result<Document, ToolError> {
    let path = place.document(file);
    let revision = revision.map(str::to_owned);
    let place = place.clone();
    blocking(move || {
        let (bytes, commit) = match &revision {
            None => (
                read_file(&place.root, &path).map_err(|error| errors::roadmap(&error))?,
                None,
            ),
            Some(revision) => committed(&place, &path, revision)?,
        };
        let roadmap = callboard_roadmap::parse(&bytes).map_err(|error| errors::roadmap(&error))?;
        Ok(Document {
            file: path.to_string_lossy().into_owned(),
            commit,
            roadmap,
        })
    })
    .await
}

fn committed(
    place: &Place,
    path: &Path,
    revision: &str,
) -> Result<(Vec<u8>, Option<String>), ToolError> {
    let commit = place
        .repo
        .resolve(revision)
        .map_err(|error| errors::git(&error))?
        .ok_or_else(|| {
            ToolError::not_found(format!(
                "revision: {revision:?} names no commit of {}",
                place.root.display()
            ))
            .hint("name a branch, a tag or a commit; leave revision out for the files as they are")
        })?;
    let bytes = place
        .repo
        .file_at(&commit, path)
        .map_err(|error| errors::git(&error))?
        .ok_or_else(|| {
            ToolError::not_found(format!(
                "{} is not in commit {}",
                path.display(),
                commit.short()
            ))
            .hint("commit it first, or name its path with roadmap")
        })?;
    Ok((bytes, Some(commit.to_string())))
}

/// An item in short.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ItemLine {
    key: String,
    title: String,
    status: String,
    line: u32,
    depth: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<String>,
    /// "2/5": done and all.
    #[serde(skip_serializing_if = "Option::is_none")]
    deliverables: Option<String>,
}

impl ItemLine {
    pub(crate) fn of(roadmap: &Roadmap, item: &Item) -> ItemLine {
        ItemLine {
            key: item.key.to_string(),
            title: clip(&title(item), TITLE_CHARS).into_owned(),
            status: roadmap
                .status_of(&item.key)
                .unwrap_or(callboard_roadmap::Status::Planned)
                .words()
                .to_lowercase(),
            line: item.line,
            depth: item.depth,
            duration: item
                .duration()
                .map(|estimate| &estimate.text)
                .or(item.window.as_ref())
                .map(|text| clip(text, TITLE_CHARS).into_owned()),
            depends_on: depends_on(item),
            deliverables: ticked(item),
        }
    }

    /// The item in a line, below the one it is a part of.
    pub(crate) fn write(&self, out: &mut String) {
        let indent = "  ".repeat(self.depth.min(8) as usize);
        let _ = write!(
            out,
            "{indent}- {} {}: {}",
            self.key, self.title, self.status
        );
        if let Some(duration) = &self.duration {
            let _ = write!(out, ", {duration}");
        }
        if let Some(ticked) = &self.deliverables {
            let _ = write!(out, ", deliverables {ticked}");
        }
        if !self.depends_on.is_empty() {
            let _ = write!(out, ", after {}", self.depends_on.join(", "));
        }
        let _ = writeln!(out, " (line {})", self.line);
    }
}

/// "PRIORITY 3.5: Error dashboard".
pub(crate) fn title(item: &Item) -> String {
    match &item.label {
        Some(label) if !label.is_empty() => format!("{label}: {}", item.title),
        _ => item.title.clone(),
    }
}

/// What an item says it waits for: keys, and in quotes what names no item.
fn depends_on(item: &Item) -> Vec<String> {
    let mut named = Vec::new();
    for dependency in item
        .dependencies
        .iter()
        .filter(|dependency| !dependency.none)
    {
        named.extend(dependency.on.iter().map(ToString::to_string));
        if dependency.all_others {
            named.push("all others".to_owned());
        }
        if dependency.unresolved {
            named.push(format!("{:?}", clip(&dependency.text, TITLE_CHARS)));
        }
    }
    let more = named.len().saturating_sub(DEPENDENCIES);
    named.truncate(DEPENDENCIES);
    if more > 0 {
        named.push(format!("{more} more, in its text"));
    }
    named
}

fn ticked(item: &Item) -> Option<String> {
    let all = item.deliverables.len();
    let done = item
        .deliverables
        .iter()
        .filter(|deliverable| deliverable.done)
        .count();
    (all > 0).then(|| format!("{done}/{all}"))
}

/// The lines that were not understood, each with its number and why.
pub(crate) fn not_understood(roadmap: &Roadmap) -> Vec<String> {
    let words = |unread: &NotUnderstood| {
        format!("line {}: {} ({})", unread.line, unread.text, unread.reason)
    };
    roadmap.not_understood.iter().map(words).collect()
}

/// The whole document as it is understood, in Markdown.
pub(crate) fn markdown(document: &Document) -> String {
    let roadmap = &document.roadmap;
    let mut out = format!(
        "# {}\n\n",
        roadmap.title.as_deref().unwrap_or(&document.file)
    );
    let _ = writeln!(
        out,
        "{} items, {} of them to be worked.\n",
        roadmap.items.len(),
        roadmap.open_work().len()
    );
    for item in &roadmap.items {
        ItemLine::of(roadmap, item).write(&mut out);
    }
    let unread = not_understood(roadmap);
    if !unread.is_empty() {
        out.push_str("\n## Not understood\n\n");
        for line in unread {
            let _ = writeln!(out, "- {line}");
        }
    }
    out
}
