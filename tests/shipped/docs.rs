//! What the documentation shows is what the binary takes.

use std::fs;
use std::process::Command;

use super::tool;
use crate::harness::{dir, logsieve, repo};

/// The blocks of YAML in a page, each with the number of its first line.
fn yaml_blocks(page: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (number, line) in (1..).zip(page.lines()) {
        match line.trim_end() {
            "```yaml" => {
                inside = true;
                found.push((number + 1, String::new()));
            }
            "```" => inside = false,
            _ if inside => {
                let (_, text) = found.last_mut().unwrap();
                text.push_str(line);
                text.push('\n');
            }
            _ => {}
        }
    }
    found
}

/// Top-level keys of a configuration.
const SETTINGS: [&str; 9] = [
    "sources",
    "events",
    "classify",
    "llm",
    "store",
    "sinks",
    "api",
    "telemetry",
    "log",
];

#[test]
fn every_configuration_and_pack_in_the_documentation_is_taken() {
    let dir = dir();
    let mut pages = vec![repo().join("README.md")];
    pages.extend(
        super::files(&repo().join("docs"))
            .into_iter()
            .filter(|path| path.extension().is_some_and(|ending| ending == "md")),
    );
    let (mut settings, mut packs) = (0, 0);
    for page in &pages {
        for (line, block) in yaml_blocks(&fs::read_to_string(page).unwrap()) {
            let first = block.split(':').next().unwrap_or_default();
            let path = dir.path().join("shown.yaml");
            fs::write(&path, &block).unwrap();
            let shown = path.to_str().unwrap();
            let done = if SETTINGS.contains(&first) {
                settings += 1;
                logsieve(["check", shown], b"")
            } else if first == "version" {
                packs += 1;
                logsieve(["rules", "test", shown], b"")
            } else {
                continue;
            };
            assert_eq!(done.code, 0, "{}:{line}: {}", page.display(), done.stderr);
        }
    }
    assert!(settings >= 12 && packs >= 2, "{settings} {packs}");
}

#[test]
fn the_page_on_the_configuration_is_made_from_the_defaults() {
    tool(Command::new(repo().join("scripts/docs")).arg("--check"));
}
