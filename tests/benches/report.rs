//! The table that a run ends with.

/// What a figure has to hold.
#[derive(Clone, Copy)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Below(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Bound::AtMost(limit) => value <= limit,
            Bound::AtLeast(limit) => value >= limit,
            Bound::Below(limit) => value < limit,
        }
    }

    fn said(self) -> String {
        match self {
            Bound::AtMost(limit) => format!("≤ {limit}"),
            Bound::AtLeast(limit) => format!("≥ {limit}"),
            Bound::Below(limit) => format!("< {limit}"),
        }
    }
}

#[derive(Default)]
pub struct Report {
    rows: Vec<[String; 5]>,
    missed: bool,
}

impl Report {
    /// A figure with a bound. `unit` is empty for a ratio.
    pub fn bounded(&mut self, what: &str, value: f64, unit: &str, bound: Bound, beside: String) {
        let holds = bound.holds(value);
        self.missed |= !holds;
        let verdict = if holds { "ok" } else { "MISSED" };
        self.row([
            what.to_owned(),
            format!("{value:.2} {unit}"),
            bound.said(),
            verdict.to_owned(),
            beside,
        ]);
    }

    /// Figures to be read beside the others.
    pub fn plain(&mut self, what: &str, value: String, beside: String) {
        self.row([what.to_owned(), value, String::new(), String::new(), beside]);
    }

    /// A bound that could not be measured does not hold.
    pub fn unmeasured(&mut self, what: &str, why: String) {
        self.missed = true;
        self.row([
            what.to_owned(),
            "-".to_owned(),
            String::new(),
            "MISSED".to_owned(),
            why,
        ]);
    }

    fn row(&mut self, row: [String; 5]) {
        self.rows.push(row.map(|cell| cell.trim_end().to_owned()));
    }

    /// Whether every bound held.
    pub fn held(&self) -> bool {
        !self.missed
    }

    pub fn print(&self) {
        let head = ["", "figure", "bound", "", "beside it"].map(str::to_owned);
        let widths: [usize; 4] = std::array::from_fn(|column| {
            let cells = self
                .rows
                .iter()
                .chain([&head])
                .map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        });
        println!("\n{}", machine());
        for row in [&head].into_iter().chain(&self.rows) {
            let [what, figure, bound, verdict, beside] = row;
            let [w0, w1, w2, w3] = widths;
            println!("{what:<w0$}  {figure:>w1$}  {bound:<w2$}  {verdict:<w3$}  {beside}");
        }
    }
}

/// What the absolute figures depend on most.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let build = if cfg!(debug_assertions) {
        "; a debug build: the figures say nothing"
    } else {
        ""
    };
    format!("on {cores} cores, load {load} (the bench's own included){build}")
}
