// On a phone each row of a list is a card (admin.css). So each value says of which column it is.
"use strict";
(() => {
  const names = [...document.querySelectorAll("#result_list thead th")].map((head) => head.querySelector(".text")?.textContent.trim());
  for (const row of document.querySelectorAll("#result_list tbody tr")) {
    [...row.cells].forEach((cell, index) => {
      if (names[index] && cell.matches("td:not(.action-checkbox)")) cell.dataset.name = names[index];
    });
  }
})();
