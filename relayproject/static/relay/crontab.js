// Says in words what the chosen crontab means.
"use strict";
(() => {
  const readable = JSON.parse(document.getElementById("readable-crontabs").textContent);
  const choice = document.getElementById("id_crontab");
  const help = document.querySelector(".field-crontab .help");
  for (const row of document.querySelectorAll(".field-crontab_translation")) row.hidden = true;
  if (!choice || !help) return;
  const usual = help.textContent.trim();
  const say = () => {
    help.textContent = readable[choice.value] ? `${usual} Chosen: ${readable[choice.value]}.` : usual;
  };
  choice.addEventListener("change", say);
  say();
})();
