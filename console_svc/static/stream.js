// The stream of events as one tab sees it. A shared worker holds it for all tabs; where a browser has none, one tab does,
// by the same code; where that cannot be either, each tab has a stream of its own.
"use strict";

const openStream = (() => {
  const LOCK = "order-saga-stream";
  const AGAIN_MS = 2000;
  const SILENT_MS = 20000; // whoever holds the stream says something every few seconds
  const address = document.currentScript.dataset.worker;

  return (listener) => {
    if (window.SharedWorker) {
      const { port } = new SharedWorker(address, { name: "order-saga" });
      port.onmessage = ({ data }) => listener(data);
      return port;
    }
    return window.BroadcastChannel && navigator.locks ? sharedStream(listener) : ownStream(listener);
  };

  // The tab that has the lock leads: it runs the worker's code, and speaks for the others with the server.
  function sharedStream(listener) {
    const me = crypto.randomUUID();
    const channel = new BroadcastChannel("order-saga");
    const ports = new Map(); // a tab's id -> what the worker's code takes for its port; empty unless this tab leads
    let connect = null; // what the worker's code does with a new port; null unless this tab leads
    let last = null;
    let heard = Date.now();

    const take = (message) => ((heard = Date.now()), listener(message));
    const give = (tab, message) => (tab === me ? take(message) : channel.postMessage({ to: tab, message }));

    function deliver(tab, message) {
      if (!ports.has(tab)) {
        const port = { postMessage: (said) => give(tab, said) };
        ports.set(tab, port);
        connect({ ports: [port] });
      }
      ports.get(tab).onmessage({ data: message });
      if (message.bye) ports.delete(tab);
    }

    function say(message) {
      last = message.bye ? null : message;
      if (connect) deliver(me, message);
      else channel.postMessage({ from: me, message });
    }

    channel.onmessage = ({ data }) => {
      if (data.to === me) take(data.message);
      else if (data.from && connect) deliver(data.from, data.message);
      else if (data.leads && last) channel.postMessage({ from: me, message: last });
    };

    async function lead() {
      connect = await workersCode();
      if (last) say(last);
      channel.postMessage({ leads: true });
      await new Promise(() => {}); // the lock is kept until the tab is closed, or another takes it
    }

    function follow() {
      for (const tab of [...ports.keys()]) deliver(tab, { bye: true });
      connect = null;
      heard = Date.now();
      if (last) say(last);
      setTimeout(queue, AGAIN_MS);
    }

    const queue = (how = {}) => navigator.locks.request(LOCK, how, lead).catch(follow);
    queue();
    setInterval(() => {
      // A browser may have put the leader to sleep: who is looked at takes its place.
      if (connect || document.hidden || Date.now() - heard < SILENT_MS) return;
      heard = Date.now();
      queue({ steal: true });
    }, 5000);
    return { postMessage: say };
  }

  // In a worker it is told of new ports; here it says what it would do with one.
  function workersCode() {
    if (self.onconnect) return Promise.resolve(self.onconnect);
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = address;
      script.onload = () => resolve(self.onconnect);
      script.onerror = reject;
      document.head.append(script);
    });
  }

  function ownStream(listener) {
    let source;
    let lostSince = null;
    let shown;
    const open = (topic) => {
      source?.close();
      source = new EventSource("/live?on=" + encodeURIComponent(topic));
      const hear = () => listener({ lostSince: (lostSince = null) });
      source.addEventListener("parts", ({ data }) => (hear(), listener(JSON.parse(data))));
      source.addEventListener("beat", hear);
      source.addEventListener("signed-out", () => listener({ signedOut: true }));
      source.onerror = () => {
        listener({ lostSince: (lostSince ??= Date.now()) });
        if (source.readyState === EventSource.CLOSED) setTimeout(() => open(topic), AGAIN_MS);
      };
    };
    return {
      postMessage({ topic, bye }) {
        if (bye) source?.close();
        else if (topic !== shown) open((shown = topic));
      },
    };
  }
})();
