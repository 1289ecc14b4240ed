//! A browser that is driven over `WebDriver`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::ask;

/// A browser without a window.
pub(super) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    /// A driver that is killed leaves its browser behind: it is asked to end it first.
    fn drop(&mut self) {
        drop(self.end_session());
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

impl Browser {
    /// Starts one, if Chromium and its driver are on this machine.
    #[expect(clippy::print_stdout, reason = "says that the test was skipped")]
    pub(super) async fn start(dark: bool) -> Option<Self> {
        // A program of Windows may see the disk of a Linux machine, and cannot use what is there.
        let found = |path: &str| cfg!(unix) && PathBuf::from(path).exists();
        if !found("/usr/bin/chromedriver") || !found("/usr/bin/chromium") {
            println!("skipped: there is no /usr/bin/chromium with /usr/bin/chromedriver");
            return None;
        }
        let mut driver = Command::new("/usr/bin/chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("successfully on port ")?
                    .1
                    .trim_end_matches('.')
                    .parse()
                    .ok()
            })
            .unwrap();
        let profile = tempfile::tempdir().unwrap();
        let mut arguments = vec![
            "--headless".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        arguments.extend(dark.then(|| "--force-dark-mode".to_owned()));
        let mut browser = Self {
            driver,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            session: String::new(),
            _profile: profile,
        };
        let options = json!({"args": arguments, "binary": "/usr/bin/chromium"});
        let capabilities = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}});
        let made = browser.post("/session", &capabilities).await;
        browser.session = format!("/session/{}", made["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// Without the runtime, which may be about to end.
    fn end_session(&self) -> io::Result<()> {
        let mut stream = std::net::TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "DELETE {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.session, self.address
        )?;
        // It answers when the browser has ended.
        let mut status = [0; 12];
        stream.read_exact(&mut status)
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let value = self.try_post(path, body).await;
        value.unwrap_or_else(|| panic!("{path} {body}"))
    }

    async fn try_post(&self, path: &str, body: &Value) -> Option<Value> {
        let path = format!("{}{path}", self.session);
        let headers = "content-type: application/json\r\n";
        let answer = ask(self.address, "POST", &path, headers, &body.to_string()).await;
        (answer.status == 200).then(|| answer.json()["value"].clone())
    }

    pub(super) async fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url})).await;
    }

    pub(super) async fn run(&self, script: &str) -> Value {
        self.post(
            "/execute/sync",
            &json!({"script": format!("return {script}"), "args": []}),
        )
        .await
    }

    /// Asks the browser again and again until it is so.
    pub(super) async fn until(&self, condition: &str) {
        for _ in 0..10_000 {
            // While a page is being left, a script has no answer.
            let body = json!({"script": format!("return Boolean({condition})"), "args": []});
            if self.try_post("/execute/sync", &body).await == Some(json!(true)) {
                return;
            }
        }
        panic!("never: {condition}");
    }

    /// Presses keys, one after the other. Code points of `WebDriver`: tab is U+E004, enter U+E007.
    pub(super) async fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                [
                    json!({"type": "keyDown", "value": key}),
                    json!({"type": "keyUp", "value": key}),
                ]
            })
            .collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": strokes});
        self.post("/actions", &json!({"actions": [keyboard]})).await;
    }

    /// Makes the page as wide as on such a screen. A window itself is never narrower than 500 pixels.
    pub(super) async fn resize(&self, width: u32, height: u32) {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        let command = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": screen});
        self.post("/goog/cdp/execute", &command).await;
    }
}
