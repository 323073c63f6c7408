// The look that was chosen in the admin, or the system's. Swagger UI has both, and asks for a class.
"use strict";
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  function look() {
    const chosen = localStorage.getItem("theme");
    const dark = chosen === "dark" || (chosen !== "light" && system.matches);
    document.documentElement.classList.toggle("dark-mode", dark);
  }
  system.addEventListener("change", look);
  window.addEventListener("storage", look);
  look();
})();
