//! The packs of the repository: sound, and right about their own example lines.

use std::{fs, path::Path};

use logline::rules::{Pack, RuleSet, test_pack};

#[test]
fn every_pack_of_the_repository_is_right_about_its_own_examples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let mut wrong = Vec::new();
    let mut packs = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        packs += 1;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match Pack::parse(&fs::read(&path).unwrap()) {
            Err(error) => wrong.push(format!("{name}: {error}")),
            Ok(pack) => {
                let report = test_pack(&pack).unwrap();
                for warning in &report.warnings {
                    println!("{name}: {warning}");
                }
                println!(
                    "{name}: {} rules, {} examples",
                    report.rules, report.examples
                );
                wrong.extend(
                    report
                        .failures
                        .iter()
                        .map(|failure| format!("{name}: {failure}")),
                );
            }
        }
    }
    assert!(packs >= 2, "no packs in {}", folder.display());
    assert!(
        wrong.is_empty(),
        "\n{}\n{} wrong",
        wrong.join("\n"),
        wrong.len()
    );
}

#[test]
fn the_built_in_packs_are_there() {
    for name in Pack::BUILTIN {
        let pack = Pack::builtin(name).unwrap();
        assert_eq!(pack.name, name);
        assert!(!pack.taxonomy.categories.is_empty());
        RuleSet::compile(&pack).unwrap();
    }
    let error = Pack::builtin("openstck").unwrap_err();
    assert!(
        error.to_string().contains("did you mean `openstack`"),
        "{error}"
    );
}
