//! What a path leads to.
//!
//! For: telling the servers, pages and endpoints apart. Not for: who may go there (`route`).

use std::sync::Arc;

use super::endpoint::Endpoints;
use super::mount::Mount;
use super::page::Page;

/// What a path leads to.
#[derive(Clone, Copy)]
pub(super) enum Place<'s> {
    Health,
    Ready,
    Streamable(&'s Arc<Mount>),
    /// The stream of the older transport.
    Stream(&'s Arc<Mount>),
    /// Where the messages of the older transport go.
    Message(&'s Arc<Mount>),
    Page(&'s Page),
    /// Endpoints that are no MCP.
    Endpoints(&'s dyn Endpoints),
    Nowhere,
}

impl<'s> Place<'s> {
    pub(super) fn of(
        path: &str,
        pages: &'s [Page],
        endpoints: &'s [Arc<dyn Endpoints>],
        mounts: &'s [Arc<Mount>],
    ) -> Self {
        match path {
            "/health" => return Place::Health,
            "/ready" => return Place::Ready,
            _ => {}
        }
        if let Some(page) = pages.iter().find(|page| page.is_at(path)) {
            return Place::Page(page);
        }
        let mut families = endpoints.iter();
        if let Some(found) = families.find(|family| path.starts_with(family.under())) {
            return Place::Endpoints(found.as_ref());
        }
        let Some((name, endpoint)) = path.strip_prefix('/').and_then(|path| path.split_once('/'))
        else {
            return Place::Nowhere;
        };
        let mount = mounts.iter().find(|mount| mount.name() == name);
        match (mount, endpoint) {
            (Some(mount), "mcp") => Place::Streamable(mount),
            (Some(mount), "sse") => Place::Stream(mount),
            (Some(mount), "message") => Place::Message(mount),
            _ => Place::Nowhere,
        }
    }
}
