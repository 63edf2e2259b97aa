//! What a model has said, held against what was asked: only answers of the asked form about asked templates with allowed
//! categories come through.

use serde::Deserialize;
use serde_json::Value;

/// What nobody can say of a template: an answer of its own.
pub(super) const ABSTAINED: &str = "unclassified";
/// Longest reason, in characters.
const WHY_CHARS: usize = 200;

/// What the model has said of one template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// None: it abstains.
    pub(super) category: Option<String>,
    pub(super) why: String,
}

/// What is wrong with a reply, or with one answer in it: a word for metrics, of a closed set.
pub(super) type Fault = &'static str;

/// What came of a reply.
#[derive(Debug, Default)]
pub(super) struct Understood {
    /// For each template that was asked about, in their order.
    pub(super) said: Vec<Option<Said>>,
    /// Everything that was wrong.
    pub(super) faults: Vec<Fault>,
}

#[derive(Deserialize)]
struct Reply {
    answers: Vec<Value>,
}

/// Reads `content` as the answer about `asked` templates. `allowed` says which categories there are; `whole` whether the
/// reply came to its end.
pub(super) fn understand(
    content: &str,
    whole: bool,
    asked: usize,
    allowed: &dyn Fn(&str) -> bool,
) -> Understood {
    let mut understood = Understood {
        said: vec![None; asked],
        faults: Vec::new(),
    };
    let text = bare(content);
    if text.is_empty() {
        understood.faults.push(if whole { "empty" } else { "cut" });
        return understood;
    }
    let reply: Reply = match serde_json::from_str(text) {
        Ok(reply) => reply,
        Err(_) => {
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            understood.faults.push(match (whole, is_json) {
                (false, _) => "cut",
                (true, true) => "shape",
                (true, false) => "no_json",
            });
            return understood;
        }
    };
    let mut twice = vec![false; asked];
    for answer in reply.answers {
        let number = answer.get("i").and_then(Value::as_u64);
        let place = number
            .and_then(|number| usize::try_from(number).ok()?.checked_sub(1))
            .filter(|place| *place < asked);
        let Some(place) = place else {
            understood.faults.push("wrong_index");
            continue;
        };
        let category = answer.get("category").and_then(Value::as_str);
        let Some(category) = category.map(str::trim) else {
            understood.faults.push("shape");
            continue;
        };
        let category = match category {
            ABSTAINED => None,
            known if allowed(known) => Some(known.to_owned()),
            _ => {
                understood.faults.push("unknown_category");
                continue;
            }
        };
        let why = answer.get("why").and_then(Value::as_str);
        let said = Said {
            category,
            why: one_line(why.unwrap_or_default()),
        };
        match &mut understood.said[place] {
            // Two answers for one template that differ are none.
            Some(before) if before.category != said.category => twice[place] = true,
            known => *known = Some(said),
        }
    }
    for (said, twice) in understood.said.iter_mut().zip(twice) {
        if twice {
            *said = None;
            understood.faults.push("twice");
        }
    }
    let missing = understood.said.iter().filter(|said| said.is_none()).count();
    if missing > 0 && understood.faults.is_empty() {
        understood.faults.push("missing");
    }
    understood
}

/// The reply without what some models put around an answer: thoughts before it, a fence around it. Prose stays prose.
fn bare(content: &str) -> &str {
    let mut text = content.trim();
    if let Some(rest) = text.strip_prefix("<think>") {
        let Some((_, after)) = rest.split_once("</think>") else {
            return "";
        };
        text = after.trim();
    }
    let fenced = text
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"));
    let Some(inside) = fenced else { return text };
    inside.strip_prefix("json").unwrap_or(inside).trim()
}

/// A text of the model's for people: one line, without control characters.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    super::question::cut(&line, WHY_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understand(content: &str, asked: usize) -> Understood {
        let allowed = |category: &str| ["network", "storage"].contains(&category);
        super::understand(content, true, asked, &allowed)
    }

    fn categories(understood: &Understood) -> Vec<Option<&str>> {
        let category = |said: &Option<Said>| said.as_ref().map(|said| said.category.is_some());
        assert!(
            understood
                .said
                .iter()
                .all(|said| category(said) != Some(false))
        );
        let said = understood.said.iter();
        said.map(|said| said.as_ref().and_then(|said| said.category.as_deref()))
            .collect()
    }

    #[test]
    fn answers_of_the_asked_form_come_through() {
        let understood = understand(
            r#"{"answers":[{"i":2,"category":"storage","why":"a\n disk \u001b[31m"},{"i":1,"category":" network "}]}"#,
            2,
        );
        assert_eq!(categories(&understood), [Some("network"), Some("storage")]);
        assert!(understood.faults.is_empty());
        assert_eq!(understood.said[1].as_ref().unwrap().why, "a disk [31m");
        let abstained = understand(
            r#"{"answers":[{"i":1,"category":"unclassified","why":""}]}"#,
            1,
        );
        assert_eq!(abstained.said[0].as_ref().unwrap().category, None);
    }

    #[test]
    fn a_fence_and_thoughts_around_the_answer_are_taken_off() {
        let answer = r#"{"answers":[{"i":1,"category":"network"}]}"#;
        for reply in [
            format!("```json\n{answer}\n```"),
            format!("```{answer}```"),
            format!("<think>hm {{}}</think>\n{answer}"),
        ] {
            assert_eq!(
                categories(&understand(&reply, 1)),
                [Some("network")],
                "{reply}"
            );
        }
    }

    #[test]
    fn everything_else_is_counted_and_never_becomes_a_category() {
        for (reply, fault) in [
            ("", "empty"),
            ("   \n", "empty"),
            ("I think it is network.", "no_json"),
            (
                r#"Sure! {"answers":[{"i":1,"category":"network"}]}"#,
                "no_json",
            ),
            (r#"{"answers":[{"i":1,"category":"networ"#, "no_json"),
            ("<think>for ever", "empty"),
            ("[]", "shape"),
            ("null", "shape"),
            (r#"{"answer":"network"}"#, "shape"),
            (r#"{"answers":{"1":"network"}}"#, "shape"),
            (r#"{"answers":[{"i":1}]}"#, "shape"),
            (r#"{"answers":["network"]}"#, "wrong_index"),
            (
                r#"{"answers":[{"i":0,"category":"network"}]}"#,
                "wrong_index",
            ),
            (
                r#"{"answers":[{"i":2,"category":"network"}]}"#,
                "wrong_index",
            ),
            (
                r#"{"answers":[{"i":-1,"category":"network"}]}"#,
                "wrong_index",
            ),
            (
                r#"{"answers":[{"i":18446744073709551615,"category":"network"}]}"#,
                "wrong_index",
            ),
            (
                r#"{"answers":[{"i":"1","category":"network"}]}"#,
                "wrong_index",
            ),
            (
                r#"{"answers":[{"i":1,"category":"Networking"}]}"#,
                "unknown_category",
            ),
            (
                r#"{"answers":[{"i":1,"category":"network"},{"i":1,"category":"storage"}]}"#,
                "twice",
            ),
            (r#"{"answers":[]}"#, "missing"),
        ] {
            let understood = understand(reply, 1);
            assert_eq!(categories(&understood), [None], "{reply}");
            assert_eq!(understood.faults, [fault], "{reply}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(understand(&deep, 1).faults, ["no_json"]);
        let cut = super::understand("{\"answers\":[", false, 1, &|_| true);
        assert_eq!(cut.faults, ["cut"]);
    }

    #[test]
    fn one_bad_answer_spoils_no_other() {
        let understood = understand(
            r#"{"answers":[{"i":1,"category":"nonsense"},{"i":2,"category":"storage"},{"i":9,"category":"network"}]}"#,
            3,
        );
        assert_eq!(categories(&understood), [None, Some("storage"), None]);
        assert_eq!(understood.faults, ["unknown_category", "wrong_index"]);
    }
}
