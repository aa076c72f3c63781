//! Several windows of one browser, and what they share.

use fantoccini::wd::WindowHandle;
use serde_json::json;

use super::super::wait::until;
use super::Browser;

/// A window or a tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window(WindowHandle);

impl Browser {
    /// The window whose page is looked at.
    #[track_caller]
    pub(crate) fn window(&self) -> Window {
        Window(self.run(self.client.window(), || "no window".to_owned()))
    }

    /// Opens another window, and goes there.
    #[track_caller]
    pub(crate) fn open_window(&self) -> &Self {
        let opened = async {
            let opened = self.client.new_window(false).await?;
            self.client.switch_to_window(opened.handle).await
        };
        self.run(opened, || "no window opens".to_owned());
        self
    }

    /// Puts the window away, so that nobody sees its page, or takes it out again.
    #[track_caller]
    pub(crate) fn put_away(&self, is_away: bool) -> &Self {
        let window = self.devtools("Browser.getWindowForTarget", json!({}))["windowId"].clone();
        let state = if is_away { "minimized" } else { "normal" };
        self.devtools("Browser.setWindowBounds", json!({"windowId": window, "bounds": {"windowState": state}}));
        self
    }

    /// Has the pages of this window find nothing by which windows share a worker, from the next one on.
    #[track_caller]
    pub(crate) fn share_nothing(&self) -> &Self {
        self.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": "delete window.SharedWorker"}));
        self
    }

    /// Goes to a window.
    #[track_caller]
    pub(crate) fn to_window(&self, window: &Window) -> &Self {
        self.run(self.client.switch_to_window(window.0.clone()), || "the window is gone".to_owned());
        self
    }

    /// Goes to the window that a link has opened, once it is there.
    #[track_caller]
    pub(crate) fn other_window(&self, first: &Window) -> &Self {
        let other = until(
            || self.block_on(self.client.windows()).ok()?.into_iter().find(|window| *window != first.0),
            || "no other window opens".to_owned(),
        );
        self.to_window(&Window(other))
    }

    /// Closes the window and goes to another.
    #[track_caller]
    pub(crate) fn close_window(&self, next: &Window) -> &Self {
        self.run(self.client.close_window(), || "the window does not close".to_owned());
        self.to_window(next)
    }

    /// Loads the page anew; a form of which it is the answer is sent once more.
    #[track_caller]
    pub(crate) fn reload(&self) -> &Self {
        self.run(self.client.refresh(), || "the page does not load".to_owned());
        self
    }

    /// The cookie by which it is signed in, as it is sent.
    #[track_caller]
    pub(crate) fn cookie(&self) -> String {
        let cookie = self.run(self.client.get_named_cookie("retcon_session"), || "no cookie".to_owned());
        format!("{}={}", cookie.name(), cookie.value())
    }
}
