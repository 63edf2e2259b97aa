//! A file of labelled lines.

use std::path::Path;

use anyhow::Context as _;
use logline::level::Level;

/// A line and what is right for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Any of them is right.
    pub(super) categories: Vec<String>,
    /// Any of them is right; empty: the file does not say.
    pub(super) levels: Vec<String>,
    pub(super) line: String,
}

/// Reads a file of labelled lines.
///
/// # Errors
/// Where it cannot be read or a row is none, with the row's number and what is expected.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Row>> {
    let bytes =
        std::fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let rows = parse(&String::from_utf8_lossy(&bytes))
        .map_err(|problem| anyhow::anyhow!("{}:{problem}", path.display()))?;
    anyhow::ensure!(
        !rows.is_empty(),
        "{}: holds no labelled line",
        path.display()
    );
    Ok(rows)
}

fn parse(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (number, row) in (1..).zip(text.lines()) {
        if row.is_empty() || row.starts_with('#') {
            continue;
        }
        let split = row
            .split_once('\t')
            .filter(|(category, _)| !category.is_empty());
        let Some((categories, rest)) = split else {
            return Err(format!(
                "{number}: a row is category, tab, level, tab, line; or category, tab, line"
            ));
        };
        let (levels, line) = match rest.split_once('\t') {
            Some((levels, line)) if names_levels(levels) => (alternatives(levels), line),
            _ => (Vec::new(), rest),
        };
        rows.push(Row {
            categories: alternatives(categories),
            levels,
            line: line.to_owned(),
        });
    }
    Ok(rows)
}

fn alternatives(names: &str) -> Vec<String> {
    names
        .split('|')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn names_levels(text: &str) -> bool {
    text.split('|')
        .all(|name| name.is_empty() || Level::ALL.iter().any(|level| level.as_str() == name))
}

#[cfg(test)]
mod tests {
    use super::{Row, parse};

    #[test]
    fn rows_have_a_level_or_none() {
        let rows =
            parse("# comment\nnetwork|storage\terror\tA\tB\n\nnetwork\tplain\tline\n").unwrap();
        let row = |categories: &[&str], levels: &[&str], line: &str| Row {
            categories: categories.iter().map(ToString::to_string).collect(),
            levels: levels.iter().map(ToString::to_string).collect(),
            line: line.to_owned(),
        };
        assert_eq!(
            rows,
            [
                row(&["network", "storage"], &["error"], "A\tB"),
                row(&["network"], &[], "plain\tline"),
            ]
        );
        assert!(parse("no tab here").unwrap_err().starts_with("1: "));
    }
}
