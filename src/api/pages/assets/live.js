// Keeps a page up to date that is looked at: when something happens, the page is asked for once more, and the parts of it that
// are marked data-live take the place of those that are there. Without this, everything works by loading pages.
(function () {
  "use strict";
  var parts = function (root) { return root.querySelectorAll("[data-live][id]"); };
  if (!window.EventSource || !window.fetch || parts(document).length === 0) { return; }

  var PAUSE = 1000;
  var source = null, timer = 0, asked = 0, isAsking = false, isStale = false;
  // What is being clicked on, and whether a part was left as it was because of that, or because something in it was marked.
  var held = null, isLeft = false;
  var state = document.getElementById("live-state");
  var follower = document.currentScript && document.currentScript.getAttribute("data-follower"), entity = "";

  function say(text) {
    if (state) { state.textContent = text; state.hidden = text === ""; }
  }

  function marked() {
    var selection = document.getSelection();
    return selection && !selection.isCollapsed ? selection.getRangeAt(0) : null;
  }

  // Whether somebody is clicking on something in a part, or has marked it, perhaps to copy it: that is over soon.
  function isTouched(part) {
    var range = marked();
    return (held && part.contains(held)) || (range && range.intersectsNode(part));
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

  // What a part says. The name by which a form is sent once is another each time, and what is unfolded is up to who looks.
  function said(part) {
    var copy = part.cloneNode(true);
    copy.querySelectorAll("input[name=once]").forEach(function (once) { once.setAttribute("value", ""); });
    copy.querySelectorAll("details").forEach(function (details) { details.removeAttribute("open"); });
    return copy.outerHTML;
  }

  // What something does, as far as that can be seen: where it leads or what it sends, and what is written on it.
  function meaning(element) {
    if (element.tagName === "DETAILS") { element = element.querySelector("summary") || element; }
    var sent = element.form ? Array.prototype.map.call(element.form.querySelectorAll("input[type=hidden]"), function (field) {
      return field.name === "once" ? "" : field.name + "=" + field.value;
    }) : [];
    var to = element.form ? element.form.getAttribute("action") : element.getAttribute("href");
    var text = element.matches("button, summary") ? element.textContent : "";
    return JSON.stringify([to, sent, element.getAttribute("aria-label"), text]);
  }

  function withId(part, id) { return part.id === id ? part : part.querySelector("#" + CSS.escape(id)); }

  // What stands in the new part in the place of something of the old one: what has its id; or in the same row, which is the nearest
  // thing with an id, what means the same. If there are several of these, or were, there must be as many. It is nothing of another row.
  function twin(element, fresh) {
    if (element.id) { return withId(fresh, element.id); }
    var row = element.closest("[id]"), there = withId(fresh, row.id), meant = meaning(element);
    if (!there) { return null; }
    var alike = function (row) {
      return Array.prototype.filter.call(row.querySelectorAll(element.tagName), function (each) {
        return !each.id && each.closest("[id]") === row && meaning(each) === meant;
      });
    };
    var before = alike(row), after = alike(there);
    return before.length === after.length ? after[before.indexOf(element)] : null;
  }

  // Open details stay open, and the focus stays where it is.
  function replace(old, fresh) {
    old.querySelectorAll("details[open]").forEach(function (open) {
      var same = twin(open, fresh);
      if (same) { same.open = true; }
    });
    var active = old.contains(document.activeElement) ? document.activeElement : null;
    var same = active && twin(active, fresh);
    old.replaceWith(fresh);
    if (same) { same.focus({ preventScroll: true }); }
  }

  function take(text) {
    var page = new DOMParser().parseFromString(text, "text/html");
    isLeft = false;
    parts(document).forEach(function (old) {
      var fresh = page.getElementById(old.id);
      if (!fresh || said(fresh) === said(old)) { return; }
      if (isTouched(old)) { isLeft = true; } else if (!isBusy(old)) { replace(old, document.importNode(fresh, true)); }
    });
    document.dispatchEvent(new CustomEvent("retcon-live"));
  }

  // What was left as it is may be replaced now: the page is asked for once more.
  function goOn() {
    if (isLeft && source && !held && !marked()) { isLeft = false; soon(); }
  }

  function letGo() { if (held) { held = null; goOn(); } }

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

  // Follows what happens, in a window of its own: where windows cannot share one stream.
  function alone(heard) {
    var stream = new EventSource("/v1/events" + (entity ? "?entity=" + encodeURIComponent(entity) : ""));
    stream.onopen = function () { heard({ is: "open" }); };
    stream.onerror = function () { heard({ is: stream.readyState === EventSource.CLOSED ? "over" : "away" }); };
    KINDS.forEach(function (kind) { stream.addEventListener(kind, function () { heard({ is: "event" }); }); });
    return stream;
  }

  // Follows what happens, together with the other windows of this browser (follow.js).
  function together(heard) {
    var worker = new SharedWorker(follower), own = null, isOver = false;
    var go = function () { if (!own && !isOver) { own = alone(heard); } };
    worker.onerror = go;
    worker.port.onmessage = function (message) {
      if (message.data.is === "none") { go(); } else if (!isOver) { heard(message.data); }
    };
    worker.port.postMessage({ follow: KINDS });
    return { close: function () {
      isOver = true;
      worker.port.postMessage({});
      if (own) { own.close(); }
    } };
  }

  // The entity that all of the page is about; it need not be told of others.
  function entityOfAll() {
    var entities = Array.prototype.map.call(parts(document), function (part) { return part.getAttribute("data-live"); });
    return entities.every(function (one) { return one && one === entities[0]; }) ? entities[0] : "";
  }

  // Whether an event may be about something on the page; one that does not say what it is about may.
  function concerns(data) {
    var about = null;
    try { about = data && JSON.parse(data).entity; } catch (error) { about = null; }
    return !entity || !about || about === entity;
  }

  function hear(what) {
    if (what.is === "open") { say(""); soon(); }
    if (what.is === "away") { say("Connecting again …"); }
    if (what.is === "over") { say("This page is not kept up to date any more: load it anew."); }
    if (what.is === "event" && concerns(what.data)) { soon(); }
  }

  function start() {
    if (source) { return; }
    entity = entityOfAll();
    source = window.SharedWorker && follower ? together(hear) : alone(hear);
  }

  function stop() {
    if (source) { source.close(); source = null; }
    if (timer) { clearTimeout(timer); timer = 0; }
  }

  document.addEventListener("pointerdown", function (event) { if (event.button === 0) { held = event.target; } }, true);
  document.addEventListener("pointermove", function (event) { if (event.buttons === 0) { letGo(); } }, true);
  ["pointerup", "pointercancel", "dragend"].forEach(function (over) { document.addEventListener(over, letGo, true); });
  window.addEventListener("blur", letGo);
  document.addEventListener("selectionchange", goOn);
  document.addEventListener("visibilitychange", function () { if (document.hidden) { stop(); } else { start(); } });
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", function () { if (!document.hidden) { start(); } });
  if (!document.hidden) { start(); }
})();
