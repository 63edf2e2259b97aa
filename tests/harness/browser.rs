//! A real Chromium, driven over the WebDriver protocol (https://www.w3.org/TR/webdriver2/) by its own driver.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::{ask, free_port, until};

/// A browser with one window; closed with the value.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    log: PathBuf,
}

impl Browser {
    /// Starts one with its profile in `dir`; `None`, said aloud, where there is none.
    pub(crate) fn start(dir: &Path) -> Option<Self> {
        let port = free_port();
        let log = dir.join("chromedriver.log");
        let out = File::create(&log).unwrap();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn();
        let Ok(driver) = driver else {
            println!("SKIPPED: no chromedriver (see scripts/setup-tests)");
            return None;
        };
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
            log,
        };
        let profile = dir.join("profile");
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,900",
                // Nothing but the page is asked for.
                "--disable-background-networking", "--disable-component-update", "--no-first-run", "--no-default-browser-check",
                "--disable-extensions", "--disable-sync",
                format!("--user-data-dir={}", profile.display()),
            ]},
        }}});
        until(
            "the driver",
            || {
                let reply = ask(port, "GET", "/status", &[], b"").ok()?;
                (reply.json()["value"]["ready"] == true).then_some(())
            },
            || fs::read_to_string(&browser.log).unwrap(),
        );
        let made = browser.call("POST", "", &wanted);
        browser.session = made["sessionId"].as_str().unwrap().to_owned();
        Some(browser)
    }

    /// Opens an address.
    #[track_caller]
    pub(crate) fn open(&self, url: &str) {
        self.call("POST", "/url", &json!({ "url": url }));
    }

    /// Loads the page once more.
    #[track_caller]
    pub(crate) fn reload(&self) {
        self.call("POST", "/refresh", &json!({}));
    }

    /// Runs `script` in the page and returns what it returns; `null` where it threw.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> Value {
        let script = format!("try {{ {script} }} catch (error) {{ return null; }}");
        self.call("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until the expression `condition` is true in the page.
    #[track_caller]
    pub(crate) fn wait(&self, condition: &str) {
        until(
            &format!("`{condition}` in the page"),
            || (self.run(&format!("return Boolean({condition});")) == true).then_some(()),
            || {
                format!(
                    "{}\n{}\nconsole: {:#?}",
                    self.run("return location.href;"),
                    self.run("return document.body.innerText;"),
                    self.console()
                )
            },
        );
    }

    /// Waits for an element and clicks it.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        self.wait(&format!("document.querySelector({selector:?})"));
        // Through the page: a list that moves meanwhile is no failure.
        self.run(&format!("document.querySelector({selector:?}).click();"));
    }

    /// Waits for a select, a field, and gives it a value as somebody who types does.
    #[track_caller]
    pub(crate) fn choose(&self, selector: &str, value: &str) {
        self.wait(&format!("document.querySelector({selector:?})"));
        self.run(&format!(
            "const field = document.querySelector({selector:?}); field.value = {value:?}; field.dispatchEvent(new Event('change', {{bubbles: true}}));"
        ));
    }

    /// Presses keys, one after the other, on whatever has the focus.
    #[track_caller]
    pub(crate) fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                [
                    json!({"type": "keyDown", "value": key}),
                    json!({"type": "keyUp", "value": key}),
                ]
            })
            .collect();
        self.call(
            "POST",
            "/actions",
            &json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]}),
        );
    }

    /// What stands in the browser's console, errors alone.
    #[track_caller]
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.call("POST", "/se/log", &json!({"type": "browser"}));
        entries
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    /// A command of the session; fails where it does.
    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = match self.session.as_str() {
            "" => "/session".to_owned(),
            session => format!("/session/{session}{path}"),
        };
        let json = "Content-Type: application/json";
        let reply = ask(self.port, method, &path, &[json], body.to_string().as_bytes()).unwrap();
        let mut answer = reply.json();
        assert_eq!(reply.status, 200, "{path} {body}: {answer}");
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver closes the browser; killed first, it would leave it behind.
        let path = format!("/session/{}", self.session);
        let _ = ask(self.port, "DELETE", &path, &[], b"");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
