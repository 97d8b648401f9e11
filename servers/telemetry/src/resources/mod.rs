//! What can be read: costs of a period as a table and as a picture, and one call in full.

mod call;
mod chart;
mod costs;

pub use call::Call;
pub use chart::Chart;
pub use costs::Costs;
