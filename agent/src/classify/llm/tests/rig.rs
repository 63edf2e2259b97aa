//! A language model that is a small server of this test, and the room that asks it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver as Answers, channel};
use std::time::{Duration, Instant};

use logline::template::TemplateId;

use super::receiver::{Answer as Reply, Receiver, Request};
pub(super) use crate::chat::{Gate, completion, items, judged};
use crate::classify::llm::{self, Answer, Category, Llm, Options, Question};
use crate::config::{Checked, llm::Llm as Configured};
use crate::shutdown::Shutdown;
use crate::telemetry::{Health, Metrics};

/// Far beyond what anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Categories of the tests.
pub(super) const CATEGORIES: [&str; 4] = ["network", "security", "storage", "application"];

/// The room in front of a server.
pub(super) struct Rig {
    pub(super) llm: Llm,
    pub(super) server: Receiver,
    pub(super) answers: Answers<Answer>,
    pub(super) health: Arc<Health>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
}

impl Rig {
    /// `decide` says what the server does; `yaml` are further keys of `llm`, with a comma before them.
    pub(super) fn start(
        yaml: &str,
        decide: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let server = Receiver::start(decide);
        let url = format!("http://{}/v1", server.address());
        Self::before(server, &url, yaml)
    }

    pub(super) fn before(server: Receiver, url: &str, yaml: &str) -> Self {
        let base = [
            "model: tested",
            "linger_ms: 150",
            "budget: {requests_per_minute: 0}",
        ];
        let keys: Vec<&str> = base
            .into_iter()
            .filter(|key| !yaml.contains(key.split(':').next().unwrap_or_default()))
            .collect();
        let text = format!("llm: {{url: '{url}', {}{yaml}}}", keys.join(", "));
        let Configured::On(settings) = Checked::parse("test", &text).expect("sound").llm else {
            panic!("it is on: {text}")
        };
        let options = Options {
            settings: *settings,
            spent: None,
        };
        let health = Arc::new(Health::default());
        let metrics = Arc::new(Metrics::new(4, Vec::new()).unwrap());
        let shutdown = Shutdown::new();
        let (sender, answers) = channel();
        let categories = CATEGORIES
            .into_iter()
            .map(|id| Category {
                id: id.to_owned(),
                description: format!("what is about {id}"),
            })
            .collect();
        let llm = llm::spawn(
            options,
            llm::Taxonomy {
                version: "test.1".to_owned(),
                categories,
                rulings: Vec::new(),
            },
            Box::new(move |answer| sender.send(answer).is_ok()),
            &metrics,
            Arc::clone(&health),
            &shutdown,
        )
        .expect("set up");
        Self {
            llm,
            server,
            answers,
            health,
            metrics,
            shutdown,
        }
    }

    /// The next answer.
    pub(super) fn answer(&self) -> Answer {
        let waited = self.answers.recv_timeout(PATIENCE);
        waited.unwrap_or_else(|_| panic!("no answer; health: {:?}", self.health.detail("llm")))
    }

    /// The next `n` answers, in the order of their ids.
    pub(super) fn answers(&self, n: usize) -> Vec<Answer> {
        let mut all: Vec<Answer> = (0..n).map(|_| self.answer()).collect();
        all.sort_by_key(|answer| answer.id);
        all
    }

    /// The sum of a metric's series whose labels contain `label`.
    pub(super) fn metric(&self, name: &str, label: &str) -> f64 {
        let page = String::from_utf8(self.metrics.render().unwrap()).unwrap();
        page.lines()
            .filter(|line| {
                line.strip_prefix("logsieve_")
                    .and_then(|line| line.strip_prefix(name))
                    .is_some_and(|rest| rest.starts_with([' ', '{']))
                    && line.contains(label)
            })
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    /// Waits until the health says `what` of the model.
    pub(super) fn until_health(&self, what: &str) -> String {
        until(|| {
            let detail = self.health.detail("llm").unwrap_or_default();
            detail.contains(what).then_some(detail)
        })
        .unwrap_or_else(|| panic!("no `{what}` in {:?}", self.health.detail("llm")))
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

/// Asks `probe` until it has an answer, for a long time.
pub(super) fn until<T>(probe: impl Fn() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(found) = probe() {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// A question about a template.
pub(super) fn question(template: &str) -> Question {
    Question {
        id: TemplateId::of(template),
        template: template.to_owned(),
        logger: String::new(),
        level: "info",
        image: String::new(),
        examples: Vec::new(),
        ranking: vec![("network".to_owned(), 0.4), ("storage".to_owned(), 0.3)],
        asked: format!("app | info | {template}"),
    }
}

/// A model that goes by one word.
pub(super) fn sensible(_: usize, request: &Request) -> Reply {
    judged(request, |template| {
        let known = CATEGORIES.into_iter().find(|id| template.contains(id));
        known.unwrap_or("application").to_owned()
    })
}
