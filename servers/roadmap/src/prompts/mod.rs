//! The prompts, one file each.

mod plan_roadmap;
mod report_roadmap;

pub(crate) use plan_roadmap::PlanRoadmap;
pub(crate) use report_roadmap::ReportRoadmap;
