//! One form for the forms of an English word. Not a dictionary: what comes out need not be a word, only the same for words
//! that belong together. Source: the idea of M. F. Porter, "An algorithm for suffix stripping" (1980), with fewer steps, because
//! log words are short and too much stripping joins what is different.

/// Endings that are taken off once, the longest first; what is left has at least [`LEAST`] letters.
const ENDINGS: [&str; 17] = [
    "ization", "isation", "ations", "ation", "ition", "ion", "ment", "ance", "ence", "able",
    "ible", "ize", "ise", "ate", "ally", "ive", "ity",
];
const LEAST: usize = 4;

/// Forms that no ending tells, with the form that they are read as.
const IRREGULAR: [(&str, &str); 44] = [
    ("began", "begin"),
    ("begun", "begin"),
    ("bound", "bind"),
    ("broke", "break"),
    ("broken", "break"),
    ("brought", "bring"),
    ("built", "build"),
    ("caught", "catch"),
    ("chosen", "choose"),
    ("died", "die"),
    ("dying", "die"),
    ("fallen", "fall"),
    ("fell", "fall"),
    ("found", "find"),
    ("frozen", "freeze"),
    ("froze", "freeze"),
    ("gave", "give"),
    ("given", "give"),
    ("grew", "grow"),
    ("grown", "grow"),
    ("held", "hold"),
    ("hung", "hang"),
    ("kept", "keep"),
    ("left", "leave"),
    ("lost", "lose"),
    ("losing", "lose"),
    ("met", "meet"),
    ("ran", "run"),
    ("read", "read"),
    ("rose", "rise"),
    ("sent", "send"),
    ("slept", "sleep"),
    ("spent", "spend"),
    ("stuck", "stick"),
    ("stolen", "steal"),
    ("taken", "take"),
    ("thrown", "throw"),
    ("threw", "throw"),
    ("took", "take"),
    ("woke", "wake"),
    ("woken", "wake"),
    ("wrote", "write"),
    ("written", "write"),
    ("hidden", "hide"),
];

/// The stem of a word in lower case.
pub(super) fn stem(word: &str) -> String {
    let word = IRREGULAR
        .iter()
        .find(|(form, _)| *form == word)
        .map_or(word, |(_, read_as)| *read_as);
    let mut stem = word.to_owned();
    if stem.len() <= 3 || !stem.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return stem;
    }
    plural(&mut stem);
    for ending in ["ing", "ed"] {
        if let Some(rest) = stem.strip_suffix(ending)
            && rest.len() >= 3
            && rest.bytes().any(|byte| b"aeiouy".contains(&byte))
        {
            stem.truncate(rest.len());
            undouble(&mut stem);
            // `terminated` is a form of `terminate`.
            if ["at", "iz", "bl"].iter().any(|end| stem.ends_with(end)) {
                stem.push('e');
            }
            break;
        }
    }
    for ending in ENDINGS.into_iter().chain(["ly", "al"]) {
        if let Some(rest) = stem.strip_suffix(ending)
            && rest.len() >= LEAST
        {
            stem.truncate(rest.len());
            break;
        }
    }
    if stem.len() > 3 && stem.ends_with('e') {
        stem.pop();
    }
    if stem.len() > 3 && stem.ends_with('i') {
        stem.pop();
        stem.push('y');
    }
    stem
}

fn plural(word: &mut String) {
    if word.ends_with("ies") && word.len() > 4 {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if word.ends_with("sses") {
        word.truncate(word.len() - 2);
    } else if word.ends_with('s') && !["ss", "us", "is"].iter().any(|end| word.ends_with(end)) {
        word.pop();
    }
}

/// `stopp` is `stop`; `fill` and `pass` stay.
fn undouble(word: &mut String) {
    let bytes = word.as_bytes();
    if let [.., before, last] = bytes
        && bytes.len() > 3
        && before == last
        && !b"lsz".contains(last)
    {
        word.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn forms_of_a_word_have_one_stem() {
        for forms in [
            &[
                "terminate",
                "terminates",
                "terminated",
                "terminating",
                "termination",
            ][..],
            &[
                "initialize",
                "initialized",
                "initialization",
                "initializing",
            ],
            &["stop", "stops", "stopped", "stopping"],
            &["retry", "retries", "retried"],
            &["break", "breaks", "breaking", "broken", "broke"],
            &["allocate", "allocated", "allocation", "allocations"],
        ] {
            let stems: Vec<String> = forms.iter().map(|form| stem(form)).collect();
            assert!(stems.windows(2).all(|pair| pair[0] == pair[1]), "{stems:?}");
        }
    }

    #[test]
    fn different_words_stay_different() {
        assert_ne!(stem("process"), stem("processor"));
        assert_ne!(stem("contain"), stem("container"));
        assert_eq!(stem("pod"), "pod");
        assert_eq!(stem("status"), "status");
    }
}
