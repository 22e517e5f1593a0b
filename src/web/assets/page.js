// Renews the page in place whenever the hub has news (server-sent events), part by part, so that focus, selection,
// scrolling and opened details stay. Without this script the page reloads itself every 30 seconds.
"use strict";
(() => {
  const PAUSE_MS = 2000; // between two renewals, however fast the news comes
  const FALLBACK_MS = 10000; // between fetches while the event stream is not there
  const STALE_MS = 45000; // three heartbeats of the event stream without one
  const stale = document.getElementById("stale");
  const language = document.documentElement.lang;
  const source = document.documentElement.dataset.source; // where this page's parts come from
  let heardAt = Date.now();
  let fetching = false;
  let again = false;

  function opened(part) {
    return new Set([...part.querySelectorAll("details[open]")].map((d) => d.id));
  }

  function replace(part, next) {
    const open = opened(part);
    for (const d of next.querySelectorAll("details")) if (open.has(d.id)) d.open = true;
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const path = focused && [focused.tagName, [...part.querySelectorAll(focused.tagName)].indexOf(focused)];
    const left = [...part.querySelectorAll(".scroll")].map((s) => s.scrollLeft);
    part.replaceChildren(...next.childNodes);
    [...part.querySelectorAll(".scroll")].forEach((s, i) => { s.scrollLeft = left[i] || 0; });
    if (path) part.querySelectorAll(path[0])[path[1]]?.focus({ preventScroll: true });
  }

  function apply(html) {
    const next = new DOMParser().parseFromString(html, "text/html");
    const parts = [...document.querySelectorAll("main [data-part]")];
    const renewed = [...next.querySelectorAll("[data-part]")];
    const names = (list) => list.map((p) => p.dataset.part).join();
    if (names(parts) !== names(renewed)) {
      document.getElementById("main").replaceChildren(...(next.getElementById("main") || next.body).childNodes);
      return;
    }
    parts.forEach((part, i) => {
      // What the reader opened is no difference.
      if (part.innerHTML.replaceAll(' open=""', "") !== renewed[i].innerHTML) replace(part, renewed[i]);
    });
  }

  async function renew() {
    if (fetching) { again = true; return; }
    fetching = true;
    try {
      const answer = await fetch(source + "?lang=" + encodeURIComponent(language), { cache: "no-store" });
      if (answer.status === 401) { location.reload(); return; } // the session is over: the way in comes
      if (answer.ok) { apply(await answer.text()); heard(); }
    } catch { /* the next event or the fallback tries again; the banner says that nothing comes */ }
    setTimeout(() => {
      fetching = false;
      if (again) { again = false; renew(); }
    }, PAUSE_MS);
  }

  function heard() {
    heardAt = Date.now();
    stale.hidden = true;
  }

  const events = new EventSource("api/v1/events");
  events.addEventListener("snapshot", () => { heard(); if (!document.hidden) renew(); });
  events.addEventListener("alive", heard);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(); });
  setInterval(() => {
    if (events.readyState !== EventSource.OPEN) renew();
    stale.hidden = Date.now() - heardAt < STALE_MS;
  }, FALLBACK_MS);
})();
