// A page: it shows what the stream says, ticks its times, copies, and asks before what cannot be undone.
"use strict";

(() => {
  const PING_MS = 10000;
  const ALWAYS = ["live_trouble", "live_stuck"]; // the parts that every page has
  const byId = (id) => document.getElementById(id);

  // The stream.
  const stream = openStream((message) => {
    if (message.signedOut) location.assign("/sign-in?next=" + encodeURIComponent(location.pathname + location.search));
    else if (message.parts) take(message);
    else if (message.paused) paused();
    else if ("lostSince" in message) connected(message.lostSince);
  });

  // The page's own address; a list adds the rows that it shows, or up to where it has seen them, so that these come back and none jumps.
  function topic() {
    const list = byId("live_rows");
    const rows = [...(list?.querySelectorAll("tr[data-row]") ?? [])].map((row) => row.dataset.row);
    const address = location.pathname + location.search;
    const seen = document.querySelector("[data-seen]")?.dataset.seen;
    const shown = rows.length ? "rows=" + rows.join(",") : seen ? "seen=" + seen : "";
    return shown ? address + (location.search ? "&" : "?") + shown : address;
  }

  // What was sent for the page as it was, under another filter or with other rows, is not shown in the page as it is.
  function take({ topic: of, parts }) {
    if (topic() !== said) say();
    else if (of === said) patch(parts);
  }

  let said = "";
  const say = () => stream.postMessage({ topic: (said = topic()), front: !document.hidden });
  say();
  setInterval(say, PING_MS);
  document.addEventListener("visibilitychange", () => document.hidden || say());
  addEventListener("pageshow", (event) => event.persisted && say());
  addEventListener("pagehide", () => stream.postMessage({ bye: true }));
  document.addEventListener("htmx:after:settle", say);

  let pressed = false; // what is pressed must still be there when it is let go
  let waiting = {};
  addEventListener("pointerdown", () => (pressed = true), true);
  for (const end of ["pointerup", "pointercancel"])
    addEventListener(end, () => ((pressed = false), setTimeout(() => !pressed && patch({}), 50)), true);

  function patch(parts) {
    const whole = Object.keys(parts).some((name) => name.startsWith("live_") && !ALWAYS.includes(name));
    if (byId("failed") && whole) location.reload(); // what could not be shown can be now
    Object.assign(waiting, parts);
    if (pressed) return;
    for (const [name, html] of Object.entries(waiting)) {
      const target = byId(name);
      if (!target || selected(target)) continue;
      htmx.swap({ sourceElement: target, target, text: html, swap: "innerMorph" });
      delete waiting[name];
    }
    tick();
    if (topic() !== said) say(); // the first rows have come
    document.dispatchEvent(new CustomEvent("console:patched", { detail: Object.keys(parts) }));
  }

  function selected(element) {
    const selection = getSelection();
    return selection && !selection.isCollapsed && selection.containsNode(element, true);
  }

  // By the zone in which the server writes times.
  const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "long", timeZone: byId("zone")?.dataset.zone });

  function connected(lostSince) {
    const sign = byId("connection");
    const lost = byId("lost");
    sign.dataset.state = lostSince === null ? "live" : "lost";
    sign.lastElementChild.textContent = lostSince === null ? "live" : "not live";
    lost.hidden = lostSince === null;
    if (lostSince !== null) lost.textContent = `Not connected since ${clock.format(lostSince)}, trying again. What you see may be old.`;
  }

  // There are more tabs than one stream has room for; this one is live again as soon as somebody looks at it.
  function paused() {
    const sign = byId("connection");
    sign.dataset.state = "wait";
    sign.lastElementChild.textContent = "paused";
    byId("lost").hidden = true;
  }

  // Times: "12 s ago" goes on by itself.
  function span(seconds) {
    const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    let left = Math.round(seconds);
    const said = [];
    for (const [size, name] of units) {
      const whole = Math.floor(left / size);
      left -= whole * size;
      if (whole || said.length) said.push(whole ? `${whole} ${name}` : "");
      if (said.length === 2) break;
    }
    return said.filter(Boolean).join(" ");
  }

  function tick() {
    const now = Date.now();
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const seconds = (now - Date.parse(time.dateTime)) / 1000;
      const said = Math.abs(seconds) < 1 ? "just now" : seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
      if (time.textContent !== said) time.textContent = said;
    }
  }
  setInterval(tick, 1000);

  // The zone.
  const zone = byId("zone");
  if (zone) {
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    for (const name of new Set([here, zone.dataset.zone])) {
      if (name && name !== "UTC") zone.add(new Option(name.split("/").pop().replaceAll("_", " "), name));
    }
    zone.value = zone.dataset.zone === "UTC" ? "" : zone.dataset.zone;
    zone.addEventListener("change", () => {
      document.cookie = `console_zone=${zone.value}; path=/; max-age=${zone.value ? 31536000 : 0}; samesite=strict`;
      location.reload();
    });
  }

  // On a narrow screen the pages' names are scrolled sideways: the present one is in sight.
  document.querySelector("nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

  // Clicks: copy, open a row, ask first.
  document.addEventListener("click", async (event) => {
    const copier = event.target.closest(".copier");
    if (copier) {
      await navigator.clipboard.writeText(copier.dataset.copy);
      copier.classList.add("copied");
      copier.title = "Copied";
      setTimeout(() => (copier.classList.remove("copied"), (copier.title = "Copy")), 1500);
      return;
    }
    const row = event.target.closest("tr[data-href]");
    if (row && !event.target.closest("a, button, input, label") && getSelection().isCollapsed) {
      if (event.ctrlKey || event.metaKey) window.open(row.dataset.href);
      else location.assign(row.dataset.href);
    }
  });
  // What one button of a form needs is required where that is pressed, before anything is asked.
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    for (const field of button?.form?.querySelectorAll("[data-needed]") ?? []) field.required = "needs" in button.dataset;
  });
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
    if (question && !confirm(question.replace("{picked}", () => picked(event.target)))) event.preventDefault();
  });

  // How many rows are selected, and how many of each kind: "3 letters (2 order_svc BAD_KEY, 1 product_svc NO_KEY)".
  function picked(form) {
    const kinds = new Map();
    const boxes = [...form.querySelectorAll("td.pick input:checked")];
    for (const { dataset } of boxes) kinds.set(dataset.kind, (kinds.get(dataset.kind) ?? 0) + 1);
    const of = [...kinds].map(([kind, number]) => `${number} ${kind}`).join(", ");
    return `${boxes.length} letter${boxes.length === 1 ? "" : "s"} (${of})`;
  }

  // Selected rows: all of them at once, and how many they are.
  function countPicked() {
    for (const form of document.querySelectorAll("form.picked")) {
      const boxes = [...form.querySelectorAll("td.pick input")];
      const picked = boxes.filter((box) => box.checked).length;
      for (const place of form.querySelectorAll("[data-picked]")) place.textContent = picked ? `${picked} selected` : "";
      for (const button of form.querySelectorAll(".bar-of-actions button")) button.disabled = !picked;
    }
  }
  document.addEventListener("change", ({ target }) => {
    if (target.id === "pick-all")
      for (const box of target.form.querySelectorAll("td.pick input")) box.checked = target.checked;
    if (target.closest(".picked")) countPicked();
  });
  document.addEventListener("console:patched", countPicked);
  document.addEventListener("htmx:after:settle", countPicked);
  countPicked();

  // A filter's address has only what was asked for.
  document.addEventListener("htmx:config:request", ({ detail }) => {
    const body = detail.ctx.request.body;
    if (body instanceof FormData) for (const [name, value] of [...body]) if (!value) body.delete(name);
  });
})();
