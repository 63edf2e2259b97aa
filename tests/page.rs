//! The page, in a real browser: what a person sees of a running agent.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::harness::{Agent, Browser, ask, dir, until};

/// A line that would do harm if any part of it were read as HTML.
const HOSTILE: &str =
    r#"ERROR <img src=x onerror="window.harmed=1"><script>window.harmed=2</script> in the order"#;
/// A file whose name would.
const HOSTILE_FILE: &str = "<img src=x onerror=window.harmed=3>.log";

struct Scene {
    agent: Agent,
    browser: Browser,
    log: PathBuf,
    _dir: tempfile::TempDir,
}

impl Scene {
    /// An agent that follows one file, and a browser; `None` where there is no browser.
    fn start(api: &str) -> Option<Self> {
        let dir = dir();
        let logs = dir.path().join("logs");
        fs::create_dir(&logs).unwrap();
        let browser = Browser::start(dir.path())?;
        let config = format!(
            "sources: {{files: {{include: [\"{}/*.log\"], start_at: beginning}}, docker: {{enabled: off}}, demo: off}}\nevents: {{max_wait_ms: 50}}\n",
            logs.display()
        );
        Some(Self {
            agent: Agent::start_with_api(dir.path(), &config, api),
            browser,
            log: logs.join(HOSTILE_FILE),
            _dir: dir,
        })
    }

    fn write(&self, lines: &[&str]) {
        write(&self.log, lines);
    }

    #[track_caller]
    fn open(&self, view: &str) {
        self.browser
            .open(&format!("http://127.0.0.1:{}/{view}", self.agent.api));
    }

    /// Waits until the lines are stored.
    #[track_caller]
    fn stored(&self, lines: &[&str]) {
        self.write(lines);
        for line in lines {
            self.agent.wait_for_line(line);
        }
    }

    /// Nothing that a log says has become part of the page, and nothing went wrong in it.
    #[track_caller]
    fn unharmed(&self) {
        let state = self.browser.run(
            "return [document.images.length, typeof window.harmed, document.querySelectorAll('main script').length];",
        );
        assert_eq!(state, serde_json::json!([0, "undefined", 0]));
        assert_eq!(self.browser.console(), Vec::<String>::new());
    }
}

fn write(path: &Path, lines: &[&str]) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
}

fn has_line(text: &str) -> String {
    format!(
        "[...document.querySelectorAll('.tail .text')].some((one) => one.textContent.includes({text:?}))"
    )
}

#[test]
fn live_lines_appear_are_filtered_and_stay_text() {
    let Some(scene) = Scene::start("") else {
        return;
    };
    let page = &scene.browser;
    scene.stored(&["INFO the shop is open"]);
    scene.open("#/live");
    page.wait("document.querySelector('.status').textContent === 'live'");
    page.wait(&has_line("the shop is open"));
    scene.write(&["INFO order 1 was placed", HOSTILE]);
    page.wait(&has_line("order 1 was placed"));
    page.wait(&has_line("<img src=x onerror=\"window.harmed=1\">"));

    // A row opens to what is known of it, and to its neighbours.
    page.click(".event.error .line");
    page.wait("document.querySelector('.details pre').textContent.includes('<script>')");
    page.click(".details button");
    page.wait(
        "document.querySelector('.near .event.self .text').textContent.includes('in the order')",
    );
    page.wait("document.querySelectorAll('.near .event').length === 3");

    // By level, for lines that were there and for new ones.
    page.choose(".filters select", "error");
    page.wait("location.hash.includes('level=error') && document.querySelector('.status').textContent === 'live'");
    scene.write(&["INFO order 2 was placed", "ERROR order 3 was lost"]);
    page.wait(&has_line("order 3 was lost"));
    page.wait("document.querySelector('.tail > .event') && [...document.querySelectorAll('.tail > .event')].every((one) => one.classList.contains('error'))");

    // By text.
    page.choose(".filters input", "lost");
    page.wait("location.hash.includes('q=lost') && document.querySelector('.status').textContent === 'live'");
    page.wait("document.querySelectorAll('.tail > .event').length === 1 && document.querySelector('mark').textContent === 'lost'");

    // By category, and back.
    page.click(".chips .chip.none");
    page.wait("location.hash.includes('category=unclassified') && document.querySelector('.chips .none').getAttribute('aria-pressed') === 'true'");

    // Paused, lines are held back; nothing is lost.
    scene.open("#/live");
    page.wait("document.querySelector('.filters input').value === '' && document.querySelector('.status').textContent === 'live'");
    page.wait(&has_line("order 3 was lost"));
    page.press(" ");
    page.wait("document.querySelector('.status').textContent === 'paused'");
    scene.write(&["WARN order 4 is late"]);
    page.wait("document.querySelector('.filters button').textContent === 'Go on (1 new)'");
    assert_eq!(page.run(&format!("return {};", has_line("order 4"))), false);
    page.press(" ");
    page.wait(&has_line("order 4 is late"));
    scene.unharmed();
}

#[test]
fn the_first_view_tells_what_is_wrong_and_leads_to_it() {
    let Some(scene) = Scene::start("") else {
        return;
    };
    let page = &scene.browser;
    scene.open("");
    page.wait(
        "document.querySelector('.headline h1').textContent.startsWith('Nothing was written')",
    );
    let lines: Vec<String> = (0..6)
        .map(|n| format!("ERROR the frobnicator of aisle {n} is jammed"))
        .chain([HOSTILE.to_owned(), "INFO all is well".to_owned()])
        .collect();
    scene.stored(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    page.wait("document.querySelector('.headline h1').textContent.startsWith('7 errors in the last hour')");
    page.wait("document.querySelectorAll('.bars .bar').length > 1");
    page.wait("document.querySelector('.writers td').textContent.includes('onerror')");

    // One template: its lines, its history, and what it is about.
    page.click(".templates .what");
    page.wait("document.querySelector('.template-title').textContent.includes('the frobnicator of aisle')");
    page.wait("document.querySelectorAll('.events .event').length === 6");
    page.wait("document.querySelectorAll('.bars .bar.error').length >= 1");
    page.choose(".teach select", "hardware");
    page.click(".teach button");
    page.wait("document.querySelector('main .good').textContent.includes('From now on: hardware')");
    let hash = page.run("return location.hash;");
    let id = hash
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    until(
        "what was taught",
        || {
            let path = format!("/api/templates/{id}");
            let reply = ask(scene.agent.api, "GET", &path, &[], b"").unwrap();
            (reply.json()["judged"]["category"] == "hardware").then_some(())
        },
        || scene.agent.log(),
    );
    page.reload();
    page.wait("document.querySelector('main .panel .chip').textContent === 'hardware'");

    // With keys alone.
    page.press("4");
    page.wait("document.activeElement.id === 'one'");
    page.press("ERROR no space left on device\u{e007}");
    page.wait("document.querySelectorAll('.journey li').length === 3");
    page.wait("document.querySelector('.verdict .chip').textContent === 'storage'");
    scene.unharmed();
}

#[test]
fn an_answer_rests_on_lines_that_open() {
    let Some(scene) = Scene::start("") else {
        return;
    };
    let page = &scene.browser;
    scene.stored(&[
        "INFO the shop is open",
        "ERROR payment of order 17 was declined by the bank",
        HOSTILE,
        "INFO the shop is closed",
    ]);
    scene.open("#/ask");
    page.wait("document.activeElement.id === 'question'");
    page.press("which payment was declined?\u{e007}");
    page.wait("document.querySelector('.reference .quotes code').textContent.includes('payment of order 17 was declined')");
    page.click(".quotes button");
    page.wait("document.querySelector('.near .event.self .text').textContent.includes('order 17')");
    page.wait("document.querySelectorAll('.near .event').length === 4");
    page.click(".words .cite");
    page.wait("document.activeElement.tagName === 'SUMMARY'");
    scene.unharmed();
}

#[test]
fn the_token_is_asked_for_once() {
    let tokens = dir();
    let file = tokens.path().join("token");
    fs::write(&file, "s3cret-of-the-page\n").unwrap();
    let setting = format!("token_file: \"{}\"", file.display());
    let Some(scene) = Scene::start(&setting) else {
        return;
    };
    let page = &scene.browser;
    scene.stored(&["INFO the shop is open"]);
    scene.open("#/live");
    page.wait("document.getElementById('ask-token').open && document.activeElement.id === 'token'");
    page.press("wrong\u{e007}");
    page.wait("document.getElementById('ask-token').open && !document.getElementById('token-wrong').hidden && document.activeElement.id === 'token'");
    page.press("s3cret-of-the-page\u{e007}");
    page.wait(&has_line("the shop is open"));
    page.reload();
    page.wait(&has_line("the shop is open"));
    assert_eq!(
        page.run("return document.getElementById('ask-token').open;"),
        false
    );
}

#[test]
fn the_page_is_small_loads_nothing_from_elsewhere_and_programs_get_json() {
    let dir = dir();
    let config =
        "sources: {files: {include: [/nonexistent/*.log]}, docker: {enabled: off}, demo: off}\n";
    let agent = Agent::start(dir.path(), config);
    let page = |headers: &[&str]| ask(agent.api, "GET", "/", headers, b"").unwrap();
    let program = page(&["Accept: */*"]);
    assert_eq!(program.json()["message"], "logsieve is running");

    let browser = ["Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"];
    let html = page(&browser);
    assert_eq!(html.status, 200);
    assert!(html.head.contains("content-type: text/html"), "{html:?}");
    for part in [
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';",
        "require-trusted-types-for 'script'",
        "x-content-type-options: nosniff",
    ] {
        assert!(html.head.contains(part), "{html:?}");
    }
    assert!(!html.head.contains("unsafe"), "{html:?}");

    let mut size = html.body.len();
    for part in html.body.split("\"/ui/").skip(1) {
        let name = part.split('"').next().unwrap();
        let file = ask(agent.api, "GET", &format!("/ui/{name}"), &[], b"").unwrap();
        assert_eq!(file.status, 200, "{name}");
        size += file.body.len();
        let tag = file
            .head
            .lines()
            .find_map(|line| line.strip_prefix("etag: "))
            .unwrap();
        let known = format!("If-None-Match: {tag}");
        let again = ask(agent.api, "GET", &format!("/ui/{name}"), &[&known], b"").unwrap();
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{name}");
    }
    assert!(size < 100_000, "{size} bytes");
}
