// The counters as the providers see them, and the switches by which things go wrong.
"use strict";

const $ = (id) => document.getElementById(id);

// [group, [[words, note, fault without its service]]]
const GROUPS = [
  ["It is refused, and says so", [
    ["Too many requests", "without a time to come back", { mode: "rate_limited" }],
    ["Too many requests, wait 10\u00a0s", "with a time to come back", { mode: "rate_limited", retry_after: 10 }],
    ["Sending not permitted", "only sending is refused; the key itself works", { mode: "not_permitted" }],
    ["Server error", "an error, and nothing was taken", { mode: "error_not_taken", operation: "send" }],
  ]],
  ["It may have arrived", [
    ["Server error, yet taken", "an error, although the message was delivered", { mode: "error_taken", operation: "send" }],
    ["Lose the answers", "delivered, then the line goes dead", { mode: "answer_lost", operation: "send" }],
    ["Lose the requests", "the line goes dead before anything arrives", { mode: "request_lost", operation: "send" }],
    ["Garbled answers", "a web page instead of an answer", { mode: "garbage", operation: "send" }],
    ["Slow", "delivered at once, answered after 8\u00a0s", { mode: "slow", operation: "send", delay: 8 }],
  ]],
  ["The whole service", [
    ["Down", "connections are refused", { mode: "down" }],
    ["Refused later", "accepted, then a receipt says that it failed", { mode: "receipt_failure" }, "refuses_later"],
    ["A bot owns the conversations", "it answers the contact; the desk stands by", { mode: "bot_owns" }, "bots"],
  ]],
  ["What it tells the desk", [
    ["Everything twice", "each webhook call is made two times", { mode: "webhook_duplicated" }],
    ["In the wrong order", "two webhook calls change places", { mode: "webhook_reordered" }],
    ["Late", "webhook calls come 10\u00a0s late", { mode: "webhook_late", delay: 10 }],
    ["Held back", "webhook calls wait until this is switched off", { mode: "webhook_held" }],
  ]],
];

let service = "sunshine";
let faults = [];
let tabs = [];

function complain(words) {
  $("notice").textContent = words;
  $("notice").hidden = !words;
}

async function ask(method, path, body) {
  try {
    const answer = await fetch(`/sandbox/${path}`, {
      method,
      headers: body ? { "content-type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
    });
    complain(answer.ok ? "" : `That did not work: ${(await answer.json()).error}`);
  } catch {
    complain("The sandbox does not answer.");
  }
}

function find(fault) {
  return faults.find((f) => f.service === service && f.mode === fault.mode && (f.retry_after || null) === (fault.retry_after || null));
}

async function flip(fault) {
  const on = find(fault);
  if (on) {
    await ask("DELETE", `faults/${on.id}`);
    if (fault.mode.startsWith("webhook_")) await ask("POST", "webhooks/release", {});
  } else {
    await ask("POST", "faults", { service, ...fault });
  }
}

function drawSwitches() {
  const blocks = GROUPS.map(([title, switches]) => {
    const block = document.createElement("section");
    block.className = "group";
    const head = document.createElement("h3");
    head.textContent = title;
    block.append(head);
    for (const [words, note, fault, only] of switches) {
      if (only && !(tabs.find((t) => t.service === service) || {})[only]) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "switch";
      button.setAttribute("role", "switch");
      const label = document.createElement("span");
      const strong = document.createElement("strong");
      strong.textContent = words;
      const small = document.createElement("small");
      small.textContent = note;
      label.append(strong, small);
      button.append(label, document.createElement("i"));
      button.addEventListener("click", () => flip(fault));
      button.fault = fault;
      block.append(button);
    }
    return block;
  });
  $("groups").replaceChildren(...blocks);
  drawState();
}

function drawState() {
  for (const button of document.querySelectorAll(".switch")) button.setAttribute("aria-checked", String(Boolean(find(button.fault))));
  const revoked = Boolean(find({ mode: "revoked" }));
  $("key").setAttribute("aria-pressed", String(revoked));
  $("key-title").textContent = revoked ? "Restore the key" : "Revoke the key";
  $("key-note").textContent = revoked ? "Revoked: every call is refused." : "Every call is refused until it is restored.";
  for (const option of $("service").options) {
    const troubled = faults.filter((f) => f.service === option.value).length;
    option.textContent = troubled ? `${option.dataset.title} · ${troubled}` : option.dataset.title;
  }
}

function drawCounts(counts) {
  for (const box of document.querySelectorAll("[data-count]")) {
    const value = counts[box.dataset.count];
    box.querySelector("dd").textContent = value.toLocaleString();
    if (box.classList.contains("must-be-zero")) box.classList.toggle("wrong", value > 0);
  }
}

$("key").addEventListener("click", () => flip({ mode: "revoked" }));
$("clear").addEventListener("click", async () => {
  await ask("DELETE", "faults");
  await ask("POST", "webhooks/release", {});
});
$("service").addEventListener("change", () => { service = $("service").value; drawSwitches(); });

// What is looked at on the phone is what one wants to break. A channel reaches the windows of one origin only, and a
// demonstration has an origin of its own: all of its windows show the same sandbox.
new BroadcastChannel("sandbox-service").onmessage = (event) => {
  if (!tabs.some((t) => t.service === event.data)) return;
  service = event.data;
  $("service").value = service;
  drawSwitches();
};

function drawServices(all) {
  if (JSON.stringify(all) === JSON.stringify(tabs)) return;
  tabs = all;
  $("service").replaceChildren(...tabs.map((t) => {
    const option = new Option(t.title, t.service, false, t.service === service);
    option.dataset.title = t.title;
    return option;
  }));
  drawSwitches();
}

const source = new EventSource("/sandbox/counts/stream");
source.onmessage = (event) => {
  const news = JSON.parse(event.data);
  faults = news.faults;
  drawServices(news.tabs);
  drawCounts(news);
  drawState();
};
source.onerror = () => complain("The sandbox does not answer; trying again.");
source.onopen = () => complain("");
