// Keeps a page up to date that is looked at: when something happens, the page is asked for once more, and the parts of it that
// are marked data-live take the place of those that are there. Without this, everything works by loading pages.
(function () {
  "use strict";
  var parts = function (root) { return root.querySelectorAll("[data-live][id]"); };
  if (!window.EventSource || !window.fetch || parts(document).length === 0) { return; }

  var PAUSE = 1000;
  var source = null, timer = 0, asked = 0, isAsking = false, isStale = false;
  var state = document.getElementById("live-state");

  function say(text) {
    if (state) { state.textContent = text; state.hidden = text === ""; }
  }

  // Whether somebody is at work in a part: what they have typed or chosen is not taken from them.
  function isBusy(part) {
    var active = document.activeElement;
    if (active && part.contains(active) && active.matches("input, select, textarea")) { return true; }
    return Array.prototype.some.call(part.querySelectorAll("input, select, textarea"), function (field) {
      if (field.type === "hidden") { return false; }
      if (field.type === "checkbox" || field.type === "radio") { return field.checked !== field.defaultChecked; }
      if (field.tagName === "SELECT") {
        return Array.prototype.some.call(field.options, function (option) { return option.selected !== option.defaultSelected; });
      }
      return field.value !== field.defaultValue;
    });
  }

  // Open details stay open, and the focus stays on the link or button of the same name.
  function replace(old, fresh) {
    Array.prototype.forEach.call(old.querySelectorAll("details[id][open]"), function (open) {
      var same = fresh.querySelector("#" + CSS.escape(open.id));
      if (same) { same.open = true; }
    });
    var active = old.contains(document.activeElement) ? document.activeElement : null;
    var tag = active && active.tagName, text = active && active.textContent, href = active && active.getAttribute("href");
    old.replaceWith(fresh);
    if (!active) { return; }
    var same = Array.prototype.find.call(fresh.querySelectorAll(tag), function (each) {
      return each.textContent === text && each.getAttribute("href") === href;
    });
    if (same) { same.focus({ preventScroll: true }); }
  }

  function take(text) {
    var page = new DOMParser().parseFromString(text, "text/html");
    Array.prototype.forEach.call(parts(document), function (old) {
      var fresh = page.getElementById(old.id);
      if (fresh && fresh.outerHTML !== old.outerHTML && !isBusy(old)) { replace(old, document.importNode(fresh, true)); }
    });
    document.dispatchEvent(new CustomEvent("retcon-live"));
  }

  function ask() {
    timer = 0;
    if (document.hidden || isAsking) { isStale = true; return; }
    isAsking = true;
    isStale = false;
    asked = Date.now();
    fetch(location.href, { headers: { "X-Retcon-Live": "1", "Accept": "text/html" }, credentials: "same-origin" })
      .then(function (answer) {
        if (answer.status === 401) { stop(); say("You are signed out. Load the page to sign in."); return null; }
        return answer.ok ? answer.text() : null;
      })
      .then(function (text) { if (text !== null) { take(text); } })
      .catch(function () { isStale = true; })
      .then(function () { isAsking = false; if (isStale && !document.hidden) { soon(); } });
  }

  function soon() {
    if (!timer) { timer = setTimeout(ask, Math.max(0, asked + PAUSE - Date.now())); }
  }

  var KINDS = ["sync", "written", "conflict", "conflict-moved", "conflict-closed", "in-doubt", "doubt-settled", "parked",
    "deletes-held", "source-down", "source-up", "database-down", "database-up", "actor-failed", "actor-started",
    "actor-gave-up", "config-applied", "config-rejected", "missed"];

  function start() {
    if (source) { return; }
    var entities = Array.prototype.map.call(parts(document), function (part) { return part.getAttribute("data-live"); });
    var one = entities.every(function (entity) { return entity && entity === entities[0]; });
    source = new EventSource("/v1/events" + (one ? "?entity=" + encodeURIComponent(entities[0]) : ""));
    source.onopen = function () { say(""); soon(); };
    source.onerror = function () {
      say(source.readyState === EventSource.CLOSED ? "This page is not kept up to date any more: load it anew." : "Connecting again …");
    };
    KINDS.forEach(function (kind) { source.addEventListener(kind, soon); });
  }

  function stop() {
    if (source) { source.close(); source = null; }
    if (timer) { clearTimeout(timer); timer = 0; }
  }

  document.addEventListener("visibilitychange", function () { if (document.hidden) { stop(); } else { start(); } });
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", function () { if (!document.hidden) { start(); } });
  if (!document.hidden) { start(); }
})();
