//! Whole logs of real servers (the evaluation data, which is no part of the repository) read without a line lost.

use crate::harness::{eval_data, logsieve, objects, text};

#[test]
fn whole_logs_of_real_servers_come_out_line_by_line() {
    let Some(data) = eval_data() else { return };
    let mut files = 0;
    for folder in ["zoo/raw", "loghub"] {
        for entry in std::fs::read_dir(data.join(folder)).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_none_or(|ending| ending != "log") {
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&file).unwrap();
            let path = file.to_str().unwrap();
            let output = logsieve(["classify", "--format", "json", path], b"").expect(0);
            let joined: Vec<String> = objects(&output.stdout)
                .iter()
                .flat_map(|event| {
                    event["line"]
                        .as_str()
                        .unwrap()
                        .split('\n')
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                })
                .collect();
            let kept = |line: &String| !line.trim_ascii().is_empty();
            let want: Vec<String> = text(&bytes)
                .split('\n')
                .map(|line| line.trim_end_matches('\r').to_owned())
                .filter(kept)
                .collect();
            let got: Vec<String> = joined.into_iter().filter(kept).collect();
            let differs = want.iter().zip(&got).position(|(want, got)| want != got);
            assert!(
                want == got,
                "{path}: {} lines in, {} out, first difference at {differs:?}",
                want.len(),
                got.len()
            );
            let one_each = objects(
                &logsieve(["classify", "--format", "json", "--no-join", path], b"")
                    .expect(0)
                    .stdout,
            )
            .len();
            let lines =
                bytes.split(|byte| *byte == b'\n').count() - usize::from(bytes.ends_with(b"\n"));
            assert_eq!(one_each, lines, "{path}: --no-join");
        }
    }
    assert!(files > 20, "{files} files");
}
