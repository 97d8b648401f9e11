//! The tools, one file each.

mod edit;
mod item_check;
mod item_set_status;
mod roadmap_load;
mod roadmap_read;
mod roadmap_start;
mod roadmap_status;
mod roadmap_stop;
mod roadmap_wait;

pub(crate) use item_check::ItemCheck;
pub(crate) use item_set_status::ItemSetStatus;
pub(crate) use roadmap_load::RoadmapLoad;
pub(crate) use roadmap_read::RoadmapRead;
pub(crate) use roadmap_start::RoadmapStart;
pub(crate) use roadmap_status::RoadmapStatus;
pub(crate) use roadmap_stop::RoadmapStop;
pub(crate) use roadmap_wait::RoadmapWait;
