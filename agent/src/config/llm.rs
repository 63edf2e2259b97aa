//! The language model as its room takes it: an address, a key and what may be spent, or why there is none.

use std::path::PathBuf;
use std::time::Duration;

use super::error::ConfigError;
use super::raw::Switch;
use super::raw::llm::{Amount, Llm as Raw, Preset, ReplyFormat};
use super::sinks::{Auth, Client, Proxy, Secret, Tls, on_loopback};

/// Whether a language model is asked.
#[derive(Clone, Debug)]
pub enum Llm {
    /// None is; the text says why, and what to do for one.
    Off(String),
    /// This one is.
    On(Box<Settings>),
}

/// A language model and how it is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the endpoint is called in health and log.
    pub name: &'static str,
    /// How requests are made; its URL is the part before `/chat/completions`.
    pub client: Client,
    /// The model's name there; none: the only one that the endpoint names.
    pub model: Option<String>,
    /// How a closed answer is asked for.
    pub format: ReplyFormat,
    /// How long the first template waits for others.
    pub linger: Duration,
    /// Templates in one request.
    pub max_templates: usize,
    /// Tokens of the templates of one request, by estimate.
    pub max_request_tokens: u64,
    /// Templates that may wait.
    pub max_queue: usize,
    /// Whether everything is asked twice.
    pub second_vote: bool,
    /// How sure a verdict has to be, in millionths.
    pub min_confidence: Amount,
    /// Requests that can be read back.
    pub keep_sent: usize,
    /// What may be spent.
    pub budget: Budget,
}

/// What may be spent; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Requests in any minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens in any hour.
    pub tokens_per_hour: Option<u64>,
    /// Tokens in any day.
    pub tokens_per_day: Option<u64>,
    /// Money in any day, in millionths.
    pub money_per_day: Option<Amount>,
    /// Price of a million tokens sent.
    pub price_in: Amount,
    /// Price of a million tokens answered.
    pub price_out: Amount,
}

/// What is known of a kind of endpoint.
struct Known {
    preset: Preset,
    name: &'static str,
    /// Empty: it must be said.
    url: &'static str,
    /// What tells it in a URL.
    mark: &'static str,
    /// Empty: no key is needed.
    key_env: &'static str,
    /// Empty: the one that is loaded there.
    model: &'static str,
}

/// Those that are known by a key come first, in the order in which their keys are looked for.
const KNOWN: [Known; 8] = [
    Known {
        preset: Preset::Groq,
        name: "Groq",
        url: "https://api.groq.com/openai/v1",
        mark: "//api.groq.com",
        key_env: "GROQ_API_KEY",
        model: "llama-3.3-70b-versatile",
    },
    Known {
        preset: Preset::Gemini,
        name: "Gemini",
        url: "https://generativelanguage.googleapis.com/v1beta/openai",
        mark: "//generativelanguage.googleapis.com",
        key_env: "GEMINI_API_KEY",
        model: "gemini-2.5-flash-lite",
    },
    Known {
        preset: Preset::Openai,
        name: "OpenAI",
        url: "https://api.openai.com/v1",
        mark: "//api.openai.com",
        key_env: "OPENAI_API_KEY",
        model: "gpt-4.1-mini",
    },
    Known {
        preset: Preset::Ollama,
        name: "Ollama",
        url: "http://127.0.0.1:11434/v1",
        mark: ":11434",
        key_env: "",
        model: "",
    },
    Known {
        preset: Preset::Vllm,
        name: "vLLM",
        url: "http://127.0.0.1:8000/v1",
        mark: ":8000",
        key_env: "",
        model: "",
    },
    Known {
        preset: Preset::LlamaCpp,
        name: "llama.cpp",
        url: "http://127.0.0.1:8080/v1",
        mark: ":8080",
        key_env: "",
        model: "",
    },
    Known {
        preset: Preset::Litellm,
        name: "LiteLLM",
        url: "http://127.0.0.1:4000/v1",
        mark: ":4000",
        key_env: "",
        model: "",
    },
    OTHER,
];

const OTHER: Known = Known {
    preset: Preset::Other,
    name: "LLM",
    url: "",
    mark: "",
    key_env: "",
    model: "",
};

/// Checks the section; `variable` looks into the environment.
pub(super) fn check(
    file: &str,
    raw: &Raw,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Llm, ConfigError> {
    let wrong = |key: &str, problem: &str, remedy: &str| {
        Err(ConfigError::value(
            file,
            &format!("llm.{key}"),
            problem,
            remedy,
        ))
    };
    for (key, value) in [
        ("timeout_ms", raw.timeout_ms),
        ("max_templates", raw.max_templates as u64),
        ("max_queue", raw.max_queue as u64),
    ] {
        if value == 0 {
            return wrong(key, "0 is too small", "use 1 or more");
        }
    }
    if raw.max_templates > 100 {
        return wrong(
            "max_templates",
            "is too many for one request",
            "use 1 to 100",
        );
    }
    if raw.max_request_tokens < 500 {
        return wrong(
            "max_request_tokens",
            "one long template would not fit",
            "use 500 or more",
        );
    }
    if raw.min_confidence.0 > 1_000_000 {
        return wrong("min_confidence", "is more than certain", "use 0 to 1");
    }
    let budget = &raw.budget;
    if budget.money_per_day.0 > 0 && budget.price_in.0 == 0 && budget.price_out.0 == 0 {
        return wrong(
            "budget.money_per_day",
            "nothing has a price",
            "set price_in and price_out to what a million tokens cost",
        );
    }
    for (key, tokens) in [
        ("budget.tokens_per_hour", budget.tokens_per_hour),
        ("budget.tokens_per_day", budget.tokens_per_day),
    ] {
        // Two requests: one that is asked again must fit as well.
        if tokens > 0 && tokens < raw.max_request_tokens * 4 {
            return wrong(
                key,
                "no request would fit into it",
                "use at least four times max_request_tokens, or 0 for no bound",
            );
        }
    }
    if raw.enabled == Switch::Off {
        return Ok(Llm::Off("switched off (llm.enabled)".to_owned()));
    }
    let Some(known) = known(raw, variable) else {
        if raw.enabled == Switch::On {
            return wrong(
                "enabled",
                "there is neither a url nor a key",
                "set llm.url, or one of GROQ_API_KEY, GEMINI_API_KEY, OPENAI_API_KEY",
            );
        }
        return Ok(Llm::Off(
            "off: no url and no key; set llm.url, or one of GROQ_API_KEY, GEMINI_API_KEY, OPENAI_API_KEY".to_owned(),
        ));
    };
    let url = match raw.url.trim_end_matches('/') {
        "" => known.url,
        url => url,
    };
    // Whoever copied the whole address means the same.
    let url = url.strip_suffix("/chat/completions").unwrap_or(url);
    let host = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))
        .filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if host.is_none() || url.bytes().any(|byte| byte <= b' ' || byte >= 0x7f) {
        return wrong(
            "url",
            &format!("`{}` is not an address", url.escape_debug()),
            "write it like http://127.0.0.1:11434/v1",
        );
    }
    let auth = match key(raw, known, variable) {
        Ok(auth) => auth,
        Err((key, problem, remedy)) if raw.enabled == Switch::On || key == "key_file" => {
            return wrong(key, &problem, &remedy);
        }
        Err((_, problem, remedy)) => return Ok(Llm::Off(format!("off: {problem}; {remedy}"))),
    };
    let ca_file = (!raw.ca_file.is_empty()).then(|| PathBuf::from(&raw.ca_file));
    let positive = |value: u64| Some(value).filter(|value| *value > 0);
    Ok(Llm::On(Box::new(Settings {
        name: known.name,
        client: Client {
            timeout: Duration::from_millis(raw.timeout_ms),
            headers: Vec::new(),
            auth,
            tls: Tls {
                ca_file,
                ..Tls::default()
            },
            proxy: match raw.proxy.as_str() {
                "environment" if on_loopback(url) => Proxy::None,
                "environment" => Proxy::Environment,
                "none" | "" => Proxy::None,
                through => Proxy::Url(through.to_owned()),
            },
            url: url.to_owned(),
        },
        model: [raw.model.as_str(), known.model]
            .into_iter()
            .find(|model| !model.is_empty())
            .map(str::to_owned),
        format: raw.format,
        linger: Duration::from_millis(raw.linger_ms),
        max_templates: raw.max_templates,
        max_request_tokens: raw.max_request_tokens,
        max_queue: raw.max_queue,
        second_vote: raw.second_vote,
        min_confidence: raw.min_confidence,
        keep_sent: raw.keep_sent,
        budget: Budget {
            requests_per_minute: Some(budget.requests_per_minute).filter(|value| *value > 0),
            tokens_per_hour: positive(budget.tokens_per_hour),
            tokens_per_day: positive(budget.tokens_per_day),
            money_per_day: Some(budget.money_per_day).filter(|money| money.0 > 0),
            price_in: budget.price_in,
            price_out: budget.price_out,
        },
    })))
}

/// The kind of endpoint that is meant; none where nothing says which.
fn known(raw: &Raw, variable: &dyn Fn(&str) -> Option<String>) -> Option<&'static Known> {
    let there = |name: &str| variable(name).is_some_and(|value| !value.trim().is_empty());
    match raw.preset {
        Preset::Auto if !raw.url.is_empty() => KNOWN
            .iter()
            .find(|known| !known.mark.is_empty() && raw.url.contains(known.mark))
            .or(KNOWN.last()),
        Preset::Auto => KNOWN
            .iter()
            .find(|known| !known.key_env.is_empty() && there(known.key_env)),
        Preset::Other if raw.url.is_empty() => None,
        preset => KNOWN.iter().find(|known| known.preset == preset),
    }
}

/// Who asks; or the setting that is wrong, how, and the remedy.
fn key(
    raw: &Raw,
    known: &Known,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Auth, (&'static str, String, String)> {
    let sound = |key, value: &str| {
        if value.is_empty() || value.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            let problem = "the key is empty or no single line".to_owned();
            return Err((key, problem, "a key is one line of text".to_owned()));
        }
        Ok(())
    };
    if !raw.key_file.is_empty() {
        let secret = Secret::File(PathBuf::from(&raw.key_file));
        let value = secret.read().map_err(|error| {
            let problem = format!("cannot be read: {error}");
            let remedy = "give the agent a file that it may read".to_owned();
            ("key_file", problem, remedy)
        })?;
        sound("key_file", &value)?;
        return Ok(Auth::Bearer(secret));
    }
    let name = match raw.key_env.as_str() {
        "" => known.key_env,
        name => name,
    };
    if name.is_empty() {
        return Ok(Auth::None);
    }
    let Some(value) = variable(name) else {
        return Err((
            "key_env",
            format!("the environment has no `{name}`"),
            "set it where the agent is started, or use llm.key_file".to_owned(),
        ));
    };
    let value = value.trim().to_owned();
    sound("key_env", &value)?;
    Ok(Auth::Bearer(Secret::Text(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::raw;

    fn checked(yaml: &str, environment: &[(&str, &str)]) -> Result<Llm, String> {
        let raw = raw::Raw::parse(&format!("llm: {yaml}")).map_err(|error| error.to_string())?;
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        check("test", &raw.llm, &variable).map_err(|error| error.to_string())
    }

    fn on(yaml: &str, environment: &[(&str, &str)]) -> Settings {
        match checked(yaml, environment) {
            Ok(Llm::On(settings)) => *settings,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_url_and_key_it_is_off_and_says_what_to_do() {
        let Ok(Llm::Off(why)) = checked("{}", &[]) else {
            panic!("off")
        };
        assert!(
            why.contains("GROQ_API_KEY") && why.contains("llm.url"),
            "{why}"
        );
        let error = checked("{enabled: on}", &[]).unwrap_err();
        assert!(error.contains("llm.enabled"), "{error}");
        assert!(matches!(
            checked("{enabled: off, url: 'http://127.0.0.1:1/v1'}", &[]),
            Ok(Llm::Off(_))
        ));
    }

    #[test]
    fn a_key_in_the_environment_picks_the_preset_in_a_fixed_order() {
        let all = [
            ("OPENAI_API_KEY", "c"),
            ("GEMINI_API_KEY", "b"),
            ("GROQ_API_KEY", "a"),
        ];
        assert_eq!(on("{}", &all).name, "Groq");
        assert_eq!(on("{}", &all[..2]).name, "Gemini");
        let openai = on("{}", &all[..1]);
        assert_eq!(openai.client.url, "https://api.openai.com/v1");
        assert_eq!(
            openai.client.auth,
            Auth::Bearer(Secret::Text("c".to_owned()))
        );
        assert!(openai.model.is_some());
        // An empty variable is none.
        assert!(matches!(
            checked("{}", &[("GROQ_API_KEY", " ")]),
            Ok(Llm::Off(_))
        ));
    }

    #[test]
    fn local_servers_are_known_by_their_url_and_need_no_key() {
        for (url, name) in [
            ("http://127.0.0.1:11434/v1", "Ollama"),
            ("http://gpu:8000/v1/", "vLLM"),
            ("http://localhost:8080/v1", "llama.cpp"),
            ("http://localhost:4000", "LiteLLM"),
            ("https://llm.example.com/v1/chat/completions", "LLM"),
        ] {
            let settings = on(&format!("{{url: '{url}'}}"), &[]);
            assert_eq!(settings.name, name);
            assert_eq!(settings.client.auth, Auth::None);
            assert_eq!(settings.model, None);
            assert!(!settings.client.url.ends_with('/'));
            assert!(!settings.client.url.contains("chat"));
        }
        assert_eq!(
            on("{preset: ollama}", &[]).client.url,
            "http://127.0.0.1:11434/v1"
        );
    }

    #[test]
    fn keys_come_from_files_and_variables_and_never_from_the_file_itself() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "sk-from-file\n").unwrap();
        let yaml = format!(
            "{{url: 'http://a/v1', key_file: '{}'}}",
            file.path().display()
        );
        assert!(matches!(
            on(&yaml, &[]).client.auth,
            Auth::Bearer(Secret::File(_))
        ));
        let named = on("{url: 'http://a/v1', key_env: MINE}", &[("MINE", "k")]);
        assert_eq!(
            named.client.auth,
            Auth::Bearer(Secret::Text("k".to_owned()))
        );
        assert!(checked("{url: 'http://a/v1', key: sk-123}", &[]).is_err());
        assert!(
            checked("{url: 'http://a/v1', key_file: /nowhere/at/all}", &[])
                .unwrap_err()
                .contains("llm.key_file")
        );
        let Ok(Llm::Off(why)) = checked("{preset: groq}", &[]) else {
            panic!("off")
        };
        assert!(why.contains("GROQ_API_KEY"), "{why}");
    }

    #[test]
    fn bounds_that_cannot_work_are_refused() {
        for (yaml, key) in [
            ("{timeout_ms: 0}", "llm.timeout_ms"),
            ("{max_templates: 0}", "llm.max_templates"),
            ("{max_templates: 1000}", "llm.max_templates"),
            ("{max_request_tokens: 10}", "llm.max_request_tokens"),
            ("{min_confidence: 2}", "llm.min_confidence"),
            ("{budget: {money_per_day: 1}}", "llm.budget.money_per_day"),
            (
                "{budget: {tokens_per_hour: 5}}",
                "llm.budget.tokens_per_hour",
            ),
            ("{url: 'ftp://x'}", "llm.url"),
        ] {
            let error = checked(yaml, &[]).unwrap_err();
            assert!(error.contains(key), "{yaml}: {error}");
        }
        assert!(checked("{budget: {price_in: -1}}", &[]).is_err());
        assert!(checked("{budget: {price_in: .nan}}", &[]).is_err());
        let budget = on(
            "{url: 'http://a', budget: {money_per_day: 0.5, price_in: 0.05, tokens_per_day: 0}}",
            &[],
        )
        .budget;
        assert_eq!(budget.money_per_day, Some(Amount(500_000)));
        assert_eq!(budget.price_in, Amount(50_000));
        assert_eq!(budget.tokens_per_day, None);
        assert_eq!(budget.tokens_per_hour, Some(200_000));
    }
}
