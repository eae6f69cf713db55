// One stream of events for all tabs of this browser, which may have only six connections to one host.
// It runs in a shared worker, or in one of the tabs (stream.js). Each tab says which address it shows; the stream asks for all of them, and each tab gets what concerns it.
"use strict";

const SILENT_MS = 12000; // the server says something every four seconds
const AGAIN_MS = 2000;
const GONE_MS = 150000; // a tab in the background may be let to speak but once a minute
const tabs = new Map(); // port -> {topic, at}
let source = null;
let asked = "";
let heard = 0;
let lostSince = null;
let pending = null;

self.onconnect = (event) => {
  const port = event.ports[0];
  port.onmessage = ({ data }) => (data.bye ? leave(port) : show(port, data.topic));
};

function show(port, topic) {
  const known = tabs.get(port);
  tabs.set(port, { topic, at: Date.now() });
  if (!known || known.topic !== topic) plan(topic !== known?.topic);
  else tell([port]);
}

function leave(port) {
  tabs.delete(port);
  plan(false);
}

// Several tabs may come or go at once; one new stream serves them all.
function plan(anew) {
  clearTimeout(pending);
  pending = setTimeout(() => connect(anew), 40);
}

function connect(anew) {
  const topics = [...new Set([...tabs.values()].map((tab) => tab.topic))].sort();
  const wanted = topics.map((topic) => "on=" + encodeURIComponent(topic)).join("&");
  if (wanted === asked && source && !anew) return;
  source?.close();
  source = null;
  asked = wanted;
  if (!topics.length) return;
  heard = Date.now();
  source = new EventSource("/live?" + wanted);
  source.addEventListener("parts", ({ data }) => {
    hear();
    const { topic, parts } = JSON.parse(data);
    for (const [port, tab] of tabs) if (tab.topic === topic) port.postMessage({ parts });
  });
  source.addEventListener("beat", hear);
  source.addEventListener("signed-out", () => send(tabs.keys(), { signedOut: true }));
  source.onerror = lose;
}

function hear() {
  heard = Date.now();
  if (lostSince === null && heard - toldAt < 3000) return;
  lostSince = null;
  tell(tabs.keys());
}

function lose() {
  if (lostSince === null) lostSince = Date.now();
  tell(tabs.keys());
  if (source?.readyState === EventSource.CLOSED) setTimeout(() => connect(true), AGAIN_MS);
}

let toldAt = 0;
function tell(ports) {
  toldAt = Date.now();
  send(ports, { lostSince });
}

function send(ports, message) {
  for (const port of ports) port.postMessage(message);
}

setInterval(() => {
  const now = Date.now();
  for (const [port, tab] of tabs) if (now - tab.at > GONE_MS) leave(port);
  if (tabs.size && now - heard > SILENT_MS) {
    lose();
    connect(true);
  }
}, 3000);
