//! A real browser: Debian's chromium, headless, driven over its debugging pipe (Chrome DevTools Protocol: JSON messages
//! that end with a NUL byte, read by the browser from descriptor 3 and written to descriptor 4).

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

/// Chromium starts slowly on a busy machine; this only turns a hang into a failure.
const PATIENCE: Duration = Duration::from_mins(2);
/// The script that looks for barriers; `tests/axe` fetches it.
const AXE: &str = "tests/axe";

pub fn chromium() -> &'static str {
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        let mut version = Command::new(name);
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    });
    found.expect("this test needs a Chromium: apt-get install chromium")
}

/// The text of axe-core, as `tests/axe` has fetched and checked it.
pub fn axe() -> String {
    let output = Command::new("bash").arg(AXE).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "axe-core cannot be had, which this test needs: {said}");
    let path = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    std::fs::read_to_string(path).unwrap()
}

/// One window of a browser of its own.
pub struct Browser {
    process: Child,
    input: ChildStdin,
    messages: mpsc::Receiver<Value>,
    calls: u64,
    session: Option<String>,
    at: SocketAddr,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Browser {
    /// Whose reader prefers this language, looking at this server.
    pub fn start(language: &str, at: SocketAddr) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --hide-scrollbars";
        let line = format!(
            "exec {} {flags} --accept-lang={language} --user-data-dir='{}' --remote-debugging-pipe about:blank 3<&0 4>&1",
            chromium(),
            profile.path().display()
        );
        let mut command = Command::new("sh");
        command.args(["-c", &line]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let (tx, messages) = mpsc::channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0) {
                let Ok(message) = message else { return };
                if tx.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self { process, input, messages, calls: 0, session: None, at, _profile: profile };
        let targets = browser.call("Target.getTargets", json!({}));
        let pages = targets["targetInfos"].as_array().unwrap();
        let target = pages.iter().find(|t| t["type"] == "page").unwrap()["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        browser.call("Page.enable", json!({}));
        browser
    }

    fn next(&self) -> Value {
        self.messages.recv_timeout(PATIENCE).expect("chromium answers")
    }

    /// A method of the protocol, and its result.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(method, params);
        loop {
            let message = self.next();
            if message["id"] == self.calls {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
        }
    }

    fn send(&mut self, method: &str, params: Value) {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method});
        message["params"] = params;
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut text = serde_json::to_vec(&message).unwrap();
        text.push(0);
        self.input.write_all(&text).unwrap();
        self.input.flush().unwrap();
    }

    fn loaded(&mut self) {
        while self.next()["method"] != "Page.loadEventFired" {}
    }

    /// Opens a path and waits until it is loaded.
    pub fn open(&mut self, path: &str) {
        let url = format!("http://{}{path}", self.at);
        self.send("Page.navigate", json!({ "url": url }));
        self.loaded();
    }

    /// A window of so many pixels; up to 500 wide it is a phone's.
    pub fn size(&mut self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// What the reader's system prefers.
    pub fn dark(&mut self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"media": "", "features": features}));
    }

    /// Whether pages may run scripts; from the next page on.
    pub fn scripts(&mut self, allowed: bool) {
        self.call("Emulation.setScriptExecutionDisabled", json!({"value": !allowed}));
    }

    /// The value of an expression on the page; promises are waited for.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let what = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", what);
        assert!(answer["exceptionDetails"].is_null(), "{}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Types into what has the focus.
    pub fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses and releases Tab.
    pub fn tab(&mut self) {
        for kind in ["rawKeyDown", "keyUp"] {
            let key = json!({"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9});
            self.call("Input.dispatchKeyEvent", key);
        }
    }

    /// Presses Enter, which leads to another page, and waits for that.
    pub fn enter_and_load(&mut self) {
        let key =
            json!({"type": "keyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"});
        self.send("Input.dispatchKeyEvent", key);
        self.loaded();
    }

    /// What axe-core finds wrong by WCAG 2.1 AA and by good practice: one line a rule, with the first element.
    pub fn barriers(&mut self, axe: &str) -> Vec<String> {
        self.value(axe);
        let run = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})
            .then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html + ' ' + v.nodes[0].failureSummary))";
        let found = self.value(run);
        found.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    }
}
