//! Tables, for a terminal or in Markdown, and statistics for them.

/// A table. The first column is text, the others are numbers.
pub struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Creates a table with these column heads.
    pub fn new(heads: Vec<&'static str>, rows: Vec<Vec<String>>) -> Self {
        Self { heads, rows }
    }

    /// Prints the table.
    pub fn print(&self, markdown: bool) {
        let lines = || {
            std::iter::once(self.heads.iter().map(|&head| head.to_owned()).collect()).chain(self.rows.clone())
        };
        let widths: Vec<usize> = (0..self.heads.len())
            .map(|column| lines().map(|line: Vec<String>| line[column].chars().count()).max().unwrap_or(0))
            .collect();
        for (number, line) in lines().enumerate() {
            let cells: Vec<String> = line
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, &width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            if markdown {
                println!("| {} |", cells.join(" | "));
            } else {
                println!("{}", cells.join("  ").trim_end());
            }
            if markdown && number == 0 {
                println!("| --- |{}", " ---: |".repeat(self.heads.len() - 1));
            }
        }
        println!();
    }
}

/// Returns the median; for an even number of values, the mean of the two middle ones.
pub fn median(numbers: &[f64]) -> f64 {
    let sorted = sorted(numbers);
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

/// Returns half of the interquartile range.
pub fn spread(numbers: &[f64]) -> f64 {
    let sorted = sorted(numbers);
    let quartile = |quarter: usize| sorted[(sorted.len() - 1) * quarter / 4];
    (quartile(3) - quartile(1)) / 2.0
}

fn sorted(numbers: &[f64]) -> Vec<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}
