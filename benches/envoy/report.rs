//! Results of the measurements: costs relative to the listener without a filter, and limits met or missed.

use crate::cases::{BARE, Case, EMPTY, LIMITS, Limit};
use crate::measure::Samples;
use crate::table::{Table, median, spread};

/// CPU time per request, computed from samples, minus that of the listener without a filter.
pub struct Costs<'s>(pub &'s Samples);

impl Costs<'_> {
    /// Returns the cost in microseconds; `None` if the case was not measured.
    pub fn of(&self, case: &str) -> Option<f64> {
        Some(median(self.0.get(case)?))
    }

    /// Returns the ratio of one case to another.
    pub fn ratio(&self, case: &str, over: &str) -> Option<f64> {
        Some(self.of(case)? / self.of(over)?)
    }

    /// Returns a table of all cases.
    pub fn table(&self, cases: &[&Case]) -> Table {
        let heads = vec!["case", "µs", "over the empty filter", "over Envoy's own", "spread"];
        Table::new(heads, cases.iter().filter_map(|case| self.row(case)).collect())
    }

    fn row(&self, case: &Case) -> Option<Vec<String>> {
        let ratio = |over: &str| self.ratio(case.name, over).map(|ratio| format!("{ratio:.2}×"));
        let samples = self.0.get(case.name)?;
        let spread = format!("±{:.2}", spread(samples));
        if case.name == BARE {
            let (name, whole) = (format!("{BARE}, the whole request"), format!("{:.1}", median(samples)));
            return Some(vec![name, whole, String::new(), String::new(), spread]);
        }
        let native = case.native.and_then(ratio).unwrap_or_default();
        let cost = self.of(case.name)?;
        let cost = if cost < 10.0 { format!("{cost:.2}") } else { format!("{cost:.1}") };
        Some(vec![case.name.to_owned(), cost, ratio(EMPTY).unwrap_or_default(), native, spread])
    }
}

/// Limits and their results.
pub struct Verdicts(Vec<Verdict>);

struct Verdict {
    what: String,
    measured: String,
    at_most: String,
    goal: String,
    outcome: Outcome,
}

#[derive(PartialEq, Eq)]
enum Outcome {
    Missed,
    Met,
    GoalMet,
}

impl Outcome {
    fn of(measured: f64, at_most: f64, goal: Option<f64>) -> Self {
        // Noise can make a cost close to zero negative, which proves nothing.
        match measured {
            _ if !(0.0..=at_most).contains(&measured) => Self::Missed,
            _ if goal.is_some_and(|goal| measured <= goal) => Self::GoalMet,
            _ => Self::Met,
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::Missed => "MISSED",
            Self::Met => "met",
            Self::GoalMet => "goal met",
        }
    }
}

impl Verdicts {
    /// Creates an empty list.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Returns the verdicts on ratios of CPU time that were measured.
    pub fn on_ratios(costs: &Costs<'_>) -> Self {
        let verdict = |limit: &Limit| {
            let ratio = costs.ratio(limit.case, limit.over)?;
            Some(Verdict {
                what: format!("{} over {}", limit.case, limit.over),
                measured: format!("{ratio:.2}×"),
                at_most: format!("{:.2}×", limit.at_most),
                goal: limit.goal.map_or(String::new(), |goal| format!("{goal:.2}×")),
                outcome: Outcome::of(ratio, limit.at_most, limit.goal),
            })
        };
        Self(LIMITS.iter().filter_map(verdict).collect())
    }

    /// Adds a verdict on an amount with a unit.
    pub fn add(&mut self, what: &str, measured: f64, at_most: f64, unit: &str) {
        self.0.push(Verdict {
            what: what.to_owned(),
            measured: format!("{measured:.2} {unit}"),
            at_most: format!("{at_most} {unit}"),
            goal: String::new(),
            outcome: Outcome::of(measured.max(0.0), at_most, None),
        });
    }

    /// True if no limit is missed.
    pub fn all_met(&self) -> bool {
        self.0.iter().all(|verdict| verdict.outcome != Outcome::Missed)
    }

    /// Returns the verdicts as a table.
    pub fn table(&self) -> Table {
        let row = |verdict: &Verdict| {
            vec![
                verdict.what.clone(),
                verdict.measured.clone(),
                verdict.at_most.clone(),
                verdict.goal.clone(),
                verdict.outcome.text().to_owned(),
            ]
        };
        Table::new(vec!["limit", "measured", "at most", "goal", ""], self.0.iter().map(row).collect())
    }
}
