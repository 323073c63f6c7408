// Pages that are not the admin's have the look that was chosen there, or the system's.
"use strict";
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  function look() {
    const chosen = localStorage.getItem("theme");
    const dark = chosen === "dark" || (chosen !== "light" && system.matches);
    document.documentElement.classList.toggle("dark-mode", dark); // The name that Swagger UI gave it.
  }
  system.addEventListener("change", look);
  window.addEventListener("storage", look);
  look();
})();
