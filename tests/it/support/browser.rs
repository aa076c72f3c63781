//! A real browser, Chromium, driven as a person would use it: by what is written on buttons and links, and by keys.
//!
//! Each has a driver and a profile of its own. When it goes, nothing of it is left; if its test fails, a picture of what it showed is.

mod commands;
mod driver;
mod windows;

use std::fs;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use fantoccini::error::CmdError;
use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::wait::until;
use commands::{Devtools, Messages};
use driver::Driver;

/// The width and height of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Desktop,
    Phone,
}

/// How a browser is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) size: Size,
    pub(crate) is_dark: bool,
    pub(crate) runs_scripts: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { size: Size::Desktop, is_dark: false, runs_scripts: true }
    }
}

/// A browser with one window, in which pages of one daemon are looked at.
pub(crate) struct Browser {
    runtime: Runtime,
    client: Client,
    /// Gone only after the client has ended the session.
    driver: Driver,
    base: String,
}

impl Browser {
    /// Starts a browser for the pages at an address.
    #[track_caller]
    pub(crate) fn start(address: SocketAddr) -> Self {
        Self::start_with(address, Settings::default())
    }

    #[track_caller]
    pub(crate) fn start_with(address: SocketAddr, settings: Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        let driver = Driver::start();
        let client = runtime.block_on(driver.connect()).unwrap_or_else(|error| panic!("no browser: {error:?}"));
        let browser = Self { runtime, client, driver, base: format!("http://{address}") };
        browser.resize(settings.size);
        browser.darken(settings.is_dark);
        if !settings.runs_scripts {
            browser.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true}));
        }
        browser
    }

    /// Gives the window another size.
    #[track_caller]
    pub(crate) fn resize(&self, size: Size) {
        let (width, height, mobile) = match size {
            Size::Desktop => (1280, 900, false),
            Size::Phone => (390, 844, true),
        };
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Has pages told whether dark colours are preferred; without movement in any case.
    #[track_caller]
    pub(crate) fn darken(&self, is_dark: bool) {
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}
        ]});
        self.devtools("Emulation.setEmulatedMedia", features);
    }

    /// Opens a page by its path.
    #[track_caller]
    pub(crate) fn open(&self, path: &str) -> &Self {
        self.run(self.client.goto(&format!("{}{path}", self.base)), || format!("{path} does not open"));
        self
    }

    /// Signs in with a token, on the way to a page.
    #[track_caller]
    pub(crate) fn sign_in(&self, token: &str, path: &str) -> &Self {
        self.open(path).sees("Your token");
        self.fill("Your token", token).click("Sign in");
        until(|| (self.path() != "/login").then_some(()), || format!("not signed in: {}", self.text()));
        self
    }

    /// The path of the page that is open, without its query.
    #[track_caller]
    pub(crate) fn path(&self) -> String {
        self.run(self.client.current_url(), || "no address".to_owned()).path().to_owned()
    }

    /// Clicks on the button, link or other control with this name, once there is one; of several, the first that is visible.
    #[track_caller]
    pub(crate) fn click(&self, name: &str) -> &Self {
        let found = format!(
            "//*[self::button or self::a or self::summary or self::label][normalize-space(.)={0}] | //button[@aria-label={0}] | \
             //a[@aria-label={0}] | //input[@type='submit' and @value={0}]",
            quoted(name)
        );
        self.click_at(&found, name)
    }

    /// Likewise, on what an XPath finds.
    #[track_caller]
    pub(crate) fn click_at(&self, xpath: &str, name: &str) -> &Self {
        until(
            || {
                self.block_on(async {
                    for element in self.client.find_all(Locator::XPath(xpath)).await.ok()? {
                        // Between being found and being clicked on it may have been replaced.
                        if element.is_displayed().await.ok()? && element.click().await.is_ok() {
                            return Some(());
                        }
                    }
                    None
                })
            },
            || format!("nothing to click on is named {name:?}: {}", self.text()),
        );
        self
    }

    /// Types into the field with this label, in place of what is there.
    #[track_caller]
    pub(crate) fn fill(&self, label: &str, text: &str) -> &Self {
        let labelled = format!("//label[normalize-space(.)={0}]", quoted(label));
        let xpath = format!(
            "//*[@id={labelled}/@for] | {labelled}//input | {labelled}//textarea | //*[@aria-label={}]",
            quoted(label)
        );
        until(
            || {
                self.block_on(async {
                    let field = self.client.find(Locator::XPath(&xpath)).await.ok()?;
                    field.clear().await.ok()?;
                    field.send_keys(text).await.ok()
                })
            },
            || format!("there is no field {label:?}: {}", self.text()),
        );
        self
    }

    /// Presses a key, where the focus is.
    #[track_caller]
    pub(crate) fn press(&self, key: Key) -> &Self {
        self.type_keys(&char::from(key).to_string())
    }

    /// Types where the focus is.
    #[track_caller]
    pub(crate) fn type_keys(&self, keys: &str) -> &Self {
        let typing = async { self.client.active_element().await?.send_keys(keys).await };
        self.run(typing, || "nothing has the focus".to_owned());
        self
    }

    /// Goes on with the tab key until what has the focus bears this name.
    #[track_caller]
    pub(crate) fn tab_to(&self, name: &str) -> &Self {
        const FAR: usize = 200;
        let mut passed = Vec::new();
        for _ in 0..FAR {
            self.press(Key::Tab);
            let focused = self.focused();
            if focused == name {
                return self;
            }
            passed.push(focused);
        }
        panic!("the tab key does not come to {name:?}: {passed:?}");
    }

    /// The name of what has the focus: its label, or what is written on it.
    #[track_caller]
    pub(crate) fn focused(&self) -> String {
        let name = self.script(
            "const e = document.activeElement; if (!e || e === document.body) return '';
             const label = e.getAttribute('aria-label') || (e.labels && e.labels[0] && e.labels[0].textContent);
             return (label || e.textContent || e.value || '').replace(/\\s+/g, ' ').trim();",
            Vec::new(),
        );
        name.as_str().unwrap_or_default().to_owned()
    }

    /// The text of the page, as it is seen.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        let text = async { self.client.find(Locator::Css("body")).await?.text().await };
        self.block_on(text).unwrap_or_else(|error| format!("(no text: {error})"))
    }

    /// Waits until the page shows a text.
    #[track_caller]
    pub(crate) fn sees(&self, text: &str) -> &Self {
        until(
            || self.text().contains(text).then_some(()),
            || format!("{text:?} is not seen on {}: {}", self.path(), self.text()),
        );
        self
    }

    /// Runs a script in the page, past its policy, and gives what it returns.
    #[track_caller]
    pub(crate) fn script(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.run(self.client.execute(script, arguments), || "the script fails".to_owned())
    }

    /// Likewise, one that calls its last argument when it is done.
    #[track_caller]
    pub(crate) fn script_to_its_end(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.run(self.client.execute_async(script, arguments), || "the script fails".to_owned())
    }

    /// What the browser complains of: errors of scripts, what the policy forbids, what cannot be loaded.
    #[track_caller]
    pub(crate) fn complaints(&self) -> Vec<String> {
        let told = self.run(self.client.issue_cmd(Messages), || "the messages cannot be read".to_owned());
        let told = told.as_array().cloned().unwrap_or_default();
        // What it would have others know who write pages is no complaint.
        let told = told.iter().filter(|message| message["level"] != "DEBUG");
        told.map(|message| format!("{}: {}", message["level"], message["message"])).collect()
    }

    /// Has the browser do something that only its tools for developers offer.
    #[track_caller]
    pub(crate) fn devtools(&self, command: &'static str, parameters: Value) -> Value {
        self.run(self.client.issue_cmd(Devtools { command, parameters }), || format!("{command} fails"))
    }

    /// Takes a picture of the whole page.
    #[track_caller]
    pub(crate) fn picture(&self) -> Vec<u8> {
        let taken = self.devtools("Page.captureScreenshot", json!({"captureBeyondViewport": true}));
        decode(taken["data"].as_str().unwrap_or_default())
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    #[track_caller]
    fn run<T>(&self, future: impl Future<Output = Result<T, CmdError>>, trouble: impl FnOnce() -> String) -> T {
        self.block_on(future).unwrap_or_else(|error| panic!("{}: {error}", trouble()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(picture) = self.block_on(self.client.screenshot())
        {
            static NEXT: AtomicU32 = AtomicU32::new(1);
            let name = format!("browser-{}-{}.png", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
            if fs::write(&path, picture).is_ok() {
                eprintln!("what the browser showed is in {}", path.display());
            }
        }
        let closed = self.runtime.block_on(self.client.clone().close());
        self.driver.end(closed.is_ok());
    }
}

/// A text as XPath writes it.
fn quoted(text: &str) -> String {
    let parts: Vec<String> = text.split('"').map(|part| format!("\"{part}\"")).collect();
    if parts.len() == 1 { parts.concat() } else { format!("concat({})", parts.join(", '\"', ")) }
}

fn decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).expect("a picture comes in base64")
}
