// One stream of events for all tabs of this browser, which may have only six connections to one host.
// It runs in a shared worker, or in one of the tabs (stream.js). Each tab says which address it shows; the stream asks for all of them, and each tab gets what concerns it.
// Where they are too many for one address, it asks for those that somebody has looked at last, and the others are paused.
"use strict";

const SILENT_MS = 12000; // the server says something every four seconds
const AGAIN_MS = 2000;
const GONE_MS = 150000; // a tab in the background may be let to speak but once a minute
const MOST = 40; // pages that the server takes
const LONGEST = 7000; // many a proxy refuses an address of more than 8 kB
const tabs = new Map(); // port -> {topic, at, front}: when it spoke, and when somebody looked at it
let on = new Set(); // the topics that the stream asks for
let source = null;
let asked = "";
let heard = 0;
let lostSince = null;
let pending = null;

self.onconnect = (event) => {
  const port = event.ports[0];
  port.onmessage = ({ data }) => (data.bye ? leave(port) : show(port, data));
};

function show(port, { topic, front }) {
  const known = tabs.get(port);
  const now = Date.now();
  tabs.set(port, { topic, at: now, front: front ? now : (known?.front ?? 0) });
  if (topic !== known?.topic) plan(true);
  else if (front && !on.has(topic)) plan(false);
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
  const topics = chosen();
  const wanted = topics.map(asking).join("&");
  if (wanted === asked && source && !anew) return;
  source?.close();
  source = null;
  asked = wanted;
  on = new Set(topics);
  for (const [port, tab] of tabs) if (!on.has(tab.topic)) send([port], { paused: true });
  if (!topics.length) return;
  heard = Date.now();
  source = new EventSource("/live?" + wanted);
  source.addEventListener("parts", ({ data }) => {
    hear();
    const { topic, parts } = JSON.parse(data);
    for (const [port, tab] of tabs) if (tab.topic === topic) port.postMessage({ topic, parts });
  });
  source.addEventListener("beat", hear);
  source.addEventListener("signed-out", () => send(tabs.keys(), { signedOut: true }));
  source.onerror = lose;
}

const asking = (topic) => "on=" + encodeURIComponent(topic);

// As many topics as there is room for, of the tabs that were looked at last.
function chosen() {
  const topics = new Set();
  let room = LONGEST;
  for (const { topic } of [...tabs.values()].sort((one, other) => other.front - one.front)) {
    if (topics.has(topic)) continue;
    room -= asking(topic).length + 1;
    if (topics.size && (room < 0 || topics.size === MOST)) break;
    topics.add(topic);
  }
  return [...topics].sort();
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
  for (const port of ports) send([port], on.has(tabs.get(port)?.topic) ? { lostSince } : { paused: true });
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
