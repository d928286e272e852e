// The replay of 6 August 2020: its button, the band that follows it, and the card at its end. Every number comes from the server.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const MARKS = { todo: "", now: "now", done: "done" };
  let timer = 0;
  let wasRunning = false;

  function make(tag, words, kind) {
    const element = document.createElement(tag);
    element.textContent = words;
    if (kind) element.className = kind;
    return element;
  }

  function cell(words, mark) {
    return make("td", words, words === "–" ? "none" : mark);
  }

  function drawActs(acts) {
    const items = acts.map((act) => {
      const item = make("li", act.title, MARKS[act.stands]);
      if (act.stands === "now") item.setAttribute("aria-current", "step");
      return item;
    });
    $("acts").replaceChildren(...items);
    const now = acts.find((act) => act.stands === "now");
    return now ? now.said : "";
  }

  function drawSides(shown) {
    for (const side of document.querySelectorAll("[data-side]")) {
      const counts = shown[side.dataset.side] || {};
      for (const cell of side.querySelectorAll("[data-of]")) {
        const value = counts[cell.dataset.of] || 0;
        cell.textContent = value.toLocaleString("en");
        cell.classList.toggle("bad", cell.dataset.of === "lost" && value > 0);
      }
    }
  }

  function drawCard(shown) {
    const rows = shown.card.map((row) => {
      const line = document.createElement("tr");
      const head = make("th", row.what);
      head.scope = "row";
      line.append(head, cell(row.past), cell(row.theirs, row.marks[0]), cell(row.ours, row.marks[1]));
      line.dataset.row = row.what;
      return line;
    });
    $("rows").replaceChildren(...rows);
    $("lead").textContent = `Their nine minutes, in ${shown.seconds} seconds. Same replies, same service, same wrong setting.`;
    $("source").textContent = shown.source;
    $("print").textContent = shown.print;
  }

  function draw(shown) {
    const running = shown.state === "running";
    $("replay").disabled = running;
    $("band").hidden = shown.state === "idle";
    if (shown.state === "idle") return;
    const said = drawActs(shown.acts);
    const done = shown.state === "done";
    const words = done ? "Done. Everything that waited was delivered, in order." : shown.state === "failed" ? `The replay stopped: ${shown.fault}.` : said;
    if ($("said").textContent !== words) $("said").textContent = words;
    drawSides(shown);
    $("again").hidden = !done;
    if (done) {
      drawCard(shown);
      if (wasRunning) $("card").showModal();
    }
    wasRunning = running;
    if (running) timer = window.setTimeout(look, 300);
  }

  async function ask(method) {
    window.clearTimeout(timer);
    try {
      const answer = await fetch("/demo/replay", { method });
      if (answer.ok) draw(await answer.json());
      else look();
    } catch {
      timer = window.setTimeout(look, 2000);
    }
  }

  const look = () => ask("GET");

  $("replay").addEventListener("click", () => {
    $("replay").disabled = true;
    // Where one pane is shown at a time, the desk is where agents are told.
    document.querySelector(".tabs [data-pane=desk]").click();
    ask("POST");
  });
  $("again").addEventListener("click", () => $("card").showModal());
  look();
})();
