//! What a broken pack is told: `tests/golden/packs/NAME.yaml` must be refused with exactly the words of `NAME.error`.
//! `BLESS=1` writes the words that come out.

use std::{env, fs, path::Path, time::Instant};

use logline::rules::Pack;

#[test]
fn a_broken_pack_is_refused_with_place_and_remedy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/packs");
    let mut cases = 0;
    let mut wrong = String::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        cases += 1;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let got = match Pack::parse(&fs::read(&path).unwrap()) {
            Ok(_) => "accepted\n".to_owned(),
            Err(error) => format!("{error}\n"),
        };
        let golden = path.with_extension("error");
        if env::var_os("BLESS").is_some() {
            fs::write(&golden, &got).unwrap();
        }
        let wanted = fs::read_to_string(&golden).unwrap_or_default();
        if got != wanted {
            wrong += &format!("{name}:\n  wanted {wanted}  got    {got}");
        }
    }
    assert!(cases >= 20, "only {cases} cases in {}", folder.display());
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn hostile_files_are_refused_in_bounded_time() {
    let head = "version: 1\nname: x\ntaxonomy:\n  version: 1\n  categories: [{id: a, means: b}]\n";
    let deep_flow = format!(
        "{head}rules: {}{}\n",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let mut deep_block = head.to_owned() + "rules:\n";
    for depth in 0..1_500 {
        deep_block += &" ".repeat(depth);
        deep_block += "-\n";
    }
    let laughs = format!(
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
         d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n{head}"
    );
    let groups = format!(
        "{head}rules:\n  - id: a.b\n    category: a\n    regex: ['{}x{}']\n",
        "(".repeat(20_000),
        ")".repeat(20_000)
    );
    let empties = format!(
        "{head}rules:\n  - id: a.b\n    category: a\n    regex: ['{}']\n",
        "(?:(?:(?:a?){900}){900}){900}"
    );
    let junk: Vec<u8> = (0..10_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let letters = b" :-[]{}&*!|>'\"%@`#,?\nab1";
    let text_junk: Vec<u8> = (0..3_000_000_u32)
        .map(|n| letters[(n.wrapping_mul(2_654_435_761) >> 8) as usize % letters.len()])
        .collect();
    let long_key = format!("{head}{}: 1\n", "k".repeat(3_000_000));
    let cases: [(&str, &[u8], &str); 9] = [
        ("flow nesting", deep_flow.as_bytes(), ""),
        ("block nesting", deep_block.as_bytes(), ""),
        ("a billion laughs", laughs.as_bytes(), ""),
        ("regex nesting", groups.as_bytes(), "regex"),
        (
            "multiplied repetitions",
            empties.as_bytes(),
            "at most 5000 are allowed",
        ),
        ("10 MB of junk", &junk, "the file has 10000000 bytes"),
        ("3 MB of junk", &junk[..3_000_000], "not UTF-8"),
        ("3 MB of YAML-like junk", &text_junk, ""),
        ("a long key", long_key.as_bytes(), ""),
    ];
    for (name, text, says) in cases {
        let before = Instant::now();
        let error = Pack::parse(text).unwrap_err();
        let words = error.to_string();
        assert!(words.contains(says), "{name}: {words}");
        assert!(
            words.len() < 4_000,
            "{name}: {} bytes of error",
            words.len()
        );
        // Generous: test builds are slow and the machine is shared. What it must show is that nothing explodes.
        assert!(
            before.elapsed().as_secs() < 20,
            "{name} took {:?}",
            before.elapsed()
        );
        println!(
            "{name}: {:?}: {}",
            before.elapsed(),
            words.chars().take(200).collect::<String>()
        );
    }
}
