//! The ROADMAP.md document: parse it, edit bytes of it
#![allow(dead_code)]
mod analysis;
mod blocks;
mod draft;
mod edit;
mod estimate;
mod facts;
mod fields;
mod gather;
mod labels;
mod lines;
mod lists;
mod marks;
mod model;
mod nearest;
mod outline;
mod parts;
mod read;
mod refs;
mod rendered;
mod resolve;
mod roadmap;
mod style;
mod tables;
mod words;

pub use edit::{Change, EditError, Edited, set_deliverable, set_status};
pub use model::{
    Deliverable, Dependency, Estimate, Importance, Item, ItemKey, ItemKind, Looks, Need,
    NotUnderstood, Status, StatusMark,
};
pub use read::{MAX_BYTES, RoadmapError, read_file};
pub use roadmap::{Choice, Roadmap};

/// Reads a roadmap. Any UTF-8 text is one; what can't be understood is listed in it.
///
/// # Errors
/// [`RoadmapError::NotUtf8`] and [`RoadmapError::TooLarge`].
pub fn parse(text: &[u8]) -> Result<Roadmap, RoadmapError> {
    Ok(analysis::analyse(analysis::decode(text)?).roadmap)
}
