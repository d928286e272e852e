// The demonstration's tabs, where there is room for one pane only.
"use strict";
(() => {
  function show(pane) {
    document.body.dataset.pane = pane;
    for (const tab of document.querySelectorAll(".tabs button")) tab.setAttribute("aria-pressed", String(tab.dataset.pane === pane));
  }
  for (const tab of document.querySelectorAll(".tabs button")) tab.addEventListener("click", () => show(tab.dataset.pane));
  document.getElementById("own").addEventListener("click", () => show("desk"));
})();
