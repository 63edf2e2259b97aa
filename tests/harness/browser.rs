//! A real Chromium, driven over the WebDriver protocol (https://www.w3.org/TR/webdriver2/) by its own driver.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{free_port, until};

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
                let (_, answer) = command(port, "GET", "/status", "").ok()?;
                (answer["value"]["ready"] == true).then_some(())
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
        self.call(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": []}),
        )
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
        let (status, mut answer) = command(self.port, method, &path, &body.to_string()).unwrap();
        assert_eq!(status, 200, "{path} {body}: {answer}");
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver closes the browser; killed first, it would leave it behind.
        let path = format!("/session/{}", self.session);
        let _ = command(self.port, "DELETE", &path, "");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// One request of the driver, which keeps its connections open whatever is asked.
fn command(port: u16, method: &str, path: &str, body: &str) -> io::Result<(u16, Value)> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if answer.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.eq_ignore_ascii_case("content-length");
        is_it.then(|| value.trim().parse::<usize>().ok())?
    });
    let (Some(status), Some(length)) = (status, length) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    Ok((status, serde_json::from_slice(&body)?))
}
