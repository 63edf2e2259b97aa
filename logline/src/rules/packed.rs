//! A pack without what only people and tests need (examples, meanings, places in the file), as bytes that take no YAML to read: for the
//! plugins for wasm32, which have 2 MiB for everything.
//!
//! Layout: [`MAGIC`], the XXH3-64 of the rest, and then, numbers as LEB128 and texts and lists with their length before them, what
//! [`Pack::pack`] writes, in its order.

use xxhash_rust::xxh3::xxh3_64;

use super::{
    check::is_name,
    engine::RuleSet,
    error::PackError,
    glob::Glob,
    literals::Required,
    pack::{Category, Pack, Rule, Scope, Taxonomy, When},
};
use crate::{event::Stream, level::Level};

/// What a packed pack begins with; the digit is counted up when the layout changes.
const MAGIC: &[u8; 14] = b"logsieve-pack1";

/// Why bytes are not taken for a pack.
#[derive(Debug, thiserror::Error)]
pub enum PackedError {
    /// They begin otherwise.
    #[error("this is no packed pack of this version")]
    NotPacked,
    /// They are not what was written.
    #[error("the packed pack is damaged")]
    Damaged,
    /// Its rules cannot be made ready.
    #[error("{0}")]
    Unsound(PackError),
}

impl Pack {
    /// The pack's rules as bytes for [`RuleSet::unpack`].
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.text(&self.name);
        out.number(self.taxonomy.version.into());
        out.list(&self.taxonomy.categories, |out, category| {
            out.text(&category.id);
        });
        out.list(&self.rules, Writer::rule);
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&xxh3_64(&out.0).to_le_bytes());
        bytes.extend_from_slice(&out.0);
        bytes
    }
}

impl RuleSet {
    /// Makes the rules ready that [`Pack::pack`] wrote. They decide as those of the pack do.
    ///
    /// # Errors
    /// A [`PackedError`] where the bytes are not what was written.
    pub fn unpack(bytes: &[u8]) -> Result<Self, PackedError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(PackedError::NotPacked)?;
        let (hash, rest) = rest.split_first_chunk().ok_or(PackedError::Damaged)?;
        if u64::from_le_bytes(*hash) != xxh3_64(rest) {
            return Err(PackedError::Damaged);
        }
        let pack = Reader(rest).pack().ok_or(PackedError::Damaged)?;
        Self::compile(&pack).map_err(PackedError::Unsound)
    }
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    #[allow(clippy::cast_possible_truncation)] // Seven bits.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.number(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }

    fn texts(&mut self, texts: &[String]) {
        self.list(texts, |out, text| out.text(text));
    }

    fn globs(&mut self, globs: &[Glob]) {
        self.list(globs, |out, glob| out.bytes(glob.bytes()));
    }

    fn rule(&mut self, rule: &Rule) {
        self.text(&rule.id);
        self.number(rule.category as u64);
        self.number(rule.level.map_or(0, |level| level as u64 + 1));
        self.0.extend_from_slice(&rule.priority.to_le_bytes());
        self.0.extend_from_slice(&rule.confidence.to_le_bytes());
        self.number(u64::from(rule.scope == Scope::Message));
        self.number(u64::from(rule.fold));
        self.texts(&rule.any);
        self.texts(&rule.all);
        self.texts(&rule.none);
        self.texts(&rule.regex);
        self.texts(&rule.none_regex);
        self.list(&rule.regex_sets, |out, sets| {
            out.list(sets, |out, set| {
                out.list(set, |out, literal| out.bytes(literal));
            });
        });
        let mut flags = |flags: &[bool]| self.list(flags, |out, flag| out.number(u64::from(*flag)));
        flags(&rule.blind_regex);
        flags(&rule.blind_none_regex);
        let when = &rule.when;
        self.globs(&when.logger);
        self.list(&when.level, |out, level| out.number(*level as u64));
        self.list(&when.stream, |out, stream| {
            out.number(u64::from(*stream == Stream::Stderr));
        });
        self.globs(&when.container);
        self.globs(&when.image);
        self.list(&when.labels, |out, (name, globs)| {
            out.text(name);
            out.globs(globs);
        });
    }
}

/// What is left to read. Everything gives none where that is not what was written.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn four(&mut self) -> Option<[u8; 4]> {
        self.take(4)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn flag(&mut self) -> Option<bool> {
        match self.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.size()?;
        self.take(count)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.size()?;
        // Every item takes a byte at least.
        if count > self.0.len() {
            return None;
        }
        (0..count).map(|_| read(self)).collect()
    }

    fn texts(&mut self) -> Option<Vec<String>> {
        self.list(Self::text)
    }

    fn globs(&mut self) -> Option<Vec<Glob>> {
        self.list(|from| Some(Glob::new(&from.text()?)))
    }

    fn level(&mut self) -> Option<Level> {
        Level::ALL.get(self.size()?).copied()
    }

    fn pack(mut self) -> Option<Pack> {
        let name = self.text()?;
        let version = u32::try_from(self.number()?).ok()?;
        let categories = self.list(|from| {
            Some(Category {
                id: from.text().filter(|id| is_name(id))?,
                means: String::new(),
                not: None,
            })
        })?;
        let rules = self.list(Self::rule)?;
        let fits = |rule: &Rule| {
            rule.category < categories.len()
                && rule.regex.len() == rule.regex_sets.len()
                && rule.regex.len() == rule.blind_regex.len()
                && rule.none_regex.len() == rule.blind_none_regex.len()
        };
        (self.0.is_empty() && rules.iter().all(fits)).then_some(Pack {
            name,
            taxonomy: Taxonomy {
                version,
                categories,
                rulings: Vec::new(),
            },
            examples: Vec::new(),
            rules,
        })
    }

    fn rule(&mut self) -> Option<Rule> {
        Some(Rule {
            id: self.text().filter(|id| is_name(id))?,
            category: self.size()?,
            level: match self.size()?.checked_sub(1) {
                Some(at) => Some(*Level::ALL.get(at)?),
                None => None,
            },
            priority: i32::from_le_bytes(self.four()?),
            confidence: f32::from_le_bytes(self.four()?),
            scope: if self.flag()? {
                Scope::Message
            } else {
                Scope::Line
            },
            matches: Vec::new(),
            no_match: Vec::new(),
            at_line: 0,
            fold: self.flag()?,
            any: self.texts()?,
            all: self.texts()?,
            none: self.texts()?,
            regex: self.texts()?,
            none_regex: self.texts()?,
            regex_sets: self.list(|from| {
                from.list(|from| -> Option<Required> {
                    from.list(|from| Some(from.bytes()?.to_vec()))
                })
            })?,
            blind_regex: self.list(Self::flag)?,
            blind_none_regex: self.list(Self::flag)?,
            when: When {
                logger: self.globs()?,
                level: self.list(Self::level)?,
                stream: self.list(|from| {
                    Some(if from.flag()? {
                        Stream::Stderr
                    } else {
                        Stream::Stdout
                    })
                })?,
                container: self.globs()?,
                image: self.globs()?,
                labels: self.list(|from| Some((from.text()?, from.globs()?)))?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_pack_has_the_same_rules() {
        for name in Pack::BUILTIN {
            let pack = Pack::builtin(name).expect("a built-in pack");
            let bytes = pack.pack();
            let again = Reader(&bytes[MAGIC.len() + 8..]).pack().expect("a pack");
            assert_eq!(again.pack(), bytes);
            assert_eq!(again.rules.len(), pack.rules.len());
            for (now, before) in again.rules.iter().zip(&pack.rules) {
                let bare = Rule {
                    matches: Vec::new(),
                    no_match: Vec::new(),
                    at_line: 0,
                    ..before.clone()
                };
                assert_eq!(format!("{now:?}"), format!("{bare:?}"));
            }
        }
    }

    #[test]
    fn damage_is_found_at_every_byte() {
        let bytes = Pack::builtin("openstack").expect("a built-in pack").pack();
        assert!(RuleSet::unpack(&bytes).is_ok());
        for at in (0..bytes.len()).step_by(509).chain(0..MAGIC.len() + 8) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(RuleSet::unpack(&damaged).is_err(), "byte {at}");
            assert!(RuleSet::unpack(&bytes[..at]).is_err(), "{at} bytes");
        }
        assert!(matches!(
            RuleSet::unpack(b"version: 1"),
            Err(PackedError::NotPacked)
        ));
    }

    /// A hash can be made to fit: what it vouches for must still not be trusted.
    #[test]
    fn no_bytes_with_a_good_hash_make_it_panic() {
        let bytes = Pack::builtin("openstack").expect("a built-in pack").pack();
        let body = &bytes[MAGIC.len() + 8..];
        for at in (0..body.len()).step_by(37) {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = body.to_vec();
                changed[at] = value;
                let read = Reader(&changed).pack();
                // Some of them are sound, and are made ready: that takes longer.
                if at % (37 * 40) == 0
                    && let Some(pack) = read
                {
                    let _ = RuleSet::compile(&pack);
                }
            }
            let _ = Reader(&body[..at]).pack();
        }
    }
}
