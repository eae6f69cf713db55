// The keyboard: rows, filters, pages, and the list of keys.
"use strict";

(() => {
  const PAGES = { o: "/", s: "/sagas", r: "/orders", p: "/products", d: "/dead-letters", y: "/system" };
  let going = false;
  let at = null; // the row's id: rows are patched, ids stay

  const rows = () => [...document.querySelectorAll("tr[data-href]")];

  function move(by) {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => row.id === at);
    const next = all[Math.min(all.length - 1, Math.max(0, now < 0 ? 0 : now + by))];
    at = next.id;
    mark();
    next.querySelector("a")?.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function mark() {
    for (const row of rows()) row.classList.toggle("at", row.id === at);
  }
  document.addEventListener("console:patched", () => at && mark());

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog[open]")) return;
    const key = event.key;
    if (going) {
      going = false;
      if (PAGES[key]) location.assign(PAGES[key]);
      return;
    }
    if (key === "j") move(1);
    else if (key === "k") move(-1);
    else if (key === "x") document.getElementById(at)?.querySelector("input[type=checkbox]")?.click();
    else if (key === "g") going = true;
    else if (key === "?") document.getElementById("help").showModal();
    else if (key === "/") document.querySelector(".filters select, .filters input")?.focus();
    else return;
    event.preventDefault();
  });
})();
