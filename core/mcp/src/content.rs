//! What an answer, or a message of a prompt, is made of.
//!
//! For: text, pictures, sound, resources put in whole, and pointers to resources. Not for: structured
//! answers with a schema (see [`Render`]), which most tools should give.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rmcp::model::{ContentBlock, ResourceContents};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Link, Render, ToolError, schema};

/// One block of an answer or of a prompt's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Text for the model.
    Text(String),
    /// A picture.
    Image(Media),
    /// Sound.
    Audio(Media),
    /// A resource, put in whole.
    Resource(Embedded),
    /// A pointer to a resource of the same server.
    Link(Link),
}

/// Bytes and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// The MIME type, for example `image/png`.
    pub mime: &'static str,
    /// The file's bytes; on the wire they are base64.
    pub bytes: Vec<u8>,
}

/// A resource that is put into an answer, so that nobody has to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// The resource's URI.
    pub uri: String,
    /// Its MIME type.
    pub mime: &'static str,
    /// What is in it.
    pub body: Body,
}

/// What is in a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Text.
    Text(String),
    /// Anything else; on the wire it is base64.
    Bytes(Vec<u8>),
}

/// How much an answer is, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// All of it.
    pub(crate) all: usize,
    /// What a model reads as text: no pictures, no sound, no files.
    pub(crate) text: usize,
}

impl Size {
    pub(crate) fn text(bytes: usize) -> Size {
        Size {
            all: bytes,
            text: bytes,
        }
    }

    fn media(bytes: &[u8]) -> Size {
        Size {
            all: bytes.len(),
            text: 0,
        }
    }
}

impl std::iter::Sum for Size {
    fn sum<I: Iterator<Item = Size>>(sizes: I) -> Size {
        sizes.fold(Size::default(), |sum, size| Size {
            all: sum.all + size.all,
            text: sum.text + size.text,
        })
    }
}

impl Body {
    pub(crate) fn size(&self) -> Size {
        match self {
            Body::Text(text) => Size::text(text.len()),
            Body::Bytes(bytes) => Size::media(bytes),
        }
    }

    pub(crate) fn into_contents(self, uri: String, mime: &str) -> ResourceContents {
        match self {
            Body::Text(text) => ResourceContents::text(text, uri),
            Body::Bytes(bytes) => ResourceContents::blob(BASE64_STANDARD.encode(bytes), uri),
        }
        .with_mime_type(mime)
    }
}

impl Block {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Block::Text(text.into())
    }

    /// A picture of this MIME type.
    pub fn image(mime: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Block::Image(Media { mime, bytes })
    }

    /// Sound of this MIME type.
    pub fn audio(mime: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Block::Audio(Media { mime, bytes })
    }

    /// A resource of text, put in whole.
    pub fn resource(uri: impl Into<String>, mime: &'static str, text: impl Into<String>) -> Self {
        Block::Resource(Embedded {
            uri: uri.into(),
            mime,
            body: Body::Text(text.into()),
        })
    }

    pub(crate) fn size(&self) -> Size {
        match self {
            Block::Text(text) => Size::text(text.len()),
            Block::Image(media) | Block::Audio(media) => Size::media(&media.bytes),
            Block::Resource(embedded) => embedded.body.size(),
            Block::Link(link) => Size::text(link.uri.len()),
        }
    }

    pub(crate) fn into_content(self) -> ContentBlock {
        match self {
            Block::Text(text) => ContentBlock::text(text),
            Block::Image(media) => {
                ContentBlock::image(BASE64_STANDARD.encode(media.bytes), media.mime)
            }
            Block::Audio(media) => {
                ContentBlock::audio(BASE64_STANDARD.encode(media.bytes), media.mime)
            }
            Block::Resource(embedded) => {
                ContentBlock::resource(embedded.body.into_contents(embedded.uri, embedded.mime))
            }
            Block::Link(link) => ContentBlock::resource_link(
                rmcp::model::Resource::new(link.uri, link.name)
                    .with_description(link.description)
                    .with_mime_type(link.mime),
            ),
        }
    }
}

/// What a tool may answer with: anything that is [`Serialize`], [`JsonSchema`] and [`Render`], which goes
/// out structured and as text; or [`Blocks`].
pub trait IntoAnswer: 'static {
    /// The schema of the structured part, if there is one.
    fn schema() -> Option<Map<String, Value>>;

    /// The answer.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    fn into_answer(self) -> Result<Answer, ToolError>;
}

/// An answer, ready to be put on the wire.
#[derive(Debug)]
pub struct Answer {
    pub(crate) structured: Option<Value>,
    pub(crate) blocks: Vec<Block>,
}

impl<T: Serialize + JsonSchema + Render + 'static> IntoAnswer for T {
    fn schema() -> Option<Map<String, Value>> {
        Some(schema::of_output::<T>())
    }

    fn into_answer(self) -> Result<Answer, ToolError> {
        let structured = serde_json::to_value(&self).map_err(|error| {
            ToolError::internal(format!("the answer could not be written: {error}"))
        })?;
        let links = self.links().into_iter().map(Block::Link);
        Ok(Answer {
            structured: Some(structured),
            blocks: std::iter::once(Block::Text(self.text()))
                .chain(links)
                .collect(),
        })
    }
}

/// An answer of blocks alone: for pictures and sound, because clients drop blocks beside structured content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocks(pub Vec<Block>);

impl Blocks {
    /// One block of text.
    pub fn text(text: impl Into<String>) -> Self {
        Blocks(vec![Block::text(text)])
    }
}

impl From<Block> for Blocks {
    fn from(block: Block) -> Self {
        Blocks(vec![block])
    }
}

impl IntoAnswer for Blocks {
    fn schema() -> Option<Map<String, Value>> {
        None
    }

    fn into_answer(self) -> Result<Answer, ToolError> {
        Ok(Answer {
            structured: None,
            blocks: self.0,
        })
    }
}

/// An answer that may come with a picture: structured and as text without one; as text and picture where there is
/// one, because clients drop blocks beside structured content. So it declares no schema.
#[derive(Debug, Clone)]
pub struct Illustrated<T> {
    /// The answer.
    pub answer: T,
    /// The picture, where one was asked for.
    pub picture: Option<Media>,
}

impl<T: Serialize + JsonSchema + Render + 'static> IntoAnswer for Illustrated<T> {
    fn schema() -> Option<Map<String, Value>> {
        None
    }

    fn into_answer(self) -> Result<Answer, ToolError> {
        let answer = self.answer.into_answer()?;
        Ok(match self.picture {
            None => answer,
            Some(picture) => Answer {
                structured: None,
                blocks: answer
                    .blocks
                    .into_iter()
                    .chain([Block::Image(picture)])
                    .collect(),
            },
        })
    }
}
