//! A router's order of prompts, and the figures of it.
//! For: arithmetic over groups of prompts. Not for: where the order comes from.

/// Prompts that a router does not tell apart, all of them together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    /// How many.
    pub prompts: f64,
    /// Of them, those where the strong model does better.
    pub need: f64,
    /// What the strong model's scores are more than the cheap one's.
    pub gain: f64,
    /// The same of its costs.
    pub dearer: f64,
}

/// All prompts, those first that the router would rather send to the strong model.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    groups: Vec<Group>,
    score: f64,
    cost: Option<f64>,
    /// Everything to the strong model.
    end: Point,
}

/// Where a curve is when a share of the prompts went to the strong model; sums as in [`Curve`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Point {
    pub prompts: f64,
    pub gain: f64,
    pub dearer: f64,
}

/// Sums of hundred thousands of numbers are not exact.
const NEARLY: f64 = 1e-9;

impl Curve {
    /// `score` and `cost` are what the cheap model's come to; without the cost not all costs are known.
    pub fn new(groups: Vec<Group>, score: f64, cost: Option<f64>) -> Curve {
        let mut end = Point::default();
        for group in &groups {
            end = end.after(group);
        }
        Curve {
            groups,
            score,
            cost,
            end,
        }
    }

    /// Where each group ends, from nothing on.
    fn corners(&self) -> impl Iterator<Item = (Point, Point)> + '_ {
        self.groups.iter().scan(Point::default(), |at, group| {
            let from = *at;
            *at = from.after(group);
            Some((from, *at))
        })
    }

    /// When this share of the prompts went to the strong model.
    pub fn at(&self, share: f64) -> Point {
        let wanted = share * self.end.prompts;
        let mut last = Point::default();
        for (from, to) in self.corners() {
            if to.prompts >= wanted {
                let width = to.prompts - from.prompts;
                let part = if width > 0.0 {
                    (wanted - from.prompts) / width
                } else {
                    0.0
                };
                return between(from, to, part);
            }
            last = to;
        }
        last
    }

    /// The mean of the gap recovered; the gap must not be 0.
    pub fn apgr(&self) -> f64 {
        let end = self.end;
        let area: f64 = self
            .corners()
            .map(|(from, to)| (to.prompts - from.prompts) * f64::midpoint(from.gain, to.gain))
            .sum();
        area / (end.prompts * end.gain)
    }

    /// The least share of prompts for the strong model at which so much of the gap is recovered.
    pub fn cpt(&self, recovered: f64) -> f64 {
        let end = self.end;
        let wanted = recovered * end.gain - NEARLY;
        for (from, to) in self.corners() {
            if to.gain >= wanted {
                let rise = to.gain - from.gain;
                let part = if rise > 0.0 {
                    ((wanted - from.gain) / rise).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                return between(from, to, part).prompts / end.prompts;
            }
        }
        1.0
    }

    /// How well the order tells prompts that need the strong model from others; `None`: there are not both.
    pub fn auc(&self) -> Option<f64> {
        let (mut above, mut right, mut others) = (0.0, 0.0, 0.0);
        for group in &self.groups {
            let without = group.prompts - group.need;
            right += without * (above + group.need / 2.0);
            above += group.need;
            others += without;
        }
        let pairs = above * others;
        (pairs > 0.0).then(|| right / pairs)
    }

    /// The share of the strong model's cost that can be saved while the mean score is at least this share of its.
    pub fn saved(&self, quality: f64) -> Option<f64> {
        let cost = self.cost?;
        let end = self.end;
        let strong = cost + end.dearer;
        if strong <= 0.0 {
            return None;
        }
        let wanted = quality * (self.score + end.gain) - self.score - NEARLY;
        // The cost runs straight between corners, so it is least at one of them or where the score gets there.
        let mut least = f64::INFINITY;
        let mut try_at = |point: Point| {
            if point.gain >= wanted {
                least = least.min(point.dearer);
            }
        };
        try_at(Point::default());
        for (from, to) in self.corners() {
            let rise = to.gain - from.gain;
            if (from.gain < wanted) != (to.gain < wanted) && rise.abs() > 0.0 {
                let mut there = between(from, to, (wanted - from.gain) / rise);
                there.gain = wanted;
                try_at(there);
            }
            try_at(to);
        }
        least.is_finite().then(|| 1.0 - (cost + least) / strong)
    }
}

impl Point {
    fn after(self, group: &Group) -> Point {
        Point {
            prompts: self.prompts + group.prompts,
            gain: self.gain + group.gain,
            dearer: self.dearer + group.dearer,
        }
    }
}

fn between(from: Point, to: Point, part: f64) -> Point {
    let mix = |from: f64, to: f64| from + (to - from) * part;
    Point {
        prompts: mix(from.prompts, to.prompts),
        gain: mix(from.gain, to.gain),
        dearer: mix(from.dearer, to.dearer),
    }
}
