//! Shell-like patterns for names: `*` stands for anything, `?` for one byte, ASCII case does not count.

/// A pattern of `when:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Box<[u8]>);

impl Glob {
    /// Keeps `pattern` in lower case, with runs of `*` as one.
    pub(super) fn new(pattern: &str) -> Self {
        let mut bytes = pattern.to_ascii_lowercase().into_bytes();
        bytes.dedup_by(|a, b| *a == b'*' && *b == b'*');
        Self(bytes.into_boxed_slice())
    }

    /// The pattern, in lower case.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it fits a name exactly when it fits the name with other numbers in it.
    pub(super) fn is_blind(&self) -> bool {
        !self
            .0
            .iter()
            .any(|byte| *byte == b'?' || byte.is_ascii_digit())
    }

    /// A name that fits.
    pub(super) fn sample(&self) -> String {
        let name: Vec<u8> = self
            .0
            .iter()
            .filter(|byte| **byte != b'*')
            .map(|byte| if *byte == b'?' { b'x' } else { *byte })
            .collect();
        String::from_utf8_lossy(&name).into_owned()
    }

    /// Whether the whole of `name` fits. Goes back to the last `*` only, so that the cost is at most pattern x name.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        let pattern = &self.0;
        let (mut p, mut n) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p + 1, n));
                    p += 1;
                }
                Some(&byte) if byte == b'?' || byte == name[n].to_ascii_lowercase() => {
                    p += 1;
                    n += 1;
                }
                _ => {
                    let Some((after, from)) = star else {
                        return false;
                    };
                    star = Some((after, from + 1));
                    p = after;
                    n = from + 1;
                }
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn star_question_and_case() {
        for (pattern, name, fits) in [
            ("sshd", "sshd", true),
            ("sshd", "sshd-session", false),
            ("SSHD*", "sshd-session", true),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("?", "", false),
            ("??", "ab", true),
            ("**x", "aaax", true),
            ("", "", true),
        ] {
            assert_eq!(
                Glob::new(pattern).matches(name.as_bytes()),
                fits,
                "{pattern} on {name}"
            );
        }
    }
}
