/* Beside each time in UTC, the reader's own; and a word where this copy has grown old. Everything is readable without. */
"use strict";
(() => {
  const OLD = 20 * 60 * 1000;
  const body = document.body;
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const language = time.closest("[lang]").lang;
    if (Number.isNaN(at.valueOf()) || at.getTimezoneOffset() === 0) continue;
    const away = at.getUTCDate() !== at.getDate();
    const shape = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(away ? { day: "numeric", month: "short" } : {}) };
    const own = document.createElement("span");
    own.className = "own";
    own.textContent = ` (${new Intl.DateTimeFormat(language, shape).format(at)} ${body.dataset.yours})`;
    time.after(own);
  }
  const written = new Date(body.dataset.written);
  if (Date.now() - written.valueOf() > OLD) document.getElementById("stale").hidden = false;
})();
